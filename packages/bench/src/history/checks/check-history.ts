import type { History } from '../record/call.ts'
import { checkErrors } from './check-errors.ts'
import { checkKeys } from './check-keys.ts'
import { checkLimits } from './check-limits.ts'
import { checkLoads } from './check-loads.ts'
import { checkLocks } from './check-locks.ts'
import type { Checked } from './finding.ts'
import { type Promises, rulesOf } from './rules.ts'

/** Checks every promise of the cache against a recorded history. */
export function checkHistory({ calls, stalls }: History, promises: Promises): Checked {
  const rules = rulesOf(promises, stalls)
  const all = [
    checkKeys(calls, rules),
    checkLoads(calls, rules),
    checkLocks(calls),
    checkLimits(calls),
    checkErrors(calls),
  ]
  return {
    passed: all.reduce((sum, { passed }) => sum + passed, 0),
    undecided: all.reduce((sum, { undecided }) => sum + undecided, 0),
    findings: all.flatMap(({ findings }) => findings),
  }
}
