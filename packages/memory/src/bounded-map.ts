import { type Clock, checkOptions, type Duration, invalidArgument } from '@cache/core/backend'
import { checkFunction, createEngine, entryLimit, lifetime } from './engine/create-engine.ts'
import { type DumpedEntry, dumpEngine, loadEngine } from './engine/dump.ts'
import type { Engine } from './engine/engine.ts'
import { engineOptionNames } from './engine/engine-settings.ts'
import { type BoundedMapStats, engineStats } from './engine/stats.ts'
import type { EvictionPolicy } from './policy/policy.ts'
import type { RemovalReason } from './removal-reason.ts'

/** Options of a `BoundedMap`. At least one of `maxEntries` and `maxBytes` is required. */
export interface BoundedMapOptions<K, V> {
  /** The largest number of entries. Default: no limit. */
  readonly maxEntries?: number
  /** The largest sum of the bytes that `weigh` returns. Default: no limit. */
  readonly maxBytes?: number
  /** A heavier entry is not stored. Default: half of `maxBytes`, so that no single entry evicts all others. */
  readonly maxEntryBytes?: number
  /** Returns the bytes of an entry, a finite number of 0 or more. Default with `maxBytes`: `estimateBytes` of value and key. */
  readonly weigh?: (value: V, key: K) => number
  /** The lifetime of entries that are set without one. Default: they do not expire. */
  readonly ttl?: Duration
  /** Chooses the entry to evict when a limit is exceeded. Default: `adaptive`. */
  readonly policy?: EvictionPolicy
  /**
   * Called after an entry was removed, with the reason. It may call the map again. An error that it throws reaches the
   * caller of the map, and further evictions wait for the next write. In the timer that removes expired entries, the
   * error is an uncaught exception.
   */
  readonly onRemoval?: (key: K, value: V, reason: RemovalReason) => void
  /** Read at every access to an entry with a lifetime. Default: the wall clock, read at most once in 64 closely following calls. */
  readonly clock?: Clock
  /**
   * Returns numbers from 0 (inclusive) to 1 (exclusive), for the seed of the index and for random choices of policies.
   * Default: secure numbers for the seed, `Math.random` for policies.
   */
  readonly random?: () => number
}

export type { BoundedMapStats, DumpedEntry }

/**
 * A map with limits for entries, bytes and lifetimes. All methods are synchronous. `undefined` is not allowed as a value: it
 * means that there is no entry. A read allocates nothing.
 */
export class BoundedMap<K, V> {
  readonly #engine: Engine<K, V>
  readonly #ttl: number

  /** Throws `INVALID_ARGUMENT` for an unknown option, a bad value, or when there is neither `maxEntries` nor `maxBytes`. */
  constructor(options: BoundedMapOptions<K, V>) {
    checkOptions(options, [...engineOptionNames, 'ttl', 'onRemoval'], 'BoundedMap')
    const { onRemoval } = options
    checkFunction(onRemoval, 'onRemoval', 'BoundedMap')
    const listener = onRemoval === undefined ? undefined : { everyReason: true, emit: onRemoval }
    this.#engine = createEngine(options, listener, 'BoundedMap')
    this.#ttl = options.ttl === undefined ? Number.POSITIVE_INFINITY : lifetime(options.ttl, 'BoundedMap')
  }

  /** The number of entries, including expired ones that are not yet removed. */
  get size(): number {
    return this.#engine.slots.count
  }

  /** The value, or `undefined` if the key is absent or has expired. Counts as a use. */
  get(key: K): V | undefined {
    return this.#engine.get(key)
  }

  /** The value, or `undefined`, as `get`. Counts neither as a use nor in the statistics. */
  peek(key: K): V | undefined {
    return this.#engine.peek(key)
  }

  /** Whether the key has a live entry. Counts neither as a use nor in the statistics. */
  has(key: K): boolean {
    return this.#engine.find(key) >= 0
  }

  /**
   * Stores the value for `ttl`, by default that of the map. Returns whether it was stored: `false` if it weighs more than
   * `maxEntryBytes`. The previous entry of the key is removed in both cases. Throws `INVALID_ARGUMENT` for the value
   * `undefined` and for a bad `ttl`.
   */
  set(key: K, value: V, options?: { readonly ttl?: Duration }): boolean {
    if (value === undefined) throw invalidArgument('value', value, 'anything but undefined', 'set')
    const ttl = options?.ttl === undefined ? this.#ttl : lifetime(options.ttl, 'set')
    const expiresAt = ttl === Number.POSITIVE_INFINITY ? ttl : this.#engine.clock.now() + ttl
    return this.#engine.set(key, value, expiresAt)
  }

  /** Removes the entry. Returns whether there was a live one. */
  delete(key: K): boolean {
    return this.#engine.delete(key)
  }

  /** Removes all entries. Keeps the statistics. */
  clear(): void {
    this.#engine.clear()
  }

  /** The keys of live entries, in no particular order. The map may change during the iteration; entries that stay appear once. */
  *keys(): Generator<K> {
    for (const slot of this.#engine.liveSlots()) yield this.#engine.slots.keyAt(slot)
  }

  /** The keys and values of live entries, as `keys`. */
  *entries(): Generator<[K, V]> {
    for (const slot of this.#engine.liveSlots())
      yield [this.#engine.slots.keyAt(slot), this.#engine.slots.valueAt(slot)]
  }

  [Symbol.iterator](): Generator<[K, V]> {
    return this.entries()
  }

  /** Changes the limit of entries. A smaller limit evicts at once. Throws `INVALID_ARGUMENT` unless it is a whole number from 1 to 2^30. */
  resize(maxEntries: number): void {
    this.#engine.resize(entryLimit(maxEntries, 'resize'))
  }

  /** Removes all expired entries. Returns their number. Reads never return expired values, and a timer frees their memory too. */
  removeExpired(): number {
    return this.#engine.removeExpired()
  }

  /** Counts since the map was created. */
  stats(): BoundedMapStats {
    return engineStats(this.#engine)
  }

  /** All live entries, those that would be evicted first at the front. For `load` of another map, after a restart for example. */
  dump(): DumpedEntry<K, V>[] {
    return dumpEngine(this.#engine)
  }

  /**
   * Stores the entries of a dump, except those that have expired since. Returns how many were stored. Throws
   * `INVALID_ARGUMENT` at the first entry that cannot come from a dump; the entries before it stay stored.
   */
  load(entries: Iterable<DumpedEntry<K, V>>): number {
    return loadEngine(this.#engine, entries)
  }
}
