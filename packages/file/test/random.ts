/** A seeded source of random numbers (mulberry32, Tommy Ettinger): a failing run can be repeated with its seed. */
export interface Random {
  readonly seed: number
  /** A number from 0 up to but not including 1. */
  next(): number
  /** A whole number from 0 up to but not including `end`. */
  below(end: number): number
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return { seed, next, below: (end) => Math.floor(next() * end) }
}

/** The seed of this run: the value of the environment variable, else a new one. */
export function seedOf(variable: string): number {
  const given = process.env[variable]
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
}
