import type { BackendStats, CacheError, EventHub } from '@cache/core/backend'
import { nextTurn } from '../timeouts/next-turn.ts'
import { type EvictableTable, Evictor } from './evictor.ts'
import type { Table } from './table.ts'

/** The parts of a table that maintenance needs. */
export type MaintainedTable = EvictableTable & Pick<Table, 'measure' | 'removeExpired'>

export interface MaintenanceOptions {
  readonly table: MaintainedTable
  readonly hub: EventHub
  readonly maxEntries: number
  readonly maxBytes: number
}

/** Rows written between two steps. */
const rowsPerStep = 1024
/** Pages of a step. With small items they hold several times the rows that are written between two steps. */
const pagesPerStep = 64
const pagesPerCleanup = 512
const rowsPerStatement = 1000
/** `MaxHeapTuplesPerPage` of PostgreSQL for its largest pages, 32 KiB. */
const mostRowsPerPage = 1169
/** Tables of at most this many pages are counted exactly for `stats`, larger ones by a sample of this many pages. */
const exactPages = 5000

/**
 * Removes expired rows and keeps the limits, in small steps after writes and without a timer.
 *
 * There is no index on `expires_at`: it would prevent HOT updates and cost a quarter of the speed of writes. Instead,
 * each process goes round the table, a few pages per step, from a random start.
 */
export class Maintenance {
  readonly #options: MaintenanceOptions
  readonly #evictor: Evictor
  #rows = 0
  /** The page at which the round continues; absent before the first step. */
  #nextPage: number | undefined
  #running: Promise<void> | undefined
  #expired = 0
  #isStopped = false

  constructor(options: MaintenanceOptions) {
    this.#options = options
    this.#evictor = new Evictor({
      ...options,
      isStopped: () => this.#isStopped,
      onExpired: (keys) => this.#emitExpired(keys),
    })
  }

  /** Counts written rows and bytes, and starts a step in the background when one is due. */
  countWrite(rows: number, bytes: number): void {
    this.#rows += rows
    this.#evictor.countWrite(rows, bytes)
    this.#startStep()
  }

  #startStep(): void {
    if (this.#running !== undefined || this.#isStopped || !this.#isDue()) return
    this.#running = this.#step()
      .then(() => true)
      .catch((error: CacheError) => {
        // The write before it has succeeded. The next write starts the step again.
        if (this.#options.hub.wants('error')) this.#options.hub.emit({ type: 'error', error })
        return false
      })
      .then((succeeded) => {
        this.#running = undefined
        // Another step may have become due between the last check and now.
        if (succeeded) this.#startStep()
      })
  }

  /**
   * Lets all work end after the statement that is running: neither a large table nor a server with endless replies keeps
   * `close` waiting. Other processes, or the next one, do the rest.
   */
  stop(): void {
    this.#isStopped = true
  }

  /** Resolves when no step is running. */
  async waitForSteps(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async stats(): Promise<BackendStats> {
    const { table } = this.#options
    const pages = await table.pages()
    const { items, bytes } = await table.measure(pages <= exactPages ? 100 : (100 * exactPages) / pages)
    return { items, size: bytes, evictions: this.#evictor.evictions, expired: this.#expired }
  }

  /** Removes the expired rows of the whole table. */
  async removeExpired(): Promise<number> {
    const { table } = this.#options
    const pages = await table.pages()
    // Processes that do so at the same time start at different pages.
    const first = Math.floor(Math.random() * pages)
    let removed = 0
    for (let done = 0; done < pages && !this.#isStopped; done += pagesPerCleanup) {
      const from = (first + done) % pages
      const end = from + Math.min(pagesPerCleanup, pages - done)
      removed += await this.#removeFrom(from, Math.min(end, pages))
      if (end > pages) removed += await this.#removeFrom(0, end - pages)
      await nextTurn()
    }
    return removed
  }

  #isDue(): boolean {
    return this.#rows >= rowsPerStep || this.#evictor.isDue
  }

  async #step(): Promise<void> {
    // Writes continue meanwhile, so the step repeats until nothing is due.
    while (!this.#isStopped && this.#isDue()) {
      if (this.#rows >= rowsPerStep) {
        this.#rows = 0
        await this.#removeFromNextPages()
      }
      if (this.#evictor.isDue) await this.#evictor.evictToLimit()
    }
  }

  async #removeFromNextPages(): Promise<void> {
    const pages = await this.#options.table.pages()
    if (pages === 0) return
    const first = this.#nextPage ?? Math.floor(Math.random() * pages)
    const from = first >= pages ? 0 : first
    this.#nextPage = from + pagesPerStep
    await this.#removeFrom(from, Math.min(from + pagesPerStep, pages))
  }

  async #removeFrom(from: number, end: number): Promise<number> {
    let removed = 0
    // A page holds no more rows, so further rounds would find rows that others write meanwhile.
    const most = (end - from) * mostRowsPerPage
    while (removed <= most && !this.#isStopped) {
      const keys = await this.#options.table.removeExpired(from, end, rowsPerStatement)
      this.#emitExpired(keys)
      removed += keys.length
      if (keys.length < rowsPerStatement) break
      await nextTurn()
    }
    return removed
  }

  #emitExpired(keys: readonly string[]): void {
    const { hub } = this.#options
    this.#expired += keys.length
    if (hub.wants('expire')) for (const key of keys) hub.emit({ type: 'expire', key })
  }
}
