/** Only characters within this distance from the start or the end of a key are considered. */
const maxDistance = 32
/** More characters would cost more than a hash of a whole short key. */
const maxPositions = 8
/** A position with less information is not used: nearly all keys have the same character there. */
const minBits = 0.05
/** The factor for positions counted from the same end as the first: one from the other end may be the same character. */
const sameSideBonus = 1.5

/**
 * Positions at which the keys of one cache differ: the digits in `user:1042:profile`. Reading a character costs a
 * nanosecond, so a look-up that reads only these is as fast for a long key as for a short one. A position of 0 or more
 * counts from the start, a negative one from the end.
 */
export type KeyPattern = Int8Array

/** The largest sample of keys: a byte can number them. */
export const maxSamples = 256

/**
 * The fewest positions that, with the length, carry `bits` of information about keys like these, or all that carry any.
 * The keys must be distinct and at most `maxSamples`. The caller checks whether the pattern distinguishes them.
 *
 * The information of a position is the entropy of its character, given the length and the chosen character that says most
 * about it. Keys in which it is itself a chosen character count as one value (in a key of three characters, the first from
 * the start is the third from the end). This is a chain of conditional entropies between pairs, after Chow and Liu,
 * "Approximating Discrete Probability Distributions with Dependence Trees" (1968). A few hundred keys cannot show more of
 * the joint distribution; the rest shows later as collisions.
 */
export function learnPattern(keys: readonly string[], bits: number): KeyPattern {
  const counter = new EntropyCounter(keys.length)
  const lengths = numbered(keys, (key) => key.length)
  const candidates = positionsOf(keys).map((position) => new Candidate(position, keys))
  for (const candidate of candidates) candidate.information = counter.entropyGiven(candidate.codes, lengths)
  const chosen: Candidate[] = []
  let known = 0
  while (known < bits && chosen.length < maxPositions) {
    const best = mostInformative(candidates, chosen[0])
    if (best === undefined || !(best.information > minBits)) break
    chosen.push(best)
    known += best.information
    const classes = numbered(keys, (_key, i) => ((best.codes[i] as number) << 8) | (lengths[i] as number))
    best.information = 0
    for (const candidate of candidates) {
      if (candidate.information <= minBits) continue
      candidate.exclude(keys, best.position)
      candidate.information = Math.min(candidate.information, counter.entropyGiven(candidate.codes, classes))
    }
  }
  return Int8Array.from(chosen.map(({ position }) => position).sort((a, b) => a - b))
}

/** A position that can be chosen. */
class Candidate {
  readonly position: number
  /** A number for the character of each key at the position; 0 if it is a chosen one, counted from the other end. */
  readonly codes: Uint8Array
  /** The bits of information that it adds to the chosen positions. */
  information = 0

  constructor(position: number, keys: readonly string[]) {
    this.position = position
    this.codes = numbered(keys, (key) => codeAt(key, position))
  }

  exclude(keys: readonly string[], chosen: number): void {
    // Two positions from the same end are never the same character.
    if (chosen < 0 === this.position < 0) return
    for (let i = 0; i < keys.length; i += 1) {
      const key = keys[i] as string
      if (indexOf(key, chosen) === indexOf(key, this.position)) this.codes[i] = 0
    }
  }
}

/** Computes entropies. Its arrays are allocated once, because hundreds of distributions are computed. */
class EntropyCounter {
  readonly #pairCounts = new Uint16Array(65_536)
  readonly #classCounts = new Uint16Array(256)
  /** The nth key of a class adds the nth term to the sum of n log2 n. */
  readonly #terms: Float64Array

  constructor(keys: number) {
    this.#terms = Float64Array.from({ length: keys + 1 }, (_, n) => xlog2x(n) - xlog2x(n - 1))
  }

  /** The conditional entropy of the codes, given the classes, in bits. */
  entropyGiven(codes: Uint8Array, classes: Uint8Array): number {
    const pairCounts = this.#pairCounts
    const classCounts = this.#classCounts
    const terms = this.#terms
    let sum = 0
    for (let i = 0; i < codes.length; i += 1) {
      const oneClass = classes[i] as number
      const both = ((codes[i] as number) << 8) | oneClass
      classCounts[oneClass] = (classCounts[oneClass] as number) + 1
      pairCounts[both] = (pairCounts[both] as number) + 1
      sum += (terms[classCounts[oneClass] as number] as number) - (terms[pairCounts[both] as number] as number)
    }
    for (let i = 0; i < codes.length; i += 1) {
      const oneClass = classes[i] as number
      classCounts[oneClass] = 0
      pairCounts[((codes[i] as number) << 8) | oneClass] = 0
    }
    return sum / codes.length
  }
}

function xlog2x(n: number): number {
  return n < 2 ? 0 : n * Math.log2(n)
}

/** The result of the function for each key, replaced by a number: equal results get one number, in order of appearance. */
function numbered(keys: readonly string[], of: (key: string, index: number) => number): Uint8Array {
  const numbers = new Map<number, number>()
  return Uint8Array.from(keys, (key, i) => {
    const result = of(key, i)
    const known = numbers.get(result)
    if (known !== undefined) return known
    numbers.set(result, numbers.size)
    return numbers.size - 1
  })
}

/** Positions from the start, and from the end if keys differ in length or exceed `maxDistance`. */
function positionsOf(keys: readonly string[]): number[] {
  const length = keys[0]?.length ?? 0
  const behind = keys.every((key) => key.length === length)
    ? Math.max(0, Math.min(maxDistance, length - maxDistance))
    : maxDistance
  return Array.from({ length: maxDistance + behind }, (_, i) => (i < maxDistance ? i : maxDistance - i - 1))
}

function mostInformative(candidates: readonly Candidate[], first: Candidate | undefined): Candidate | undefined {
  const rank = ({ position, information }: Candidate): number =>
    first === undefined || position < 0 === first.position < 0 ? information * sameSideBonus : information
  let best: Candidate | undefined
  for (const candidate of candidates) if (best === undefined || rank(candidate) > rank(best)) best = candidate
  return best
}

function indexOf(key: string, position: number): number {
  return position < 0 ? key.length + position : position
}

function codeAt(key: string, position: number): number {
  const at = indexOf(key, position)
  return at >= 0 && at < key.length ? key.charCodeAt(at) : 0
}
