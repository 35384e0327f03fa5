import { type KeyPattern, learnPattern } from './key-pattern.ts'

// Everything that a look-up runs stands in this one file, the seeded 32-bit hashes too: V8 does not fold what comes through an import,
// which was measured to cost three of nine nanoseconds. The mixing steps are MurmurHash3's (Austin Appleby, public domain). They spread
// keys well, they are not proof against an attacker on their own: what bounds the cost of collisions is KeyIndex.

/** Bits that a pattern shall carry beyond those that number the entries: about one key in 500 meets another then. */
const SPARE_BITS = 9
/** What is asked for in addition after each pattern that was not good enough, and how often that is tried. */
const MORE_BITS = 10
const MOST_STRIKES = 2
/** Strings up to this length are hashed whole; of longer ones only a sample is read until collisions show that it does not tell them apart. */
export const WHOLE_LENGTH = 24
/** How many characters at the end of a long string are always read: keys differ most often there. */
const TAIL_LENGTH = 12
/** How many characters are read from the rest of a long string, at even distances. */
const SPREAD_COUNT = 8

// As a small integer: V8 keeps a larger literal as a double.
const BLOCK = 0xcc9e2d51 | 0
const { imul } = Math
/** No string is as long: V8 holds 2^29 characters at most. */
const LONGER_THAN_STRINGS = 2 ** 30
const doubleView = new Float64Array(1)
const wordView = new Int32Array(doubleView.buffer)

/** One way to hash keys. Immutable: an index that wants another way moves to a new table. */
export class KeyHasher {
  readonly seed: number
  /** The characters that are read; null before there were enough keys to learn from, and when strings are hashed whole. */
  readonly pattern: KeyPattern | null
  /** All characters of every string are read. */
  readonly whole: boolean
  /** How many entries there were when the pattern was learned, and how many patterns had failed by then. */
  readonly learnedAt: number
  readonly strikes: number
  // The first positions of the pattern are fields, not an array: reading characters is the better half of a look-up's time.
  private readonly a: number
  private readonly b: number
  private readonly c: number
  private readonly d: number
  private readonly e: number
  private readonly f: number
  private readonly g: number
  private readonly h: number
  private readonly count: number
  /** Shorter strings do not have all the positions of the pattern, and are hashed whole. */
  private readonly shortest: number

  constructor(seed: number, pattern: KeyPattern | null = null, whole = false, learnedAt = 0, strikes = 0) {
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
    this.shortest = pattern === null ? LONGER_THAN_STRINGS : shortestWith(pattern)
  }

  /**
   * Hash of a string or number; 0 for all other keys. `0` and `-0` are the same key, as in a `Map`.
   *
   * All that a look-up runs has to fit into V8's budget of inlined bytecode, or a call is left in every hit: hence one check of
   * the length for all characters, and `imul` by itself.
   */
  hash(key: unknown): number {
    if (typeof key !== 'string' || key.length < this.shortest) return this.hashWhole(key)
    const length = key.length
    // Branch-free: a negative position counts from the end.
    const { a, b, c } = this
    const low = key.charCodeAt(a + (length & (a >> 31))) | (key.charCodeAt(b + (length & (b >> 31))) << 16)
    let h = imul(low ^ this.seed, BLOCK)
    h = imul(((h << 13) | (h >>> 19)) ^ (key.charCodeAt(c + (length & (c >> 31))) | (length << 16)), BLOCK)
    if (this.count > 3) h = this.hashMore(key, h)
    return h ^ (h >>> 15)
  }

  private hashWhole(key: unknown): number {
    if (typeof key === 'string') return hashString(key, this.seed, this.whole)
    return typeof key === 'number' ? hashNumber(key, this.seed) : 0
  }

  /** A hasher for a table that has grown to `entries`, of which `sample` are some keys. This one, where nothing is to be gained. */
  grown(entries: number, sample: readonly string[]): KeyHasher {
    return this.whole || sample.length === 0 ? this : this.learn(this.seed, entries, sample, 0)
  }

