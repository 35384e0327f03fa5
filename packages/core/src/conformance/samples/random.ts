/** A seeded generator of numbers: the same seed repeats a run exactly. */
export interface Random {
  /** A whole number from 0 to below `n`. */
  below(n: number): number
  /** One element of a list that is not empty. */
  pick<Value>(list: readonly Value[]): Value
}

/** Mulberry32 by Tommy Ettinger: 32 bits of state, enough to choose calls. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (n: number): number => Math.floor(next() * n)
  return { below, pick: (list) => list[below(list.length)] as never }
}
