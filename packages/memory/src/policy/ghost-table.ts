const CELLS = 4
const FREQUENCY = 0x0f
const REJECTED = 0x10
const TAG = 0xffe0
const CELLS_PER_ENTRY = 2

/** What is known of a key that left. */
export interface Ghost {
  frequency: number
  /** It left from the window rather than from the main part. */
  rejected: boolean
  /** It left lately: among the last half as many evictions as the cache has entries, roughly. */
  recent: boolean
}

/**
 * Remembers how often keys were used that have left: buckets of four 16-bit cells, each an 11-bit tag of the key's hash, where it left
 * from, and a 4-bit frequency. Four bytes per entry of the cache remember twice as many keys as it holds. Tags of different
 * keys may meet: then one inherits the other's frequency, which costs a little accuracy and nothing else.
 */
export class GhostTable {
  /** The answer of the last `take`: one object for ever, so that an insert allocates nothing. */
  readonly found: Ghost = { frequency: 0, rejected: false, recent: false }
  private cells: Uint16Array = new Uint16Array(CELLS)
  private bucketMask = 0

  get length(): number {
    return this.cells.length
  }

  /** Makes room for a cache of `entries`; what was remembered is forgotten when the table grows. */
  grow(entries: number): void {
    let buckets = 1
    while (buckets * CELLS < entries * CELLS_PER_ENTRY) buckets *= 2
    if (buckets * CELLS <= this.cells.length) return
    this.cells = new Uint16Array(buckets * CELLS)
    this.bucketMask = buckets - 1
  }

  clear(): void {
    this.cells = new Uint16Array(CELLS)
    this.bucketMask = 0
  }

  /** Takes out what is remembered of the hash into `found`. Returns whether there was anything. */
  take(hash: number): boolean {
    const cells = this.cells
    const first = (hash & this.bucketMask) * CELLS
    const tag = (hash >>> 16) & TAG
    for (let at = first + CELLS - 1; at >= first; at--) {
      const cell = cells[at] as number
      if (cell === 0 || (cell & TAG) !== tag) continue
      this.found.frequency = cell & FREQUENCY
      this.found.rejected = (cell & REJECTED) !== 0
      // Cells of a bucket stand in the order of arrival, and a bucket gets one for every half cache of evictions.
      this.found.recent = at === first + CELLS - 1
      for (let hole = at; hole > first; hole--) cells[hole] = cells[hole - 1] as number
      cells[first] = 0
      return true
    }
    return false
  }

  /** Remembers a key in place of the least frequent of its bucket, the oldest among equals. */
  add(hash: number, frequency: number, rejected: boolean): void {
    const cells = this.cells
    const first = (hash & this.bucketMask) * CELLS
    let least = first
    for (let at = first + 1; at < first + CELLS; at++) {
      if (((cells[at] as number) & FREQUENCY) < ((cells[least] as number) & FREQUENCY)) least = at
    }
    const last = first + CELLS - 1
    for (let at = least; at < last; at++) cells[at] = cells[at + 1] as number
    cells[last] = ((hash >>> 16) & TAG) | (rejected ? REJECTED : 0) | frequency
  }

  /** Halves the frequencies of the cells from `start` to `end`; those that come to nothing are forgotten. */
  halve(start: number, end: number): void {
    const cells = this.cells
    const stop = Math.min(end, cells.length)
    for (let at = start; at < stop; at++) {
      const cell = cells[at] as number
      const frequency = (cell & FREQUENCY) >> 1
      cells[at] = frequency === 0 ? 0 : (cell & ~FREQUENCY) | frequency
    }
  }
}