  /** A hasher for keys that this one does not tell apart: a pattern learned anew, in the end whole strings, and always another seed. */
  improved(seed: number, entries: number, sample: readonly string[]): KeyHasher {
    // Among twice as many keys, other positions matter: that is no failure of the pattern.
    const strikes = entries >= this.learnedAt * 2 ? 0 : this.strikes + 1
    if (this.whole || strikes > MOST_STRIKES || sample.length === 0) return new KeyHasher(seed, null, true)
    return this.learn(seed, entries, sample, strikes)
  }

  private learn(seed: number, entries: number, sample: readonly string[], strikes: number): KeyHasher {
    const bits = Math.log2(entries + 1) + SPARE_BITS + strikes * MORE_BITS
    const learned = new KeyHasher(seed, learnPattern(sample, bits), false, entries, strikes)
    const hashes = new Set(sample.map((key) => learned.hash(key)))
    return hashes.size >= sample.length * (1 - 1 / 64) ? learned : new KeyHasher(seed, null, true)
  }

  private hashMore(key: string, start: number): number {
    const length = key.length
    const { d, e } = this
    const low = key.charCodeAt(d + (length & (d >> 31))) | (key.charCodeAt(e + (length & (e >> 31))) << 16)
    const h = imul(((start << 13) | (start >>> 19)) ^ low, BLOCK)
    return this.count > 5 ? this.hashMost(key, h) : h
  }

  private hashMost(key: string, start: number): number {
    const length = key.length
    const { f, g, h } = this
    const low = key.charCodeAt(f + (length & (f >> 31))) | (key.charCodeAt(g + (length & (g >> 31))) << 16)
    const mixed = imul(((start << 13) | (start >>> 19)) ^ low, BLOCK)
    return imul(((mixed << 13) | (mixed >>> 19)) ^ key.charCodeAt(h + (length & (h >> 31))), BLOCK)
  }
}

/** How long a string must be to have a character at each of the positions. */
function shortestWith(pattern: KeyPattern): number {
  return Math.max(1, ...pattern.map((position) => (position < 0 ? -position : position + 1)))
}

/** MurmurHash3's finalizer: every input bit reaches every output bit. */
function mix(word: number): number {
  let h = word
  h = imul(h ^ (h >>> 16), 0x85ebca6b)
  h = imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** Hash of a string: of all characters when it is short or `whole`, else of its length, its end and a spread sample of the rest. */
function hashString(key: string, seed: number, whole: boolean): number {
  const length = key.length
  if (length > WHOLE_LENGTH && !whole) return hashSample(key, seed)
  let h = seed ^ length
  const even = length & ~1
  for (let i = 0; i < even; i += 2) {
    h = imul(((h << 13) | (h >>> 19)) ^ (key.charCodeAt(i) | (key.charCodeAt(i + 1) << 16)), BLOCK)
  }
  if (even !== length) h = imul(((h << 13) | (h >>> 19)) ^ key.charCodeAt(even), BLOCK)
  return mix(h)
}

function hashSample(key: string, seed: number): number {
  const length = key.length
  let h = seed ^ length
  const tail = length - TAIL_LENGTH
  const step = (tail / SPREAD_COUNT) | 0
  for (let i = 0, at = 0; i < SPREAD_COUNT; i += 2, at += step + step) {
    h = imul(((h << 13) | (h >>> 19)) ^ (key.charCodeAt(at) | (key.charCodeAt(at + step) << 16)), BLOCK)
  }
  for (let i = tail; i < length; i += 2) {
    h = imul(((h << 13) | (h >>> 19)) ^ (key.charCodeAt(i) | (key.charCodeAt(i + 1) << 16)), BLOCK)
  }
  return mix(h)
}

/** Hash of a number other than NaN. `0` and `-0` are the same key, as in a `Map`. */
function hashNumber(key: number, seed: number): number {
  const word = key | 0
  if (word === key) return mix(word ^ seed)
  doubleView[0] = key
  return mix(imul(mix((wordView[0] as number) ^ seed), BLOCK) ^ (wordView[1] as number))
}
