import { show } from '../stage/show.ts'
import type { Rule } from './rule.ts'
import type { Outcome } from './run-rule.ts'
import { skipCost } from './skip-cost.ts'
import type { RuleResult } from './summary.ts'

/** The outcome of a rule as plain data. */
export function resultOf({ id, says }: Rule, outcome: Outcome): RuleResult {
  if (outcome.status === 'passed') return { id, says, status: 'kept' }
  if (outcome.status === 'failed') return { id, says, status: 'broken', reason: show(outcome.error) }
  const { reason, lacking } = outcome
  return { id, says, status: 'skipped', reason, ...(lacking === undefined ? {} : { cost: skipCost(lacking) }) }
}
