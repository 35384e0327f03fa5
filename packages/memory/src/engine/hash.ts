// Seeded 32-bit hashes of keys. The mixing steps are MurmurHash3's (Austin Appleby, public domain).
// They spread keys well, they are not proof against an attacker on their own: what bounds the cost of collisions is KeyIndex.

/** Strings up to this length are hashed whole; of longer ones only a sample is read until collisions show that it does not tell them apart. */
export const WHOLE_LENGTH = 24
/** How many characters at the end of a long string are always read: keys differ most often there. */
export const TAIL_LENGTH = 12
/** How many characters are read from the rest of a long string, at even distances. */
export const SPREAD_COUNT = 8

const BLOCK = 0xcc9e2d51
const doubleView = new Float64Array(1)
const wordView = new Int32Array(doubleView.buffer)

/** MurmurHash3's finalizer: every input bit reaches every output bit. */
export function mix(word: number): number {
  let h = word
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** Hash of a string: of all characters when it is short or `whole`, else of its length, its end and a spread sample of the rest. */
export function hashString(key: string, seed: number, whole: boolean): number {
  const length = key.length
  if (length > WHOLE_LENGTH && !whole) return hashSample(key, seed)
  let h = seed ^ length
  const even = length & ~1
  for (let i = 0; i < even; i += 2) {
    h = Math.imul(((h << 13) | (h >>> 19)) ^ (key.charCodeAt(i) | (key.charCodeAt(i + 1) << 16)), BLOCK)
  }
  if (even !== length) h = Math.imul(((h << 13) | (h >>> 19)) ^ key.charCodeAt(even), BLOCK)
  return mix(h)
}

function hashSample(key: string, seed: number): number {
  const length = key.length
  let h = seed ^ length
  const tail = length - TAIL_LENGTH
  const step = (tail / SPREAD_COUNT) | 0
  for (let i = 0, at = 0; i < SPREAD_COUNT; i += 2, at += step + step) {
    h = Math.imul(((h << 13) | (h >>> 19)) ^ (key.charCodeAt(at) | (key.charCodeAt(at + step) << 16)), BLOCK)
  }
  for (let i = tail; i < length; i += 2) {
    h = Math.imul(((h << 13) | (h >>> 19)) ^ (key.charCodeAt(i) | (key.charCodeAt(i + 1) << 16)), BLOCK)
  }
  return mix(h)
}

/** Hash of a number other than NaN. `0` and `-0` are the same key, as in a `Map`. */
export function hashNumber(key: number, seed: number): number {
  const word = key | 0
  if (word === key) return mix(word ^ seed)
  doubleView[0] = key
  return mix(Math.imul(mix((wordView[0] as number) ^ seed), BLOCK) ^ (wordView[1] as number))
}
