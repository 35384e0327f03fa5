import { millisecond } from '../record/call.ts'
import type { Step } from './find-order.ts'
import type { Act, KeyCall, Value } from './key-call.ts'
import type { Rules } from './rules.ts'

/** Lifetimes are counted by clocks that the servers read now and then: the tolerance of an expiry. */
const expiryTolerance = 60 * millisecond

/**
 * The steps of the calls on one key. `unique`: no two writes of the key have the same value, so a value that was
 * replaced never returns.
 *
 * A write without an answer becomes required when some caller has seen its value. An item with a lifetime gets a step
 * of its own that removes it. A read of a near copy may see the past, but never that before an earlier change by its
 * own process. A value that is written during an invalidation of its tag may become a miss.
 */
export function stepsOf(calls: readonly KeyCall[], rules: Rules, unique: boolean): Step<Value>[] {
  const seenBy = unique ? firstSeen(calls) : new Map<Value, number>()
  const steps: Step<Value>[] = []
  const invalidations = calls.filter(({ act }) => act.type === 'invalidate')
  const seesInvalid = calls.map((one) => invalidations.some((other) => mayBeUnknown(other, one, rules)))
  for (const [index, keyCall] of calls.entries()) {
    const { act, isOpen } = keyCall
    const seen = isOpen && unique ? seenBy.get(writtenBy(act)) : undefined
    steps.push({
      start: keyCall.start,
      end: seen ?? keyCall.end,
      optional: isOpen && seen === undefined,
      after: [],
      next: losing(decided(nextOf(act), act, seesInvalid[index] === true), rules.evicts),
      observes: isObserver(act),
      needs: unique && seesInvalid[index] !== true ? neededBy(act) : undefined,
      ...(mayBeNear(act) ? nearRead(index, calls, rules) : {}),
    })
  }
  for (const [index, { act, start, isOpen }] of calls.entries()) {
    const expiry = 'ttl' in act ? expiryOf(act, steps[index] as Step<Value>, start, isOpen, index) : undefined
    if (expiry !== undefined) steps.push(expiry)
  }
  for (const [index, one] of calls.entries()) {
    const isWrite = writtenBy(one.act) !== null && !isObserver(one.act)
    if (isWrite && invalidations.some((other) => mayInvalidate(other, one, rules))) {
      steps.push(invalidStep(index, one))
    }
  }
  return steps
}

/** For each value that a caller saw, the earliest end of a call that saw it. */
function firstSeen(calls: readonly KeyCall[]): Map<Value, number> {
  const seen = new Map<Value, number>()
  for (const { act, end, isOpen } of calls) {
    const value = neededBy(act)
    if (value !== undefined && !isOpen) seen.set(value, Math.min(end, seen.get(value) ?? Infinity))
  }
  return seen
}

function writtenBy(act: Act): Value {
  return act.type === 'write' || act.type === 'writeIf' || act.type === 'change' ? act.value : null
}

/** The one value with which the act is possible, if there is one. */
function neededBy(act: Act): Value | undefined {
  const value =
    act.type === 'read' || act.type === 'take'
      ? act.value
      : act.type === 'change'
        ? act.seen
        : act.type === 'writeIf' && act.held === true
          ? act.expected
          : undefined
  return value ?? undefined
}

function isObserver(act: Act): boolean {
  if (act.type === 'read' || act.type === 'has') return true
  if (act.type === 'writeIf') return act.held === false
  if (act.type === 'remove') return act.had === false
  return act.type === 'take' && act.value === null
}

/** Whether a near copy may decide the result. A condition that held was decided by the authority. */
function mayBeNear(act: Act): boolean {
  return act.type === 'read' || act.type === 'has' || (act.type === 'writeIf' && act.held === false)
}

function isChange({ act, isOpen }: KeyCall): boolean {
  return !isOpen && !isObserver(act)
}

function nearRead(at: number, calls: readonly KeyCall[], rules: Rules): Pick<Step<Value>, 'start' | 'after'> {
  const { process, start } = calls[at] as KeyCall
  const staleness = rules.stalenessOf(process, start)
  if (staleness === 0) return { start, after: [] }
  const earliest = start - staleness
  const after: number[] = []
  for (const [index, other] of calls.entries()) {
    if (other.process === process && other.end < start && other.end >= earliest && isChange(other)) after.push(index)
  }
  return { start: earliest, after }
}

type Next = (state: Value) => readonly Value[]

