const word = new Uint32Array(1)

/** An unpredictable number from 0 to 1: a seed must not follow from numbers that `Math.random` returned elsewhere. */
export function secureRandom(): number {
  globalThis.crypto.getRandomValues(word)
  return (word[0] as number) / 2 ** 32
}
