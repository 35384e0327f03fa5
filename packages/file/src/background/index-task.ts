import type { EvictionPolicy } from '../index/schema.ts'

/** A task that visits all rows or many. */
export type Inspection =
  /** SQLite's integrity check. */
  | { readonly kind: 'integrity' }
  /** Compares the totals and the due times with the rows; with `fix`, corrects them. */
  | { readonly kind: 'totals'; readonly fix: boolean }
  /** Counts values that have expired. */
  | { readonly kind: 'expired'; readonly now: number }
  /** Prepares the index for another policy. */
  | { readonly kind: 'policy'; readonly policy: EvictionPolicy }

/**
 * A task on an index that would block the event loop. A checkpoint with `isScarce` also gives back few free pages,
 * because the disk is nearly full.
 */
export type IndexTask =
  | { readonly kind: 'checkpoint'; readonly path: string; readonly wait: boolean; readonly isScarce?: boolean }
  | ({ readonly path: string } & Inspection)
  | { readonly kind: 'salvage'; readonly path: string; readonly to: string; readonly policy: EvictionPolicy }

export interface IndexTaskResult {
  /** The problems that an integrity check found, or the losses of a salvage. */
  readonly problems: readonly string[]
  /** The number of rows that a salvage saved. */
  readonly saved: number
  /** The number of expired values. */
  readonly count?: number
  /** The number of frames that a checkpoint found in the log. */
  readonly frames?: number
  /** Whether the next write starts the log from its beginning. */
  readonly restarted?: boolean
}
