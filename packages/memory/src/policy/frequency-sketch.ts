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

  /** Makes room for `entries`. Growth keeps all counts: keys counted while a cache fills compete when it is full. */
  grow(entries: number): void {
    let length = blockWords
    while (length < entries * 2) length *= 2
    this.#sample = entries * 10
    const before = this.#counters
    if (length <= before.length) return
    const counters = new Int32Array(length)
    // A hash has the same low bits of its block number as before, so every copy of a block is where its hashes look now.
    for (let start = 0; start < length; start += before.length) counters.set(before, start)
    this.#counters = counters
    this.#blockMask = length / blockWords - 1
  }

  clear(): void {
    this.#counters = new Int32Array(blockWords)
    this.#blockMask = 0
    this.#additions = 0
  }

  frequency(hash: number): number {
    const block = (hash & this.#blockMask) * blockWords
    const spread = spreadOf(hash)
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
    const spread = spreadOf(hash)
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

  /** Makes the frequency of the hash at least `count`, without an addition. */
  raise(hash: number, count: number): void {
    const block = (hash & this.#blockMask) * blockWords
    const spread = spreadOf(hash)
    for (let row = 0; row < rowCount; row += 1) {
      const bits = spread >>> (row * 8)
      const at = block + row * 4 + (bits & 3)
      const shift = ((bits >>> 2) & 7) << 2
      const word = this.#counters[at] as number
      const missing = count - ((word >>> shift) & 15)
      if (missing > 0) this.#counters[at] = word + (missing << shift)
    }
  }

  #halve(): void {
    const counters = this.#counters
    for (let i = 0; i < counters.length; i += 1) counters[i] = ((counters[i] as number) >>> 1) & halvedMask
    this.#additions >>>= 1
  }
}

/**
 * The finalizer of MurmurHash3 (Austin Appleby, public domain): every bit of the hash affects every bit of the result. The
 * hashes of a block have equal low bits, and a product alone would carry these into equal counters.
 */
function spreadOf(hash: number): number {
  let spread = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  spread = Math.imul(spread ^ (spread >>> 13), 0xc2b2ae35)
  return spread ^ (spread >>> 16)
}
