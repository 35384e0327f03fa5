const ROWS = 4
const BLOCK = 16
const HALF = 0x77777777

/**
 * About how often a hash was seen lately, from 0 to 15: a count-min sketch of 4-bit counters, four to a hash and all in one
 * cache line, halved after ten times as many additions as it has entries. From TinyLFU: Gil Einziger, Roy Friedman and Ben Manes,
 * "TinyLFU: A Highly Efficient Cache Admission Policy", ACM Transactions on Storage 13(4), 2017.
 */
export class FrequencySketch {
  private counters: Int32Array = new Int32Array(BLOCK)
  private blockMask = 0
  private additions = 0
  private sample = 10

  /** Makes room for `entries`; what was counted is forgotten when the sketch grows. */
  grow(entries: number): void {
    let length = BLOCK
    while (length < entries * 2) length *= 2
    this.sample = entries * 10
    if (length <= this.counters.length) return
    this.counters = new Int32Array(length)
    this.blockMask = length / BLOCK - 1
    this.additions = 0
  }

  clear(): void {
    this.counters = new Int32Array(BLOCK)
    this.blockMask = 0
    this.additions = 0
  }

  frequency(hash: number): number {
    const block = (hash & this.blockMask) * BLOCK
    const spread = Math.imul(hash ^ (hash >>> 15), 0x735a2d97)
    let least = 15
    for (let row = 0; row < ROWS; row++) {
      const bits = spread >>> (row * 8)
      const word = this.counters[block + row * 4 + (bits & 3)] as number
      least = Math.min(least, (word >>> (((bits >>> 2) & 7) << 2)) & 15)
    }
    return least
  }

  add(hash: number): void {
    const block = (hash & this.blockMask) * BLOCK
    const spread = Math.imul(hash ^ (hash >>> 15), 0x735a2d97)
    let added = false
    for (let row = 0; row < ROWS; row++) {
      const bits = spread >>> (row * 8)
      const at = block + row * 4 + (bits & 3)
      const shift = ((bits >>> 2) & 7) << 2
      const word = this.counters[at] as number
      if (((word >>> shift) & 15) === 15) continue
      this.counters[at] = word + (1 << shift)
      added = true
    }
    if (added && ++this.additions >= this.sample) this.halve()
  }

  private halve(): void {
    const counters = this.counters
    for (let i = 0; i < counters.length; i++) counters[i] = ((counters[i] as number) >>> 1) & HALF
    this.additions >>>= 1
  }
}
