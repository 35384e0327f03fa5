import type { Engine } from './engine.ts'

/** Counts since the `BoundedMap` was created. Counters never go down, and `clear` does not reset them. */
export interface BoundedMapStats {
  /** Calls of `get` that found a live entry. */
  readonly hits: number
  /** Calls of `get` that found none. `has` and `peek` count as neither. */
  readonly misses: number
  /** Calls of `set` that stored an entry. */
  readonly sets: number
  /** Calls of `delete` that removed a live entry. */
  readonly deletes: number
  /** Evicted entries by the limit that evicted them. `oversize` counts those that were never stored. */
  readonly evictions: { readonly entries: number; readonly bytes: number; readonly oversize: number }
  /** Entries removed because they had expired. */
  readonly expired: number
  /** Entries held now, including expired ones that are not yet removed. */
  readonly entries: number
  /** The bytes of the entries held now; their number if nothing is weighed. */
  readonly bytes: number
}

export function engineStats<K, V>(engine: Engine<K, V>): BoundedMapStats {
  return {
    hits: engine.hits,
    misses: engine.misses,
    sets: engine.sets,
    deletes: engine.deletes,
    evictions: { entries: engine.evictedForEntries, bytes: engine.evictedForBytes, oversize: engine.refused },
    expired: engine.expired,
    entries: engine.slots.count,
    bytes: engine.bytes,
  }
}