/** An evicted item is gone before the step takes effect. */
function losing(next: Next, evicts: boolean): Next {
  if (!evicts) return next
  return (state) => {
    const kept = next(state)
    return state === null ? kept : [...kept, ...next(null).filter((other) => !kept.includes(other))]
  }
}

/** A process that remembers the versions of tags may still write with those from before an invalidation by another one. */
function mayInvalidate(invalidation: KeyCall, write: KeyCall, rules: Rules): boolean {
  if (invalidation.start > write.end) return false
  const staleness = invalidation.process === write.process ? 0 : rules.stalenessOf(write.process, write.start)
  return write.start <= invalidation.end + staleness
}

/**
 * A process that remembers the versions of tags may take a value for valid, whose tag another one has invalidated. The store decides
 * the versions of items, so its condition still fails where the item was replaced.
 */
function mayBeUnknown(invalidation: KeyCall, { act, process, start, end }: KeyCall, rules: Rules): boolean {
  if (invalidation.process === process || invalidation.start > end) return false
  const isCondition = act.type === 'change' || act.type === 'take' || (act.type === 'writeIf' && act.held !== false)
  const staleness = rules.stalenessOf(process, start)
  return isCondition && staleness > 0 && start <= invalidation.end + staleness
}

/** The state of a key with a stored value whose tag was invalidated. */
function invalidated(value: Value): Value {
  return value === null || storedIn(value) !== undefined ? value : `${invalidMark}${value}`
}

/** The value of an invalidated state; `undefined` for other states. */
function storedIn(state: Value): string | undefined {
  return typeof state === 'string' && state.startsWith(invalidMark) ? state.slice(invalidMark.length) : undefined
}

/** No value of a plan begins with it. */
const invalidMark = 'invalid: '

/** The next states, also of invalidated ones, which count as no value. `seesInvalid`: they may count as their value, too. */
function decided(next: Next, act: Act, seesInvalid: boolean): Next {
  return (state) => {
    const stored = storedIn(state)
    if (stored === undefined) return next(state)
    const asNone = next(null).map((one) => (one === null && isObserver(act) ? state : one))
    return seesInvalid ? [...asNone, ...next(stored).filter((other) => !asNone.includes(other))] : asNone
  }
}

/** The step that makes a value a miss, because its tag was invalidated while it was written. */
function invalidStep(index: number, { act, start }: KeyCall): Step<Value> {
  const value = writtenBy(act)
  return {
    start,
    end: Infinity,
    optional: true,
    after: [index],
    next: (state) => [state === value ? invalidated(value) : state],
    observes: true,
    needs: undefined,
  }
}

const none: readonly Value[] = []

function nextOf(act: Act): Next {
  switch (act.type) {
    case 'read':
      return (state) => (state === act.value ? [state] : none)
    case 'has':
      return (state) => ((state !== null) === act.found ? [state] : none)
    case 'write':
      return () => [act.value]
    case 'invalidate':
      return (state) => [invalidated(state)]
    case 'remove':
      return (state) => (act.had === undefined || (state !== null) === act.had ? [null] : none)
    case 'writeIf':
      return (state) => afterCondition(act, state)
    case 'take':
      return (state) => (act.value === undefined || state === act.value ? [null] : none)
    case 'change':
      return (state) => (state === act.seen ? [act.value] : none)
    case 'count':
      return (state) => {
        const sum = Number(state ?? 0) + act.delta
        return act.sum === undefined || act.sum === sum ? [sum] : none
      }
  }
}

function afterCondition(act: Act & { readonly type: 'writeIf' }, state: Value): readonly Value[] {
  const holds = act.when === 'empty' ? state === null : act.when === 'present' ? state !== null : state === act.expected
  if (act.held === false) return holds ? none : [state]
  return holds ? [act.value] : none
}

/** The step that ends the life of a value, if `act` stored one. */
function expiryOf(
  act: Act & { readonly ttl?: number },
  written: Step<Value>,
  start: number,
  isOpen: boolean,
  index: number,
): Step<Value> | undefined {
  if (act.ttl === undefined || (act.type === 'writeIf' && act.held === false)) return undefined
  const value = writtenBy(act)
  const life = act.ttl * millisecond
  return {
    start: start + life - expiryTolerance,
    // A write without an answer may begin the life at any later moment.
    end: isOpen ? Infinity : written.end + life + expiryTolerance,
    optional: isOpen,
    after: [index],
    next: (state) => [state === value || state === invalidated(value) ? null : state],
    observes: true,
    needs: undefined,
  }
}
