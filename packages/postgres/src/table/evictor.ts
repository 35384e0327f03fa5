import type { EventHub, EvictionReason } from '@cache/core/backend'
import { nextTurn } from '../timeouts/next-turn.ts'
import type { Table } from './table.ts'

/** The parts of a table that eviction needs. */
export type EvictableTable = Pick<Table, 'pages' | 'evict'>

export interface EvictorOptions {
  readonly table: EvictableTable
  readonly hub: EventHub
  readonly maxEntries: number
  readonly maxBytes: number
  /** Whether evictions must end as soon as possible. */
  readonly isStopped: () => boolean
  /** Receives the keys of expired rows that an eviction removed. */
  readonly onExpired: (keys: readonly string[]) => void
}

/** Larger tables are counted by a sample of this many pages (error 3 %). */
const samplePages = 1000
/** An eviction goes down to this part of a limit, so that the next writes find space. */
const targetShare = 0.9
/** The largest number of rows between two checks of the limits. */
const mostRowsToCheck = 1024

/**
 * Keeps the limits: once writes have used the space that the last check found, it removes the oldest rows of a sample
 * of pages.
 */
export class Evictor {
  readonly #options: EvictorOptions
  readonly #isLimited: boolean
  /** Rows and bytes that may be written before the next check: the space that the last one found. */
  #rowsToCheck: number
  #bytesToCheck: number
  #rows = 0
  #bytes = 0
  #evictions = 0

  constructor(options: EvictorOptions) {
    this.#options = options
    const { maxEntries, maxBytes } = options
    this.#isLimited = maxEntries !== Number.POSITIVE_INFINITY || maxBytes !== Number.POSITIVE_INFINITY
    this.#rowsToCheck = this.#mostRows()
    this.#bytesToCheck = this.#mostBytes()
  }

  /** The number of live items that were evicted. */
  get evictions(): number {
    return this.#evictions
  }

  /** Whether enough was written since the last check that a limit may be exceeded. */
  get isDue(): boolean {
    return this.#isLimited && (this.#rows >= this.#rowsToCheck || this.#bytes >= this.#bytesToCheck)
  }

  countWrite(rows: number, bytes: number): void {
    this.#rows += rows
    this.#bytes += bytes
  }

  async evictToLimit(): Promise<void> {
    this.#rows = 0
    this.#bytes = 0
    const { maxEntries, maxBytes, table, onExpired, isStopped } = this.#options
    const target = { rows: maxEntries * targetShare, bytes: maxBytes * targetShare }
    const pages = await table.pages()
    const percent = pages <= samplePages ? 100 : (100 * samplePages) / pages
    // Only the older part of a sample is removed; a table that is read whole loses its very oldest rows.
    const most = percent === 100 ? 5000 : 1000
    let limits = { rows: maxEntries, bytes: maxBytes }
    while (!isStopped()) {
      const { rows, bytes, live, expired } = await table.evict(percent, limits, target, most)
      const removed = live.length + expired.length
      onExpired(expired)
      this.#emitEvicted(live, rows > limits.rows ? 'entries' : 'bytes')
      // The less space is left, the sooner comes the next check.
      this.#rowsToCheck = clamp(maxEntries - rows + removed, this.#mostRows())
      this.#bytesToCheck = removed > 0 ? this.#mostBytes() : clamp(maxBytes - bytes, this.#mostBytes())
      if (removed === 0) return
      await nextTurn()
      // An eviction that has begun continues down to the target.
      limits = target
    }
  }

  #emitEvicted(keys: readonly string[], reason: EvictionReason): void {
    const { hub } = this.#options
    this.#evictions += keys.length
    if (hub.wants('evict')) for (const key of keys) hub.emit({ type: 'evict', key, reason })
  }

  #mostRows(): number {
    return clamp(this.#options.maxEntries * (1 - targetShare), mostRowsToCheck)
  }

  #mostBytes(): number {
    return clamp(this.#options.maxBytes * (1 - targetShare), Number.POSITIVE_INFINITY)
  }
}

/** A whole number from 1 to `most`. */
function clamp(value: number, most: number): number {
  return Math.max(1, Math.floor(Math.min(value, most)))
}
