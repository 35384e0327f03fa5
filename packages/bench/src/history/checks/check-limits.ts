import { familyOf, limits } from '../record/areas.ts'
import { type Call, millisecond } from '../record/call.ts'
import type { Checked, Finding } from './finding.ts'

/** Servers read their clocks now and then, and a record may end that much early. */
const tolerance = 60 * millisecond

/**
 * Rate limits: no window has more allowed calls than the algorithm permits, and `'sliding-log'` refuses a call only if
 * its window may be full. All calls come from processes whose clocks agree.
 */
export function checkLimits(calls: readonly Call[]): Checked {
  const byKey = new Map<string, Call[]>()
  for (const call of calls) {
    const { request } = call
    if (familyOf(call.area) !== 'limit' || request.do !== 'rateLimit') continue
    const name = `${call.area}/${request.key}`
    const others = byKey.get(name)
    if (others === undefined) byKey.set(name, [call])
    else others.push(call)
  }
  const findings: Finding[] = []
  let passed = 0
  for (const [name, all] of byKey) {
    const [area = '', key = ''] = name.split('/')
    const { limit, window, algorithm } = limits[key as keyof typeof limits]
    const most = algorithm === 'sliding-log' ? limit : 2 * limit - 1
    const fault =
      excessOf(all, most, window * millisecond) ??
      (algorithm === 'sliding-log' ? refusalOf(all, limit, window * millisecond) : undefined)
    if (fault === undefined) passed += 1
    else findings.push({ promise: 'rate limit', area, key, ...fault })
  }
  return { passed, undecided: 0, findings }
}

type Fault = Pick<Finding, 'message' | 'calls'>

/** Calls that lie in one window as a whole, so that they were allowed within it whenever they took effect. */
function excessOf(calls: readonly Call[], most: number, window: number): Fault | undefined {
  const allowed = calls.filter(({ outcome, result }) => outcome === 'done' && result === true)
  const byStart = [...allowed].sort((a, b) => a.start - b.start)
  for (const [index, first] of byStart.entries()) {
    const last = first.start + window - tolerance
    const within: Call[] = []
    for (let at = index; at < byStart.length && (byStart[at] as Call).start < last; at += 1) {
      const one = byStart[at] as Call
      if (one.end < last) within.push(one)
    }
    if (within.length > most) {
      return { message: `${within.length} calls were allowed within one window, at most ${most} may be`, calls: within }
    }
  }
  return undefined
}

/** A call that was refused although fewer calls than the limit can have been allowed in its window. */
function refusalOf(calls: readonly Call[], limit: number, window: number): Fault | undefined {
  const perhaps = calls.filter(({ outcome, result }) => outcome !== 'done' || result === true)
  for (const refused of calls) {
    if (refused.outcome !== 'done' || refused.result !== false) continue
    const from = refused.start - window - tolerance
    const counted = perhaps.filter(
      ({ start, end, outcome }) => start <= refused.end && (outcome !== 'done' || end >= from),
    )
    if (counted.length < limit) {
      return {
        message: `${refused.id} was refused, although at most ${counted.length} of ${limit} calls were allowed in its window`,
        calls: [...counted, refused],
      }
    }
  }
  return undefined
}
