/** How far from the start and from the end of a key its characters are considered. */
const REACH = 32
/** More characters than this cost more than hashing a short key whole. */
const MOST_POSITIONS = 8
/** A position that adds less than so many bits tells nothing: nearly all keys have the same character there. */
const LEAST_BITS = 0.05
/** How much more a position must tell that is counted from the other side than the first one: in some keys it is one of those. */
const OTHER_SIDE = 1.5

/**
 * Positions at which the keys of one cache differ: `user:1042:profile` is known by its digits. Reading a character costs a
 * nanosecond, so reading only those that matter is what makes a look-up with a long key as fast as with a short one. A
 * position of 0 or more counts from the start, a negative one from the end.
 */
export type KeyPattern = Int8Array

/** The most keys that are learned from: so many that each can be numbered by a byte. */
export const MOST_SAMPLES = 256

/**
 * The fewest positions that, beside the length, carry `bits` of information about keys like these, or all that carry any. The
 * keys are distinct and at most `MOST_SAMPLES`; whether the pattern tells them apart is for the caller to see.
 *
 * A position is worth the entropy of its character, given the length and whichever of the chosen characters says most about it, among
 * the keys in which it is not a chosen character itself (in a key of three, the first from the start is the third from the end).
 * A chain of conditional entropies between pairs, after Chow and Liu, "Approximating Discrete Probability Distributions with
 * Dependence Trees" (1968): some hundred keys cannot tell more of a joint distribution, and what they hide shows as collisions.
 */
export function learnPattern(keys: readonly string[], bits: number): KeyPattern {
  const spread = new Spread(keys.length)
  const lengths = numbered(keys, (key) => key.length)
  const candidates = positionsOf(keys).map((position) => new Candidate(position, keys))
  for (const candidate of candidates) candidate.worth = spread.entropyGiven(candidate.codes, lengths)
  const chosen: Candidate[] = []
  let known = 0
  while (known < bits && chosen.length < MOST_POSITIONS) {
    const best = mostWorth(candidates, chosen[0])
    if (best === undefined || !(best.worth > LEAST_BITS)) break
    chosen.push(best)
    known += best.worth
    const told = numbered(keys, (_key, i) => ((best.codes[i] as number) << 8) | (lengths[i] as number))
    best.worth = 0
    for (const candidate of candidates) {
      if (candidate.worth <= LEAST_BITS) continue
      candidate.leaveOut(keys, best.position)
      candidate.worth = Math.min(candidate.worth, spread.entropyGiven(candidate.codes, told))
    }
  }
  return Int8Array.from(chosen.map(({ position }) => position).sort((a, b) => a - b))
}

/** A position that may be chosen. */
class Candidate {
  readonly position: number
  /** A number for the character of each key there; 0 where it was chosen already, counted from the other side. */
  readonly codes: Uint8Array
  /** Bits of information that are known of it, given the chosen ones. */
  worth = 0

  constructor(position: number, keys: readonly string[]) {
    this.position = position
    this.codes = numbered(keys, (key) => codeAt(key, position))
  }

  leaveOut(keys: readonly string[], chosen: number): void {
    // From the same side they are never the same character.
    if (chosen < 0 === this.position < 0) return
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string
      if (indexOf(key, chosen) === indexOf(key, this.position)) this.codes[i] = 0
    }
  }
}

/** Counts how values are spread over the keys. Its arrays are made once, since some hundred distributions are looked at. */
class Spread {
  private readonly pairs = new Uint16Array(65_536)
  private readonly alone = new Uint16Array(256)
  /** What the nth key of a class adds to the sum of n log2 n. */
  private readonly terms: Float64Array

  constructor(keys: number) {
    this.terms = Float64Array.from({ length: keys + 1 }, (_, n) => xlog2x(n) - xlog2x(n - 1))
  }

  /** Bits of information in the codes for somebody who knows the classes. */
  entropyGiven(codes: Uint8Array, classes: Uint8Array): number {
    const { pairs, alone, terms } = this
    let sum = 0
    for (let i = 0; i < codes.length; i++) {
      const one = classes[i] as number
      const both = ((codes[i] as number) << 8) | one
      alone[one] = (alone[one] as number) + 1
      pairs[both] = (pairs[both] as number) + 1
      sum += (terms[alone[one] as number] as number) - (terms[pairs[both] as number] as number)
    }
    for (let i = 0; i < codes.length; i++) {
      const one = classes[i] as number
      alone[one] = 0
      pairs[((codes[i] as number) << 8) | one] = 0
    }
    return sum / codes.length
  }
}

function xlog2x(n: number): number {
  return n < 2 ? 0 : n * Math.log2(n)
}

/** What the function makes of each key, equal results numbered alike in the order of their first appearance. */
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

/** From the start, and from the end where keys differ in length or are longer than what is considered from the start. */
function positionsOf(keys: readonly string[]): number[] {
  const length = keys[0]?.length ?? 0
  const behind = keys.every((key) => key.length === length) ? Math.max(0, Math.min(REACH, length - REACH)) : REACH
  return Array.from({ length: REACH + behind }, (_, i) => (i < REACH ? i : REACH - i - 1))
}

function mostWorth(candidates: readonly Candidate[], first: Candidate | undefined): Candidate | undefined {
  const rank = ({ position, worth }: Candidate): number =>
    first === undefined || position < 0 === first.position < 0 ? worth * OTHER_SIDE : worth
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
