const cellsPerBucket = 4
const frequencyMask = 0x0f
const rejectedBit = 0x10
const tagMask = 0xffe0
const cellsPerEntry = 2

/** The remembered facts about an evicted key. */
export interface Ghost {
  frequency: number
  /** Whether it was evicted from the window, not from the main part. */
  rejected: boolean
  /** Whether it was evicted lately: roughly among as many last evictions as half of the entries of the cache. */
  recent: boolean
}

/**
 * Remembers the frequencies of evicted keys, in buckets of four 16-bit cells. A cell has an 11-bit tag of the hash, a bit
 * for the part that evicted the key, and a 4-bit frequency. With four bytes per entry of the cache it remembers twice as
 * many keys as the cache holds. Two keys may have one tag: then one inherits the frequency of the other, which costs a
 * little accuracy.
 */
export class GhostTable {
  /** The result of the last `take`. Always the same object, so that an insert allocates nothing. */
  readonly found: Ghost = { frequency: 0, rejected: false, recent: false }
  #cells: Uint16Array = new Uint16Array(cellsPerBucket)
  #bucketMask = 0

  get length(): number {
    return this.#cells.length
  }

  /** Makes room for a cache of `entries`. Growth keeps all keys: with a limit in bytes, a full cache still grows. */
  grow(entries: number): void {
    let buckets = 1
    while (buckets * cellsPerBucket < entries * cellsPerEntry) buckets *= 2
    const before = this.#cells
    const length = buckets * cellsPerBucket
    if (length <= before.length) return
    const cells = new Uint16Array(length)
    // A cell does not tell which copy of its bucket the hash belongs to now, so all get it. Wrong copies leave as the oldest.
    for (let start = 0; start < length; start += before.length) cells.set(before, start)
    this.#cells = cells
    this.#bucketMask = buckets - 1
  }

  clear(): void {
    this.#cells = new Uint16Array(cellsPerBucket)
    this.#bucketMask = 0
  }

  /** Moves the cell of the hash into `found`. Returns whether there was one. */
  take(hash: number): boolean {
    const cells = this.#cells
    const first = (hash & this.#bucketMask) * cellsPerBucket
    const tag = (hash >>> 16) & tagMask
    for (let at = first + cellsPerBucket - 1; at >= first; at -= 1) {
      const cell = cells[at] as number
      if (cell === 0 || (cell & tagMask) !== tag) continue
      this.found.frequency = cell & frequencyMask
      this.found.rejected = (cell & rejectedBit) !== 0
      // Cells of a bucket are in the order of arrival. On average a bucket gets one per half as many evictions as there are entries.
      this.found.recent = at === first + cellsPerBucket - 1
      for (let hole = at; hole > first; hole -= 1) cells[hole] = cells[hole - 1] as number
      cells[first] = 0
      return true
    }
    return false
  }

  /** Remembers a key instead of the least frequent of its bucket, of equals the oldest. */
  add(hash: number, frequency: number, rejected: boolean): void {
    const cells = this.#cells
    const first = (hash & this.#bucketMask) * cellsPerBucket
    let least = first
    for (let at = first + 1; at < first + cellsPerBucket; at += 1) {
      if (((cells[at] as number) & frequencyMask) < ((cells[least] as number) & frequencyMask)) least = at
    }
    const last = first + cellsPerBucket - 1
    for (let at = least; at < last; at += 1) cells[at] = cells[at + 1] as number
    cells[last] = ((hash >>> 16) & tagMask) | (rejected ? rejectedBit : 0) | frequency
  }

  /** Halves the frequencies of the cells from `start` to `end`. Keys with frequency 0 are forgotten. */
  halve(start: number, end: number): void {
    const cells = this.#cells
    const stop = Math.min(end, cells.length)
    for (let at = start; at < stop; at += 1) {
      const cell = cells[at] as number
      const frequency = (cell & frequencyMask) >> 1
      cells[at] = frequency === 0 ? 0 : (cell & ~frequencyMask) | frequency
    }
  }
}
