/** The seed of this run: `TEST_SEED`, or a random one. It is printed, so that a failure can be repeated. */
export function testSeed(title: string): number {
  const seed = process.env.TEST_SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(process.env.TEST_SEED)
  console.log(`${title}: TEST_SEED=${seed}`)
  return seed
}

/** A source of numbers from 0 to 1, equal for equal seeds (mulberry32). */
export function numbersFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
