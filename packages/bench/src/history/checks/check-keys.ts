import { familyOf } from '../record/areas.ts'
import type { Call } from '../record/call.ts'
import { findOrder, type Order } from './find-order.ts'
import type { Checked, Finding } from './finding.ts'
import { type KeyCall, splitByKey, type Value } from './key-call.ts'
import { stepsOf } from './key-steps.ts'
import { minimize } from './minimize.ts'
import type { Rules } from './rules.ts'

const registers: readonly string[] = ['plain', 'tagged', 'short']

/** Registers and counters: one order explains all calls on a key. */
export function checkKeys(calls: readonly Call[], rules: Rules): Checked {
  const findings: Finding[] = []
  let passed = 0
  let undecided = 0
  for (const [name, keyCalls] of splitByKey(calls)) {
    const [area = '', key = ''] = name.split('/')
    const unique = registers.includes(familyOf(area))
    if (!unique && familyOf(area) !== 'count') continue
    const search = (some: readonly KeyCall[]): Order => findOrder<Value>(stepsOf(some, rules, unique), null)
    const order = search(keyCalls)
    if (order === 'undecided') undecided += 1
    else if (order.found) passed += 1
    else
      findings.push(
        findingOf(
          area,
          key,
          unique,
          minimize(keyCalls, (some) => isBroken(search(some))),
          search,
        ),
      )
  }
  return { passed, undecided, findings }
}

function isBroken(order: Order): boolean {
  return order !== 'undecided' && !order.found
}

function findingOf(
  area: string,
  key: string,
  unique: boolean,
  calls: readonly KeyCall[],
  search: (calls: readonly KeyCall[]) => Order,
): Finding {
  const order = search(calls)
  const stuck = order !== 'undecided' && !order.found ? calls[order.stuck]?.call.id : undefined
  return {
    promise: unique ? 'register' : 'counter',
    area,
    key,
    message: `no order explains these ${calls.length} calls; the search ends at ${stuck ?? 'an expiry'}`,
    calls: calls.map(({ call }) => call),
  }
}
