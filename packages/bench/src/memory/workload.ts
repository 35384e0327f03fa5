/** The same traffic for all candidates, from one fixed seed. */

/** Calls in a round. */
export const OPERATIONS = 262_144
export const LIFETIME = 3_600_000

export const value = { the: 'value' }

/** Numbers from 0 to 1 (mulberry32). */
export function numbersFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The key of an entry, made anew at each call, as a server makes it from a request. */
export function keyOf(entry: number): string {
  return `user:${entry}`
}

/**
 * Key strings that exist already, internalized like literals of a program, which flatters caches built on plain
 * objects.
 */
export function readyKeys(count: number): string[] {
  const names: Record<string, true> = {}
  for (let entry = 0; entry < count; entry += 1) names[keyOf(entry)] = true
  return Object.keys(names)
}

/** Entries drawn evenly. */
export function even(entries: number): Int32Array {
  const random = numbersFrom(1)
  return Int32Array.from({ length: OPERATIONS }, () => Math.floor(random() * entries))
}

/**
 * Draws of a mix that misses: so many that a cache of a hundred thousand entries does not hold all keys that they name.
 */
export const DRAWS: number = 2 ** 21

/** How finely the first step of a draw divides the sums. */
const CUTS = 65_536

/** Entries drawn by Zipf's law with exponent 0.99, the usual one of YCSB, the popular ones spread over the numbers. */
export function zipf(entries: number, length: number = OPERATIONS): Int32Array {
  const random = numbersFrom(2)
  const sums = new Float64Array(entries)
  let total = 0
  for (let rank = 0; rank < entries; rank += 1) {
    total += 1 / (rank + 1) ** 0.99
    sums[rank] = total
  }
  const cuts = new Int32Array(CUTS + 1).fill(entries - 1)
  for (let cut = 0, rank = 0; cut < CUTS; cut += 1) {
    while ((sums[rank] as number) < (cut / CUTS) * total) rank += 1
    cuts[cut] = rank
  }
  return Int32Array.from({ length }, () => {
    const share = random()
    const wanted = share * total
    const cut = Math.floor(share * CUTS)
    let low = cuts[cut] as number
    let high = cuts[cut + 1] as number
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sums[middle] as number) < wanted) low = middle + 1
      else high = middle
    }
    return (low * 7919) % entries
  })
}
