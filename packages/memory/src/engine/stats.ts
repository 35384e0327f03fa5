import type { Engine } from './engine.ts'

/** What a `BoundedMap` did since it was made. Counters never go down, `clear` does not reset them. */
export interface BoundedMapStats {
  /** `get` that found a live entry. */
  readonly hits: number
  /** `get` that did not. `has` and `peek` count as neither. */
  readonly misses: number
  /** `set` that stored. */
  readonly sets: number
  /** `delete` that removed a live entry. */
  readonly deletes: number
  /** Entries that a limit pushed out, by the limit; `oversize` are those that were never let in. */
  readonly evictions: { readonly entries: number; readonly bytes: number; readonly oversize: number }
  /** Entries removed because their lifetime was over. */
  readonly expired: number
  /** Entries held now, expired ones that were not yet reclaimed included. */
  readonly entries: number
  /** Their bytes; the number of entries where nothing is weighed. */
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
