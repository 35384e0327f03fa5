import type { BackendStats, CacheError, EventHub, EvictionReason } from '@cache/core/backend'
import type { Measure, Table } from './table.ts'

export interface HousekeeperOptions {
  readonly table: Table
  readonly hub: EventHub
  readonly maxEntries: number
  readonly maxBytes: number
}

/** Rows written until the next step. */
const rowsPerStep = 1024
/** Pages swept in a step: of small items they hold several times as many rows as are written meanwhile. */
const pagesPerStep = 64
const pagesPerCleanup = 512
const rowsPerSweep = 1000
/** Tables of up to so many pages are counted exactly, larger ones by a sample of so many pages (3 % of error). */
const samplePages = 1000
const exactPages = 5000
/** How much of a limit the table is brought down to, so that the next writes find room. */
const roomFactor = 0.9

/**
 * Removes what has expired and what is beyond the limits: in small steps that writes pay for, without a timer.
 *
 * No index on `expires_at`: it would end HOT updates and take a quarter of the speed of writes. Expired rows are found by
 * going round the table instead, a few pages per step, each process from a place of its own. Eviction takes the oldest
 * rows of a sample of pages.
 */
export class Housekeeper {
  readonly #options: HousekeeperOptions
  readonly #limited: boolean
  /** Rows and bytes that may be written before the limits are looked at again: the room that the last look found. */
  #rowsToLook: number
  #bytesToLook: number
  #rows = 0
  #rowsSinceLook = 0
  #bytesSinceLook = 0
  /** Where the round goes on: pages from 0 on, or before the first step a share of the table. */
  #nextPage: number | undefined
  #running: Promise<void> | undefined
  #evictions = 0
  #expired = 0

  constructor(options: HousekeeperOptions) {
    this.#options = options
    const { maxEntries, maxBytes } = options
    this.#limited = maxEntries !== Number.POSITIVE_INFINITY || maxBytes !== Number.POSITIVE_INFINITY
    this.#rowsToLook = this.#mostRows()
    this.#bytesToLook = this.#mostBytes()
  }

  /** Counts what was written and starts a step in the background when it is time. */
  wrote(rows: number, bytes: number): void {
    this.#rows += rows
    this.#rowsSinceLook += rows
    this.#bytesSinceLook += bytes
    this.#startStep()
  }

  #startStep(): void {
    if (this.#running !== undefined || !(this.#rows >= rowsPerStep || this.#isLookDue())) return
    this.#running = this.#step()
      .then(() => true)
      .catch((error: CacheError) => {
        // The write that paid for it has succeeded; the next one tries again.
        if (this.#options.hub.active) this.#options.hub.emit({ type: 'error', error })
        return false
      })
      .then((succeeded) => {
        this.#running = undefined
        // Something may have become due between the last look and now.
        if (succeeded) this.#startStep()
      })
  }

  /** Resolves when no step is under way. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async stats(): Promise<BackendStats> {
    const { items, bytes } = await this.#measure(exactPages)
    return { items, size: bytes, evictions: this.#evictions, expired: this.#expired }
  }

  /** Goes round the whole table once. */
  async removeExpired(): Promise<number> {
    const { table } = this.#options
    const pages = await table.pages()
    // Cleaners that start at the same time start at different places.
    const first = Math.floor(Math.random() * pages)
    let removed = 0
    for (let done = 0; done < pages; done += pagesPerCleanup) {
      const from = (first + done) % pages
      const end = from + Math.min(pagesPerCleanup, pages - done)
      removed += await this.#sweep(from, Math.min(end, pages))
      if (end > pages) removed += await this.#sweep(0, end - pages)
    }
    return removed
  }

  #isLookDue(): boolean {
    if (!this.#limited) return false
    return this.#rowsSinceLook >= this.#rowsToLook || this.#bytesSinceLook >= this.#bytesToLook
  }

  async #step(): Promise<void> {
    // Writes go on meanwhile, so it looks again until nothing is due.
    while (this.#rows >= rowsPerStep || this.#isLookDue()) {
      if (this.#rows >= rowsPerStep) {
        this.#rows = 0
        await this.#goRound()
      }
      if (this.#isLookDue()) {
        this.#rowsSinceLook = 0
        this.#bytesSinceLook = 0
        await this.#keepLimits()
      }
    }
  }

  async #goRound(): Promise<void> {
    const pages = await this.#options.table.pages()
    if (pages === 0) return
    const first = this.#nextPage ?? Math.floor(Math.random() * pages)
    const from = first >= pages ? 0 : first
    this.#nextPage = from + pagesPerStep
    await this.#sweep(from, Math.min(from + pagesPerStep, pages))
  }

  async #sweep(from: number, end: number): Promise<number> {
    let removed = 0
    for (;;) {
      const keys = await this.#options.table.sweep(from, end, rowsPerSweep)
      this.#tellExpired(keys)
      removed += keys.length
      if (keys.length < rowsPerSweep) return removed
    }
  }

  async #keepLimits(): Promise<void> {
    const { maxEntries, maxBytes, table } = this.#options
    const target = { rows: maxEntries * roomFactor, bytes: maxBytes * roomFactor }
    const percent = await this.#percent(samplePages)
    // Of a sample only the older part is taken; a table that is read whole gives up its very oldest.
    const most = percent === 100 ? 5000 : 1000
    let limits = { rows: maxEntries, bytes: maxBytes }
    for (;;) {
      const { rows, bytes, live, expired } = await table.evict(percent, limits, target, most)
      const removed = live.length + expired.length
      this.#tellExpired(expired)
      this.#tellEvicted(live, rows > limits.rows ? 'entries' : 'bytes')
      // Little room: the next look comes soon.
      this.#rowsToLook = clamp(maxEntries - rows + removed, this.#mostRows())
      this.#bytesToLook = removed > 0 ? this.#mostBytes() : clamp(maxBytes - bytes, this.#mostBytes())
      if (removed === 0) return
      // Having begun, it goes on to the target.
      limits = target
    }
  }

  #tellEvicted(keys: readonly string[], reason: EvictionReason): void {
    const { hub } = this.#options
    this.#evictions += keys.length
    if (hub.active) for (const key of keys) hub.emit({ type: 'evict', key, reason })
  }

  #mostRows(): number {
    return clamp(this.#options.maxEntries * (1 - roomFactor), rowsPerStep)
  }

  #mostBytes(): number {
    return clamp(this.#options.maxBytes * (1 - roomFactor), Number.POSITIVE_INFINITY)
  }

  #tellExpired(keys: readonly string[]): void {
    const { hub } = this.#options
    this.#expired += keys.length
    if (hub.active) for (const key of keys) hub.emit({ type: 'expire', key })
  }

  async #measure(pages: number): Promise<Measure> {
    return await this.#options.table.measure(await this.#percent(pages))
  }

  /** How much of the table so many pages are. */
  async #percent(sample: number): Promise<number> {
    const pages = await this.#options.table.pages()
    return pages <= sample ? 100 : (100 * sample) / pages
  }
}

/** A whole number from 1 to `most`. */
function clamp(value: number, most: number): number {
  return Math.max(1, Math.floor(Math.min(value, most)))
}
