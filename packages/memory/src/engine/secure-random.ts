const word = new Uint32Array(1)

/** A number from 0 to 1 that nobody can predict from others: seeds must not be guessed from what `Math.random` gave elsewhere. */
export function secureRandom(): number {
  globalThis.crypto.getRandomValues(word)
  return (word[0] as number) / 2 ** 32
}
