import type { BackendStats } from '@cache/core/backend'

export interface LayerStats extends BackendStats {
  /** The layer's `name`. */
  readonly name: string
  /** Reads that this layer answered with an item. For the last layer: all reads that reached it. */
  readonly reads: number
}

/** `items`, `size`, `evictions` and `expired` are those of the last layer. */
export interface LayeredStats extends BackendStats {
  /** Nearest first. */
  readonly layers: readonly LayerStats[]
  /** Deletes and clears in the recovery queue. */
  readonly pendingDeletes: number
}
