import {
  type Clock,
  checkOptions,
  type Duration,
  invalidArgument,
  strayArgument,
  trueOrFalse,
} from '@cache/core/backend'
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
  readonly maxEntries?: number | undefined
  /** The largest sum of the bytes that `weigh` returns. Default: no limit. */
  readonly maxBytes?: number | undefined
  /** A heavier entry is not stored. Default: half of `maxBytes`, so that no single entry evicts all others. */
  readonly maxEntryBytes?: number | undefined
  /** Returns the bytes of an entry, a finite number of 0 or more. Default with `maxBytes`: `estimateBytes` of value and key. */
  readonly weigh?: ((value: V, key: K) => number) | undefined
  /** The lifetime of entries that are set without one. Default: they do not expire. */
  readonly ttl?: Duration | undefined
  /** Whether each `get` gives the entry its whole lifetime again. Default `false`: only `set` does. */
  readonly sliding?: boolean | undefined
  /** Chooses the entry to evict when a limit is exceeded. Default: `adaptive`. */
  readonly policy?: EvictionPolicy | undefined
  /**
   * Called after an entry was removed, with the reason. It may call the map again. An error that it throws reaches the
   * caller of the map, and further evictions wait for the next write. In the timer that removes expired entries, the
   * error is an uncaught exception.
   */
  readonly onRemoval?: ((key: K, value: V, reason: RemovalReason) => void) | undefined
  /** Read at every access to an entry with a lifetime. Default: the wall clock, read at most once in 64 closely following calls. */
  readonly clock?: Clock | undefined
  /**
   * Returns numbers from 0 (inclusive) to 1 (exclusive), for the seed of the index and for random choices of policies.
   * Default: secure numbers for the seed, `Math.random` for policies.
   */
  readonly random?: (() => number) | undefined
}

export type { BoundedMapStats, DumpedEntry }

/**
 * A map with limits for entries, bytes and lifetimes. All methods are synchronous. `undefined` is not allowed as a value: it
 * means that there is no entry. A read allocates nothing.
 */
export class BoundedMap<K, V> {
  readonly #engine: Engine<K, V>
  readonly #ttl: number
  /** The lifetimes of the slots, where a use renews them. */
  #lifetimes: Float64Array | undefined

  /** Throws `INVALID_ARGUMENT` for an unknown option, a bad value, or when there is neither `maxEntries` nor `maxBytes`. */
  constructor(options: BoundedMapOptions<K, V>) {
    checkOptions(options, [...engineOptionNames, 'ttl', 'sliding', 'onRemoval'], 'BoundedMap')
    const { onRemoval, sliding } = options
    if (sliding !== undefined) trueOrFalse(sliding, 'sliding', 'BoundedMap')
    checkFunction(onRemoval, 'onRemoval', 'BoundedMap')
    const listener = onRemoval === undefined ? undefined : { everyReason: true, emit: onRemoval }
    this.#engine = createEngine(options, listener, 'BoundedMap')
    this.#ttl = options.ttl === undefined ? Number.POSITIVE_INFINITY : lifetime(options.ttl, 'BoundedMap')
    if (sliding === true) this.#lifetimes = new Float64Array(0)
  }

  /** The number of entries, including expired ones that are not yet removed. */
  get size(): number {
    return this.#engine.slots.count
  }

