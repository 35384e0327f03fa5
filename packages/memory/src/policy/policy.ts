/** The name of an eviction policy. */
export type EvictionPolicy = 'lru' | 'lfu' | 'fifo' | 'random' | 'sieve' | 's3-fifo' | 'w-tinylfu' | 'adaptive'

/**
 * Decides which entry to evict. Entries are slot numbers; their hashes and weights are in the `Slots` that the constructor
 * received. The policy may use six bits per slot in `slots.meta` (`policyBits`), which are 0 when a slot is inserted.
 *
 * The order of calls for a slot: `insert` once, then `hit` and `reweigh` any number of times, then `evict` or `remove` once.
 */
export interface Policy {
  readonly name: EvictionPolicy
  /** Makes room for `capacity` slots. The capacity never falls, except by `clear`. */
  grow(capacity: number): void
  /** Adds a new entry. */
  insert(slot: number): void
  /** Counts a use: the entry was read or overwritten. Allocates nothing. */
  hit(slot: number): void
  /** Accounts for a changed weight, which was `before`. */
  reweigh(slot: number, before: number): void
  /** Accounts for another hash of the key, which was `before`. Absent if the policy remembers no hashes of live entries. */
  rehash?(slot: number, before: number): void
  /** Chooses the entry to evict, and forgets it. Called with at least one entry, right after the insert that exceeded a limit. */
  evict(): number
  /** Forgets an entry that was removed for another reason: deleted or expired. */
  remove(slot: number): void
  clear(): void
  /** Sets the limits, `Infinity` for none. Called before the first insert, and when a limit changes. */
  limit(maxEntries: number, maxBytes: number): void
  /** The slots, those that would be evicted first at the front. */
  order(): Iterable<number>
  /** The counted uses of the entry. Loading it from a dump repeats as many hits. */
  uses(slot: number): number
  /** Throws if the data of the policy are inconsistent. For tests. */
  check(): void
}
