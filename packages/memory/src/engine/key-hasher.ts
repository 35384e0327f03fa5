import { type KeyPattern, learnPattern } from './key-pattern.ts'

// The whole code of a look-up is in this file, including the seeded 32-bit hashes: V8 does not fold imported constants,
// which was measured to cost three of nine nanoseconds. The mixing steps are those of MurmurHash3 (Austin Appleby, public
// domain). They spread keys well but do not stop an attacker: `KeyIndex` bounds the cost of collisions.

/** The bits of a pattern beyond those that number the entries: about one key in 500 then collides. */
const spareBits = 9
/** Further bits for each pattern that failed, and the number of failures after which strings are hashed whole. */
const bitsPerStrike = 10
const maxStrikes = 2
/** Strings up to this length are hashed whole. Of longer ones a sample is read until collisions show that it is not enough. */
export const wholeHashLength = 24
/** Characters read at the end of a long string, where keys differ most often. */
const tailLength = 12
/** Characters read from the rest of a long string, at equal distances. */
const spreadCount = 8

// A small integer: V8 stores a larger literal as a double.
const blockFactor = 0xcc9e2d51 | 0
const { imul } = Math
/** Longer than every string: V8 allows at most 2^29 characters. */
const beyondStringLength = 2 ** 30
const doubleView = new Float64Array(1)
const wordView = new Int32Array(doubleView.buffer)

/** A hash function for keys. Immutable: an index that needs another one moves to a new table. */
export class KeyHasher {
  readonly seed: number
  /** The positions that are read; `undefined` before there are enough keys to learn from, and if strings are hashed whole. */
  readonly pattern: KeyPattern | undefined
  /** Whether all characters of every string are read. */
  readonly whole: boolean
  /** The number of entries when the pattern was learned, and the number of patterns that had failed by then. */
  readonly learnedAt: number
  readonly strikes: number
  // The positions are fields, not an array: reading characters is more than half of a look-up.
  // This class has no `#private` names: with them, V8 needs more bytecode for `hash` and inlines less of a hit.
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
  readonly e: number
  readonly f: number
  readonly g: number
  readonly h: number
  readonly count: number
  /** Shorter strings lack some of the positions, and are hashed whole. */
  readonly shortest: number

  constructor(seed: number, pattern: KeyPattern | undefined = undefined, whole = false, learnedAt = 0, strikes = 0) {
    this.seed = seed
    this.pattern = pattern
    this.whole = whole
    this.learnedAt = learnedAt
    this.strikes = strikes
    const first = pattern?.[0] ?? 0
    this.a = first
    this.b = pattern?.[1] ?? first
    this.c = pattern?.[2] ?? first
    this.d = pattern?.[3] ?? first
    this.e = pattern?.[4] ?? first
    this.f = pattern?.[5] ?? first
    this.g = pattern?.[6] ?? first
    this.h = pattern?.[7] ?? first
    this.count = pattern?.length ?? 0
    this.shortest = pattern === undefined ? beyondStringLength : shortestWith(pattern)
  }

  /**
   * The hash of a string or number; 0 for all other keys. `0` and `-0` are the same key, as in a `Map`.
   *
   * The code of a look-up must fit into V8's budget of inlined bytecode, or every hit contains a call. Hence one check of
   * the length for all characters, and `imul` instead of `Math.imul`.
   */
  hash(key: unknown): number {
    if (typeof key !== 'string' || key.length < this.shortest) return hashWhole(this, key)
    const length = key.length
    // Branch-free: a negative position counts from the end.
    const { a, b, c } = this
    const low = key.charCodeAt(a + (length & (a >> 31))) | (key.charCodeAt(b + (length & (b >> 31))) << 16)
    let h = imul(low ^ this.seed, blockFactor)
    h = imul(((h << 13) | (h >>> 19)) ^ (key.charCodeAt(c + (length & (c >> 31))) | (length << 16)), blockFactor)
    if (this.count > 3) h = hashMore(this, key, h)
    return h ^ (h >>> 15)
  }

  /** A hasher for a table that has grown to `entries`, some of whose keys are `sample`. This one if another would not be better. */
  grown(entries: number, sample: readonly string[]): KeyHasher {
    return this.whole || sample.length === 0 ? this : learnHasher(this.seed, entries, sample, 0)
  }

