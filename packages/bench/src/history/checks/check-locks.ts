import { familyOf } from '../record/areas.ts'
import type { Call, Note } from '../record/call.ts'
import type { Checked, Finding } from './finding.ts'

/** A call whose work ran under the lock. */
interface Hold {
  readonly call: Call
  readonly token: number
  readonly from: number
  /** The end of the work; `Infinity` if it never ended. */
  readonly to: number
}

/**
 * Locks. The works of two calls that resolved never overlap: a call rejects with `LOCK_LOST` if its lock was taken during
 * its work. The tokens of holders grow: of two calls that did not overlap, the later one has the larger token.
 */
export function checkLocks(calls: readonly Call[]): Checked {
  const holds = new Map<string, Hold[]>()
  for (const call of calls) {
    const { request } = call
    if (familyOf(call.area) !== 'lock' || request.do !== 'withLock') continue
    const holding = noteOf(call, 'holding')
    if (holding === undefined) continue
    const hold = { call, token: Number(holding.value), from: holding.at, to: noteOf(call, 'leaving')?.at ?? Infinity }
    const name = `${call.area}/${request.key}`
    const others = holds.get(name)
    if (others === undefined) holds.set(name, [hold])
    else others.push(hold)
  }
  const findings: Finding[] = []
  let passed = 0
  for (const [name, all] of holds) {
    const [area = '', key = ''] = name.split('/')
    const found = [overlapOf(all), tokenOf(all)].filter((one) => one !== undefined)
    if (found.length === 0) passed += 1
    for (const one of found) findings.push({ area, key, ...one })
  }
  return { passed, undecided: 0, findings }
}

function noteOf(call: Call, what: Note['what']): Note | undefined {
  return call.notes.find((note) => note.what === what)
}

type Fault = Pick<Finding, 'promise' | 'message' | 'calls'>

function overlapOf(holds: readonly Hold[]): Fault | undefined {
  const resolved = holds.filter(({ call }) => call.outcome === 'done').sort((a, b) => a.from - b.from)
  let longest: Hold | undefined
  for (const hold of resolved) {
    if (longest !== undefined && hold.from < longest.to) {
      return {
        promise: 'lock',
        message: `${hold.call.id} worked under the lock before the work of ${longest.call.id} had ended, and both resolved`,
        calls: [longest.call, hold.call],
      }
    }
    if (longest === undefined || hold.to > longest.to) longest = hold
  }
  return undefined
}

/** Every call against the largest token of the calls that had ended before it began. */
function tokenOf(holds: readonly Hold[]): Fault | undefined {
  const byStart = [...holds].sort((a, b) => a.call.start - b.call.start)
  const byEnd = [...holds].sort((a, b) => a.call.end - b.call.end)
  let ended = 0
  let largest: Hold | undefined
  for (const hold of byStart) {
    for (; (byEnd[ended]?.call.end ?? Infinity) < hold.call.start; ended += 1) {
      const one = byEnd[ended] as Hold
      if (largest === undefined || one.token > largest.token) largest = one
    }
    if (largest !== undefined && hold.token <= largest.token) {
      return {
        promise: 'fencing token',
        message: `${hold.call.id} got the token ${hold.token}, after ${largest.call.id} had got ${largest.token}`,
        calls: [largest.call, hold.call],
      }
    }
  }
  return undefined
}
