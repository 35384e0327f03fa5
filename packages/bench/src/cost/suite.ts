import type { ResultRow, Row, Suite } from '../harness/suite.ts'
import { awaitedLru, rawLru } from './lru.ts'
import { ours } from './ours.ts'
import { peers } from './peers.ts'
import { workOfHits } from './workload.ts'

const awaited = [
  'get',
  'getOrSet',
  'getOrSet, three tags',
  'getOrSet, three tags, others invalidated',
  'near hit, get',
  'near hit, getOrSet',
  'near hit, three tags',
]
const synchronous = ['sync get', 'sync getOrSet']

const rows: readonly Row[] = [...awaited, ...synchronous].map((name) => ({
  name,
  unit: 'ns/op',
  better: 'lower',
  work: workOfHits,
}))

const floor = awaitedLru(awaited)

/** How many times the cost of the named candidate ours may have. */
const goals: Readonly<Record<string, readonly [times: number, candidate: string]>> = {
  get: [1.3, floor.name],
  getOrSet: [1.3, floor.name],
  'getOrSet, three tags': [2, floor.name],
  'getOrSet, three tags, others invalidated': [2, floor.name],
  'near hit, get': [1.3, floor.name],
  'near hit, getOrSet': [1.3, floor.name],
  'near hit, three tags': [2, floor.name],
  'sync get': [2, 'lru-cache'],
  'sync getOrSet': [2, 'lru-cache'],
}

function conclude(results: readonly ResultRow[]): string[] {
  return Object.entries(goals).flatMap(([row, [times, candidate]]) => {
    const value = (name: string): number | undefined =>
      results.find((result) => result.row === row && result.candidate === name)?.value
    const own = value(ours.name)
    const other = value(candidate)
    if (own === undefined || other === undefined) return []
    const ratio = own / other
    const verdict = ratio <= times ? 'met' : 'MISSED'
    return [`goal ${verdict}: ${row} ${ratio.toFixed(2)} times '${candidate}', at most ${times}`]
  })
}

export const suite: Suite = {
  name: 'cost',
  says: 'the cost of a hit: 1,024 small objects in turn, each call awaited before the next; every call checked to be a hit.',
  baseline: 'lru-cache',
  rows,
  candidates: [rawLru([...awaited, ...synchronous]), floor, ours, ...peers],
  conclude,
}
