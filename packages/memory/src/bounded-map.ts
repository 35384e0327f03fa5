import { type Clock, checkOptions, type Duration, invalidArgument } from '@cache/core/backend'
import { checkFunction, createEngine, engineOptionNames, entryLimit, lifetime } from './engine/create-engine.ts'
import { type DumpedEntry, dumpEngine, loadEngine } from './engine/dump.ts'
import type { Engine } from './engine/engine.ts'
import { type BoundedMapStats, engineStats } from './engine/stats.ts'
import type { EvictionPolicy } from './policy/policy.ts'
import type { RemovalReason } from './removal-reason.ts'

/** Options of a `BoundedMap`. At least one of `maxEntries` and `maxBytes` is required. */
export interface BoundedMapOptions<K, V> {
  /** How many entries it holds at most. Default: no limit of entries. */
  readonly maxEntries?: number
  /** How many bytes, as told by `weigh`, it holds at most. Default: no limit of bytes. */
  readonly maxBytes?: number
  /** A heavier entry is not stored. Default: half of `maxBytes`, so that no single entry pushes out everything. */
  readonly maxEntryBytes?: number
  /** Bytes of an entry, a finite number of 0 or more. Default with `maxBytes`: `estimateBytes` of value and key. */
  readonly weigh?: (value: V, key: K) => number
  /** Lifetime of entries for which `set` names none. Default: they do not expire. */
  readonly ttl?: Duration
  /** Who leaves when a limit is reached. Default: `adaptive`. */
  readonly policy?: EvictionPolicy
  /**
   * Called after an entry has left, with the reason. It may call the map again. What it throws reaches the caller of the map, and what else
   * had to leave does so at the next write; in the timer that reclaims expired entries it is an uncaught exception.
   */
  readonly onRemoval?: (key: K, value: V, reason: RemovalReason) => void
  /** Read on every access to an entry with a lifetime. Default: the wall clock, read at most once in 64 closely following calls. */
  readonly clock?: Clock
  /** Numbers from 0 (inclusive) to 1 (exclusive), for the seed of the index and for policies that draw lots. Default: secure ones for the seed, `Math.random` for lots. */
  readonly random?: () => number
}

export type { BoundedMapStats, DumpedEntry }

/**
 * A map that never holds more than it may: by entries, by bytes, by lifetime. Synchronous; `undefined` is no value, it says
 * that there is no entry. A read allocates nothing.
 */
export class BoundedMap<K, V> {
  private readonly engine: Engine<K, V>
  private readonly ttl: number

  /** Throws `INVALID_ARGUMENT` for an unknown option, a bad value, or when there is neither `maxEntries` nor `maxBytes`. */
  constructor(options: BoundedMapOptions<K, V>) {
    checkOptions(options, [...engineOptionNames, 'ttl', 'onRemoval'], 'BoundedMap')
    const { onRemoval } = options
    checkFunction(onRemoval, 'onRemoval', 'BoundedMap')
    this.engine = createEngine(
      options,
      onRemoval === undefined ? null : { tellsRemovals: true, tell: onRemoval },
      'BoundedMap',
    )
    this.ttl = options.ttl === undefined ? Number.POSITIVE_INFINITY : lifetime(options.ttl, 'BoundedMap')
  }

  /** How many entries it holds, expired ones that were not yet reclaimed included. */
  get size(): number {
    return this.engine.slots.count
  }

  /** The value, or `undefined` when there is none or it has expired. Counts as a use. */
  get(key: K): V | undefined {
    return this.engine.get(key)
  }

  /** The value like `get`, but it neither counts as a use nor in the statistics. */
  peek(key: K): V | undefined {
    return this.engine.peek(key)
  }

  /** Whether a live entry is there. Does not count as a use. */
  has(key: K): boolean {
    return this.engine.find(key) >= 0
  }

  /**
   * Stores the value, for `ttl` if given, else for the map's own. Returns whether it was stored: `false` when it weighs more than
   * `maxEntryBytes`; what stood under the key is gone in either case. Throws `INVALID_ARGUMENT` for `undefined` and a bad `ttl`.
   */
  set(key: K, value: V, options?: { readonly ttl?: Duration }): boolean {
    if (value === undefined) throw invalidArgument('value', value, 'anything but undefined', 'set')
    const ttl = options?.ttl === undefined ? this.ttl : lifetime(options.ttl, 'set')
    const deadline = ttl === Number.POSITIVE_INFINITY ? ttl : this.engine.clock.now() + ttl
    return this.engine.set(key, value, deadline)
  }

  /** Removes the entry. Returns whether a live one was there. */
  delete(key: K): boolean {
    return this.engine.delete(key)
  }

  /** Removes every entry. Statistics stay. */
  clear(): void {
    this.engine.clear()
  }

  /** The keys of live entries, in no particular order. The map may change meanwhile; an entry that stays throughout appears once. */
  *keys(): Generator<K> {
    for (const slot of this.engine.liveSlots()) yield this.engine.slots.keyAt(slot)
  }

  /** Key and value of live entries, as `keys`. */
  *entries(): Generator<[K, V]> {
    for (const slot of this.engine.liveSlots()) yield [this.engine.slots.keyAt(slot), this.engine.slots.valueAt(slot)]
  }

  [Symbol.iterator](): Generator<[K, V]> {
    return this.entries()
  }

  /** Changes the limit of entries. A smaller one pushes entries out at once. Throws `INVALID_ARGUMENT` unless it is a whole number of 1 or more. */
  resize(maxEntries: number): void {
    this.engine.resize(entryLimit(maxEntries, 'resize'))
  }

  /** Removes all entries that have expired. Not needed for correctness, nor usually for memory. Returns how many there were. */
  removeExpired(): number {
    return this.engine.removeExpired()
  }

  stats(): BoundedMapStats {
    return engineStats(this.engine)
  }

  /** All live entries, those that would be evicted first at the front, for `load` of another map after a restart. */
  dump(): DumpedEntry<K, V>[] {
    return dumpEngine(this.engine)
  }

  /**
   * Stores what `dump` gave; what has expired meanwhile is left out. Returns how many entries were stored. Throws `INVALID_ARGUMENT` at
   * the first that is none of a dump; those before it are stored then.
   */
  load(entries: Iterable<DumpedEntry<K, V>>): number {
    return loadEngine(this.engine, entries)
  }
}