  /** A hasher for keys that collide in this one: another seed, with a new pattern or, after some failures, whole strings. */
  improved(seed: number, entries: number, sample: readonly string[]): KeyHasher {
    // With twice as many keys other positions matter, so the pattern did not fail.
    const strikes = entries >= this.learnedAt * 2 ? 0 : this.strikes + 1
    if (this.whole || strikes > maxStrikes || sample.length === 0) return new KeyHasher(seed, undefined, true)
    return learnHasher(seed, entries, sample, strikes)
  }
}

/** A hasher with a pattern that distinguishes the sample, else one that hashes whole strings. */
function learnHasher(seed: number, entries: number, sample: readonly string[], strikes: number): KeyHasher {
  const bits = Math.log2(entries + 1) + spareBits + strikes * bitsPerStrike
  const learned = new KeyHasher(seed, learnPattern(sample, bits), false, entries, strikes)
  const hashes = new Set(sample.map((key) => learned.hash(key)))
  return hashes.size >= sample.length * (1 - 1 / 64) ? learned : new KeyHasher(seed, undefined, true)
}

/** Continues the hash with the fourth and the fifth position, and the others if there are more. */
function hashMore(hasher: KeyHasher, key: string, start: number): number {
  const length = key.length
  const { d, e, count } = hasher
  const low = key.charCodeAt(d + (length & (d >> 31))) | (key.charCodeAt(e + (length & (e >> 31))) << 16)
  const h = imul(((start << 13) | (start >>> 19)) ^ low, blockFactor)
  return count > 5 ? hashMost(hasher, key, h) : h
}

function hashMost(hasher: KeyHasher, key: string, start: number): number {
  const length = key.length
  const { f, g, h } = hasher
  const low = key.charCodeAt(f + (length & (f >> 31))) | (key.charCodeAt(g + (length & (g >> 31))) << 16)
  const mixed = imul(((start << 13) | (start >>> 19)) ^ low, blockFactor)
  return imul(((mixed << 13) | (mixed >>> 19)) ^ key.charCodeAt(h + (length & (h >> 31))), blockFactor)
}

function hashWhole({ seed, whole }: KeyHasher, key: unknown): number {
  if (typeof key === 'string') return hashString(key, seed, whole)
  return typeof key === 'number' ? hashNumber(key, seed) : 0
}

/** The length of the shortest strings that have a character at each position. */
function shortestWith(pattern: KeyPattern): number {
  return Math.max(1, ...pattern.map((position) => (position < 0 ? -position : position + 1)))
}

/** The finalizer of MurmurHash3: every input bit affects every output bit. */
function mix(word: number): number {
  let h = word
  h = imul(h ^ (h >>> 16), 0x85ebca6b)
  h = imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** The hash of all characters if the string is short or `whole`, else of its length, its end and a sample of the rest. */
function hashString(key: string, seed: number, whole: boolean): number {
  const length = key.length
  if (length > wholeHashLength && !whole) return hashSample(key, seed)
  let h = seed ^ length
  const even = length & ~1
  for (let i = 0; i < even; i += 2) {
    h = imul(((h << 13) | (h >>> 19)) ^ (key.charCodeAt(i) | (key.charCodeAt(i + 1) << 16)), blockFactor)
  }
  if (even !== length) h = imul(((h << 13) | (h >>> 19)) ^ key.charCodeAt(even), blockFactor)
  return mix(h)
}

function hashSample(key: string, seed: number): number {
  const length = key.length
  let h = seed ^ length
  const tail = length - tailLength
  const step = (tail / spreadCount) | 0
  for (let i = 0, at = 0; i < spreadCount; i += 2, at += step + step) {
    h = imul(((h << 13) | (h >>> 19)) ^ (key.charCodeAt(at) | (key.charCodeAt(at + step) << 16)), blockFactor)
  }
  for (let i = tail; i < length; i += 2) {
    h = imul(((h << 13) | (h >>> 19)) ^ (key.charCodeAt(i) | (key.charCodeAt(i + 1) << 16)), blockFactor)
  }
  return mix(h)
}

/** The hash of a number other than NaN. `0` and `-0` are the same key, as in a `Map`. */
function hashNumber(key: number, seed: number): number {
  const word = key | 0
  if (word === key) return mix(word ^ seed)
  doubleView[0] = key
  return mix(imul(mix((wordView[0] as number) ^ seed), blockFactor) ^ (wordView[1] as number))
}
