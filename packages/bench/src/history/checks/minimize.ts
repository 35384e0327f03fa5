import type { KeyCall } from './key-call.ts'

/**
 * A smaller set of calls that is still broken. Only calls whose absence proves nothing are left out: reads, and calls
 * that ended after the failure, which become calls without an answer. A change stays, because another call may depend
 * on it; it loses its answer where the failure does not need it.
 */
export function minimize(
  calls: readonly KeyCall[],
  isBroken: (calls: readonly KeyCall[]) => boolean,
): readonly KeyCall[] {
  return withoutUnseen(withoutReads(shortestPrefix(calls, isBroken), isBroken), isBroken)
}

/** The calls up to the earliest completion that no order explains. */
function shortestPrefix(calls: readonly KeyCall[], isBroken: (calls: readonly KeyCall[]) => boolean): KeyCall[] {
  const ends = [...new Set(calls.filter(({ isOpen }) => !isOpen).map(({ end }) => end))].sort((a, b) => a - b)
  let low = 0
  let high = ends.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (isBroken(until(calls, ends[middle] as number))) high = middle
    else low = middle + 1
  }
  const prefix = until(calls, ends[low] as number)
  return isBroken(prefix) ? prefix : [...calls]
}

/** The history at the instant `end`: later calls have not begun, and calls under way have no answer yet. */
function until(calls: readonly KeyCall[], end: number): KeyCall[] {
  const prefix: KeyCall[] = []
  for (const one of calls) {
    if (one.start > end) continue
    const cut = one.end <= end ? one : withoutAnswer(one)
    if (cut !== undefined) prefix.push(cut)
  }
  return prefix
}

/** `undefined` for a read, which has no effect without its answer. */
function withoutAnswer(one: KeyCall): KeyCall | undefined {
  if (one.isOpen) return one
  const { act } = one
  const open = { ...one, isOpen: true, end: Infinity }
  switch (act.type) {
    case 'read':
    case 'has':
      return undefined
    case 'remove':
      return { ...open, act: { ...act, had: undefined } }
    case 'writeIf':
      return act.held === false ? undefined : { ...open, act: { ...act, held: undefined } }
    case 'take':
      return act.value === null ? undefined : { ...open, act: { ...act, value: undefined } }
    case 'count':
      return { ...open, act: { ...act, sum: undefined } }
    default:
      return open
  }
}

/** Leaves out reads, in halves first and then one by one. */
function withoutReads(calls: readonly KeyCall[], isBroken: (calls: readonly KeyCall[]) => boolean): KeyCall[] {
  const reads = new Set(calls.filter((one) => withoutAnswer(one) === undefined))
  let kept = [...calls]
  for (let size = Math.ceil(reads.size / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    const all = kept.filter((one) => reads.has(one))
    for (let from = 0; from < all.length; from += size) {
      const chunk = new Set(all.slice(from, from + size))
      const fewer = kept.filter((one) => !chunk.has(one))
      if (isBroken(fewer)) kept = fewer
    }
  }
  return kept
}

/** Leaves out changes without an answer whose absence leaves the failure. */
function withoutUnseen(calls: readonly KeyCall[], isBroken: (calls: readonly KeyCall[]) => boolean): KeyCall[] {
  let kept = [...calls]
  for (const one of calls) {
    if (!one.isOpen) continue
    // Without its answer, a call may have had no effect: leaving it out is one of the allowed outcomes, but not the
    // only one. So it is left out only where some other call shows that its value was not seen.
    const fewer = kept.filter((other) => other !== one)
    if (isUnseen(one, kept) && isBroken(fewer)) kept = fewer
  }
  return kept
}

function isUnseen({ act }: KeyCall, calls: readonly KeyCall[]): boolean {
  if (act.type !== 'write' && act.type !== 'writeIf' && act.type !== 'change') return false
  return calls.every(({ act: other }) => {
    if (other.type === 'read' || other.type === 'take') return other.value !== act.value
    if (other.type === 'change') return other.seen !== act.value
    return other.type !== 'writeIf' || other.expected !== act.value
  })
}
