/** How far from the start and from the end of a key its characters are considered. */
const REACH = 32
/** More characters than this cost more than hashing a short key whole. */
const MOST_POSITIONS = 8
/** A position at which nearly all keys have the same character tells nothing. */
const LEAST_ENTROPY = 0.05

/**
 * Positions at which the keys of one cache differ: `user:1042:profile` is known by its digits. Reading a character costs a
 * nanosecond, so reading only those that matter is what makes a look-up with a long key as fast as with a short one. A
 * position of 0 or more counts from the start, a negative one from the end.
 */
export type KeyPattern = Int8Array

/**
 * The fewest positions that carry `bits` of information about keys like these, or all that carry any. The keys are distinct; whether
 * the pattern tells them apart is for the caller to see.
 */
export function learnPattern(keys: readonly string[], bits: number): KeyPattern {
  const sameLength = keys.every((key) => key.length === keys[0]?.length)
  const candidates: { position: number; entropy: number }[] = []
  for (let position = sameLength ? 0 : -REACH; position < REACH; position++) {
    const entropy = entropyAt(keys, position)
    if (entropy > LEAST_ENTROPY) candidates.push({ position, entropy })
  }
  // In keys of one length, what lies behind the reach from the start is named from the end.
  if (sameLength && (keys[0]?.length ?? 0) > REACH) {
    const length = keys[0]?.length ?? 0
    for (let position = -Math.min(REACH, length - REACH); position < 0; position++) {
      const entropy = entropyAt(keys, position)
      if (entropy > LEAST_ENTROPY) candidates.push({ position, entropy })
    }
  }
  return chooseFrom(candidates, keys, bits)
}

function chooseFrom(
  candidates: { position: number; entropy: number }[],
  keys: readonly string[],
  bits: number,
): KeyPattern {
  const chosen: number[] = []
  let known = 0
  while (known < bits && chosen.length < MOST_POSITIONS) {
    let best = -1
    let gain = LEAST_ENTROPY
    for (const { position, entropy } of candidates) {
      const added = entropy * freshShare(keys, position, chosen)
      if (added > gain) {
        best = position
        gain = added
      }
    }
    if (gain === LEAST_ENTROPY) break
    chosen.push(best)
    known += gain
  }
  return Int8Array.from(chosen.sort((a, b) => a - b))
}

function indexOf(key: string, position: number): number {
  return position < 0 ? key.length + position : position
}

/** The share of the keys in which no chosen position names the same character already. */
function freshShare(keys: readonly string[], position: number, chosen: readonly number[]): number {
  let fresh = 0
  for (const key of keys) {
    const at = indexOf(key, position)
    if (!chosen.some((other) => indexOf(key, other) === at)) fresh++
  }
  return fresh / keys.length
}

/** Bits of information in the character at the position. */
function entropyAt(keys: readonly string[], position: number): number {
  const counts = new Map<number, number>()
  for (const key of keys) {
    const at = indexOf(key, position)
    const code = at >= 0 && at < key.length ? key.charCodeAt(at) : 0
    counts.set(code, (counts.get(code) ?? 0) + 1)
  }
  let entropy = 0
  for (const count of counts.values()) entropy -= (count / keys.length) * Math.log2(count / keys.length)
  return entropy
}
