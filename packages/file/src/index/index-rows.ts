/**
 * The columns that most reads need. `frame` is `null` when the value must be read in another way, such as from a file.
 */
export interface IndexRow {
  readonly id: number
  readonly checksum: number
  readonly frame: Uint8Array | null
}

/** All columns that a read can need. */
export interface FullIndexRow extends IndexRow {
  readonly version: string
  readonly expires_at: number | null
  readonly streamed: number
  readonly file: string | null
}

/** An item as it is written to the index. */
export interface NewIndexRow {
  readonly text: string
  readonly version: string
  readonly kind: number
  /** Whether the cache itself uses the item, such as for a tag or a lock. True for placeholders of such items too. */
  readonly isInternal: boolean
  readonly bytes: number
  readonly storedAt: number
  readonly expiresAt: number | undefined
  readonly tags: readonly string[]
  readonly streamed: boolean
  readonly checksum: number
  readonly file: string | undefined
  readonly frame: Uint8Array | undefined
}

/** What the triggers count. */
export interface Totals {
  readonly entries: number
  readonly live: number
  readonly bytes: number
  readonly trash: number
}

/** A removed row: enough to decide whether it was a live value. */
export interface RemovedRow {
  readonly key: string
  readonly kind: number
  readonly expires_at: number | null
}

/** An item that may be evicted. */
export interface EvictionCandidate {
  readonly id: number
  readonly key: string
  readonly bytes: number
  readonly rank: number
  /** The rank that the item should have now. */
  readonly currentRank: number
}

/** The result of one step of the removal of expired items. */
export interface ExpiredRows {
  readonly removed: readonly { readonly key: string; readonly kind: number }[]
  /** The number of items that were due. More may be due unless it is 0. */
  readonly due: number
}
