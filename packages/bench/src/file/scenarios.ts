import type { Row } from '../harness/suite.ts'
import type { Scenario } from './workload.ts'

const small = 200

/** Rows that a store needs seconds for even when it rewrites all of itself for each set. */
export const modest: readonly string[] = [
  'get',
  'set',
  'set, 100 at once',
  'getMany, 100 keys',
  'mixed, 9 gets to a set',
  'set, 100 KB',
  'bytes on disk',
]

export interface NamedScenario extends Scenario {
  readonly row: Row
}

function named(row: Omit<Row, 'work'>, scenario: Scenario): NamedScenario {
  return { ...scenario, row: { ...row, work: 1 } }
}

const perSecond = (name: string): Omit<Row, 'work'> => ({ name, unit: 'op/s', better: 'higher' })

/** Every row and its scenario. Sizes are multiples of 100 that 7,919 does not divide. */
export function scenarios(quick: boolean): readonly NamedScenario[] {
  const many = quick ? 3000 : 12_000
  const reads = quick ? 6000 : 40_000
  const entries = 10_000
  const large = quick ? 100_000 : 1_000_000
  const speed = { entries, valueBytes: small, operations: many }
  const huge = { entries: 5, valueBytes: 10_000_000, operations: 20 }
  return [
    named(perSecond('get'), { ...speed, kind: 'get', operations: reads }),
    named(perSecond('set'), { ...speed, kind: 'set' }),
    named(perSecond('set, 100 at once'), { ...speed, kind: 'sets at once' }),
    named(perSecond('getMany, 100 keys'), { ...speed, kind: 'getMany', operations: reads }),
    named(perSecond('mixed, 9 gets to a set'), { ...speed, kind: 'mixed', operations: reads }),
    named(perSecond('set, 100 KB'), { kind: 'large', entries: 100, valueBytes: 100_000, operations: 300 }),
    named({ name: 'bytes on disk', unit: 'bytes/entry', better: 'lower' }, { ...speed, kind: 'bytes' }),
    named({ name: 'event loop delay, p100, values of 10 MB', unit: 'ms', better: 'lower' }, { ...huge, kind: 'delay' }),
    named(
      { name: 'longest hold by processor time, values of 10 MB', unit: 'ms', better: 'lower' },
      { ...huge, kind: 'hold' },
    ),
    named(perSecond('get of 100,000 entries'), { ...speed, kind: 'get', entries: 100_000, operations: reads }),
    named(perSecond(`get of ${large.toLocaleString('en')} entries`), {
      ...speed,
      kind: 'get',
      entries: large,
      operations: reads,
    }),
    named(perSecond(`set, 100 at once, into ${large.toLocaleString('en')} entries`), {
      ...speed,
      kind: 'sets at once',
      entries: large,
    }),
    named(
      { name: `open with ${large.toLocaleString('en')} entries, first get`, unit: 'ms', better: 'lower' },
      { ...speed, kind: 'open', entries: large },
    ),
  ]
}