  /** The value, or `undefined` if the key is absent or has expired. Counts as a use. */
  get(key: K): V | undefined {
    const value = this.#engine.get(key)
    if (this.#lifetimes !== undefined && value !== undefined) this.#renew(key, this.#lifetimes)
    return value
  }

  /** The value, or `undefined`, as `get`. Counts neither as a use nor in the statistics. */
  peek(key: K): V | undefined {
    return this.#engine.peek(key)
  }

  /** Whether the key has a live entry. Counts neither as a use nor in the statistics. */
  has(key: K): boolean {
    return this.#engine.find(key) >= 0
  }

  /** The milliseconds until the entry expires, `Infinity` if it does not, or `undefined` if there is none. Counts as `peek` does. */
  ttl(key: K): number | undefined {
    const slot = this.#engine.find(key)
    if (slot < 0) return undefined
    const expiresAt = this.#engine.slots.expiryTimeAt(slot)
    return expiresAt === Number.POSITIVE_INFINITY ? expiresAt : Math.max(0, expiresAt - this.#engine.clock.now())
  }

  /**
   * Stores the value for `ttl`, by default that of the map. Returns whether it was stored: `false` if it weighs more than
   * `maxEntryBytes`. The previous entry of the key is removed in both cases. Throws `INVALID_ARGUMENT` for the value
   * `undefined`, for a bad `ttl`, and for options that are not an object: a lifetime as the third argument is refused.
   */
  set(key: K, value: V, options?: { readonly ttl?: Duration }): boolean {
    if (value === undefined) throw invalidArgument('value', value, 'anything but undefined', 'set')
    const ttl = options === undefined ? this.#ttl : (lifetimeIn(options) ?? this.#ttl)
    const expiresAt = ttl === Number.POSITIVE_INFINITY ? ttl : this.#engine.clock.now() + ttl
    const wasStored = this.#engine.set(key, value, expiresAt)
    if (this.#lifetimes !== undefined && wasStored) this.#noteLifetime(key, ttl, this.#lifetimes)
    return wasStored
  }

  /** Removes the entry. Returns whether there was a live one. Throws `INVALID_ARGUMENT` for more than one argument. */
  delete(key: K, ...stray: readonly never[]): boolean {
    if (stray.length > 0) throw strayArgument(1 + stray.length, 1, 'delete')
    return this.#engine.delete(key)
  }

  /** Removes all entries. Keeps the statistics. Throws `INVALID_ARGUMENT` for an argument: there is no clear of a prefix. */
  clear(...stray: readonly never[]): void {
    if (stray.length > 0) throw strayArgument(stray.length, 0, 'clear')
    this.#engine.clear()
  }

  /**
   * The keys of live entries. The entry that the policy would evict last comes first: with `lru` the one that was used last. The order is
   * that of the start of the iteration, which copies the keys. The map may change meanwhile; entries that stay appear once.
   */
  *keys(): Generator<K> {
    for (const key of this.#orderedKeys()) if (this.has(key)) yield key
  }

  /** The values of live entries, in the order of `keys`. Counts as `peek` does. */
  *values(): Generator<V> {
    for (const [, value] of this.entries()) yield value
  }

  /** The keys and values of live entries, in the order of `keys`. Counts as `peek` does. */
  *entries(): Generator<[K, V]> {
    for (const key of this.#orderedKeys()) {
      const value = this.peek(key)
      if (value !== undefined) yield [key, value]
    }
  }

  /** Calls `visit` for each live entry, in the order of `keys`. Throws `INVALID_ARGUMENT` unless it is a function. */
  forEach(visit: (value: V, key: K, map: BoundedMap<K, V>) => void): void {
    if (typeof visit !== 'function') throw invalidArgument('visit', visit, 'a function', 'forEach')
    for (const [key, value] of this.entries()) visit(value, key, this)
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
    if (this.#lifetimes === undefined || typeof entries?.[Symbol.iterator] !== 'function')
      return loadEngine(this.#engine, entries)
    // An entry of a dump has an end and no lifetime: a use renews it by what was left of it.
    const all = [...entries]
    const count = loadEngine(this.#engine, all)
    for (const { key } of all) this.#noteLifetime(key, this.ttl(key) ?? Number.POSITIVE_INFINITY, this.#lifetimes)
    return count
  }

  /** All keys, the one to be evicted last first. */
  #orderedKeys(): K[] {
    const { slots, policy } = this.#engine
    return Array.from(policy.order(), (slot) => slots.keyAt(slot)).reverse()
  }

  #noteLifetime(key: K, ttl: number, lifetimes: Float64Array): void {
    const slot = this.#engine.find(key)
    if (slot < 0) return
    const enough = slot < lifetimes.length ? lifetimes : new Float64Array(Math.max(16, 2 * slot))
    if (enough !== lifetimes) enough.set(lifetimes)
    enough[slot] = ttl
    this.#lifetimes = enough
  }

  #renew(key: K, lifetimes: Float64Array): void {
    const slot = this.#engine.find(key)
    const ttl = slot < 0 ? Number.POSITIVE_INFINITY : (lifetimes[slot] ?? Number.POSITIVE_INFINITY)
    if (ttl !== Number.POSITIVE_INFINITY) this.#engine.renew(slot, this.#engine.clock.now() + ttl)
  }
}

/** The `ttl` of the options of one `set`, or `undefined`. A wrong name or type would otherwise mean that the entry never expires. */
function lifetimeIn(options: { readonly ttl?: Duration }): number | undefined {
  if (typeof options !== 'object' || options === null) throw invalidArgument('options', options, 'an object', 'set')
  const { ttl } = options
  // A full check of options with nothing but a lifetime would cost more than the rest of the call.
  for (const name in options) if (name !== 'ttl') checkOptions(options, ['ttl'], 'set')
  if (ttl !== undefined) return lifetime(ttl, 'set')
  checkOptions(options, ['ttl'], 'set')
  return undefined
}
