/** The policies by name. */
export type EvictionPolicy = 'lru' | 'lfu' | 'fifo' | 'random' | 'sieve' | 's3-fifo' | 'w-tinylfu' | 'adaptive'

/**
 * Decides which entry leaves. Entries are slot numbers; hashes and weights stand in the `Slots` that the policy was made with.
 * The policy may keep six bits per slot in `slots.meta` (`POLICY_BITS`), which are 0 when a slot is inserted.
 *
 * The order of calls: `insert` once, then `hit` and `reweigh` any number of times, then `evict` or `remove` once.
 */
export interface Policy {
  readonly name: EvictionPolicy
  /** There are now `capacity` slots, never fewer than before, except after `clear`. */
  grow(capacity: number): void
  /** A new entry. */
  insert(slot: number): void
  /** The entry was read or overwritten. Allocates nothing. */
  hit(slot: number): void
  /** The entry's weight was `before`. */
  reweigh(slot: number, before: number): void
  /** Chooses the entry that leaves, and forgets it. Called while at least one entry is in, right after the insert that exceeded a limit. */
  evict(): number
  /** The entry leaves for another reason: deleted or expired. */
  remove(slot: number): void
  clear(): void
  /** The limits, Infinity where there is none. Called before the first insert, and when one changes. */
  limit(maxEntries: number, maxBytes: number): void
  /** The slots, those that would leave first at the front. */
  order(): Iterable<number>
  /** How often the entry is known to have been used: so many hits are played when it is loaded from a dump. */
  uses(slot: number): number
  /** Throws when the policy's own data disagree with each other. For tests. */
  check(): void
}
