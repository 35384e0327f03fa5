import type { Phase, Validity } from '../state/flight.ts'

/**
 * The answer to one caller of `getOrSet`.
 *
 * - `hit`: the fresh value
 * - `stale`: the value at hand, while the load goes on
 * - `wait`: the result of the load
 * - `wait, then look again`: the end of the load, then another look-up, because the result may be older than the call
 * - `miss`: no value, and no load runs
 */
export type Decision = 'hit' | 'stale' | 'wait' | 'wait, then look again' | 'miss'

/** The circumstances of one caller. */
export interface Circumstances {
  /** The usable item that the caller's look-up found. */
  readonly found: 'fresh' | 'stale' | 'none'
  readonly phase: Phase
  readonly validity: Validity
  /** Whether the caller came while the load ran already. */
  readonly joined: boolean
  readonly forceRefresh: boolean
  /** How long the caller waits with a value at hand: not at all, for `softTimeout`, or for the whole timeout. */
  readonly patience: 'none' | 'soft' | 'whole'
}

/** One row of the decision table; an absent member matches every value. */
export type DecisionRow = {
  readonly [Name in keyof Circumstances]?: readonly Circumstances[Name][]
} & { readonly decision: Decision; readonly reason: string }

/** The decision table. The first row that matches decides. */
export const decisionTable: readonly DecisionRow[] = [
  { found: ['fresh'], forceRefresh: [false], decision: 'hit', reason: 'the value is fresh' },
  { found: ['fresh'], phase: ['looking'], decision: 'hit', reason: 'the value is fresh and no load runs' },
  { found: ['stale'], phase: ['looking'], decision: 'stale', reason: 'a load of the key failed a moment ago' },
  { found: ['none'], phase: ['looking'], decision: 'miss', reason: 'no value and no load' },
  {
    found: ['none'],
    joined: [true],
    validity: ['recheck'],
    decision: 'wait, then look again',
    reason: 'a tag was invalidated before the call that the result may have (R2, R4)',
  },
  {
    found: ['none'],
    joined: [true],
    phase: ['storing'],
    decision: 'wait, then look again',
    reason: 'another process may have changed the key since the result came (R2)',
  },
  { found: ['none'], decision: 'wait', reason: 'the load makes the value' },
  {
    joined: [true],
    forceRefresh: [true],
    validity: ['recheck'],
    decision: 'wait, then look again',
    reason: 'a tag was invalidated before the call that the result may have (R2, R4)',
  },
  {
    joined: [true],
    forceRefresh: [true],
    phase: ['storing'],
    decision: 'wait, then look again',
    reason: 'another process may have changed the key since the result came (R2)',
  },
  { patience: ['none'], decision: 'stale', reason: 'the caller does not wait while a value is at hand' },
  {
    joined: [true],
    validity: ['recheck'],
    decision: 'wait, then look again',
    reason: 'a tag was invalidated before the call that the result may have (R2, R4)',
  },
  { decision: 'wait', reason: 'the load has some time to be faster than the value at hand' },
]

/** Decides the answer to one caller. Pure: the same circumstances always give the same decision. */
export function decide(circumstances: Circumstances): Decision {
  for (const row of decisionTable) if (matches(row, circumstances)) return row.decision
  throw new TypeError('the last row of the decision table matches everything')
}

function matches(row: DecisionRow, { found, phase, validity, joined, forceRefresh, patience }: Circumstances): boolean {
  return (
    includes(row.found, found) &&
    includes(row.phase, phase) &&
    includes(row.validity, validity) &&
    includes(row.joined, joined) &&
    includes(row.forceRefresh, forceRefresh) &&
    includes(row.patience, patience)
  )
}

function includes<Value>(allowed: readonly Value[] | undefined, value: Value): boolean {
  return allowed === undefined || allowed.includes(value)
}
