import type { BackendStats } from '@cache/core/backend'

export interface LayerStats extends BackendStats {
  /** The layer's `name`. */
  readonly name: string
  /** Reads that this layer answered with an item; for the last layer, all that reached it. */
  readonly reads: number
}

/** `items`, `size`, `evictions` and `expired` are the last layer's: what falls out of a near layer is not lost. */
export interface LayeredStats extends BackendStats {
  /** Near to far. */
  readonly layers: readonly LayerStats[]
  /** Deletes that wait in the recovery queue. */
  readonly pendingDeletes: number
}
