const rowCount = 4
const blockWords = 16
const halvedMask = 0x77777777

/**
 * Estimates how often a hash was added lately, from 0 to 15: a count-min sketch with four 4-bit counters per hash in one
 * cache line. All counters are halved after ten times as many additions as there are entries. From TinyLFU: Gil Einziger,
 * Roy Friedman and Ben Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM Transactions on Storage 13(4), 2017.
 */
export class FrequencySketch {
  #counters: Int32Array = new Int32Array(blockWords)
  #blockMask = 0
  #additions = 0
  #sample = 10

  /** Makes room for `entries`. Growth resets all counters. */
  grow(entries: number): void {
    let length = blockWords
    while (length < entries * 2) length *= 2
    this.#sample = entries * 10
    if (length <= this.#counters.length) return
    this.#counters = new Int32Array(length)
    this.#blockMask = length / blockWords - 1
    this.#additions = 0
  }

  clear(): void {
    this.#counters = new Int32Array(blockWords)
    this.#blockMask = 0
    this.#additions = 0
  }

  frequency(hash: number): number {
    const block = (hash & this.#blockMask) * blockWords
    const spread = Math.imul(hash ^ (hash >>> 15), 0x735a2d97)
    let least = 15
    for (let row = 0; row < rowCount; row += 1) {
      const bits = spread >>> (row * 8)
      const word = this.#counters[block + row * 4 + (bits & 3)] as number
      least = Math.min(least, (word >>> (((bits >>> 2) & 7) << 2)) & 15)
    }
    return least
  }

  add(hash: number): void {
    const block = (hash & this.#blockMask) * blockWords
    const spread = Math.imul(hash ^ (hash >>> 15), 0x735a2d97)
    let added = false
    for (let row = 0; row < rowCount; row += 1) {
      const bits = spread >>> (row * 8)
      const at = block + row * 4 + (bits & 3)
      const shift = ((bits >>> 2) & 7) << 2
      const word = this.#counters[at] as number
      if (((word >>> shift) & 15) === 15) continue
      this.#counters[at] = word + (1 << shift)
      added = true
    }
    if (!added) return
    this.#additions += 1
    if (this.#additions >= this.#sample) this.#halve()
  }

  #halve(): void {
    const counters = this.#counters
    for (let i = 0; i < counters.length; i += 1) counters[i] = ((counters[i] as number) >>> 1) & halvedMask
    this.#additions >>>= 1
  }
}
