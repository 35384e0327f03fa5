/**
 * The reason why a node was computed: its code, the environment, an input or a dependency changed; there was no record or no blob
 * (`absent`), its `ttl` was over (`expired`), or its record or blob was not what had been stored (`damaged`).
 */
export type MissReason = 'code' | 'env' | `input:${string}` | `dep:${string}` | 'absent' | 'expired' | 'damaged'

/** The items of a map. */
export interface ItemCounts {
  readonly total: number
  /** How many results were stored before. */
  readonly hits: number
  /** How often the function ran. */
  readonly computed: number
  /** How many items were equal to an earlier one, and got its result. */
  readonly duplicates: number
}

/** What a run did for one node. */
export interface NodeReport {
  readonly node: string
  readonly result: 'hit' | 'miss' | 'forced'
  /** Absent for a hit, and for a forced node. */
  readonly reason?: MissReason
  /** The milliseconds for which the function ran in this run; 0 for a hit. */
  readonly ms: number
  /** The milliseconds for which the function ran when the used results were made. */
  readonly savedMs: number
  /** About the size of the result. */
  readonly bytes: number
  /** Only of a map that was computed. */
  readonly items?: ItemCounts
  /** The names of the nodes that it depends on. */
  readonly dependencies: readonly string[]
}
