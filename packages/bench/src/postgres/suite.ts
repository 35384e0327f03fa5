import { startPostgres } from '@cache/testing'
import type { ResultRow, Row, Suite, SuiteContext } from '../harness/suite.ts'
import { rowName } from '../workload/workload.ts'
import { ours } from './ours.ts'
import { peers } from './peers.ts'
import { pgbench } from './pgbench.ts'
import { scenarios } from './scenarios.ts'

function rows({ quick }: SuiteContext): Row[] {
  return scenarios(quick).map((scenario) => ({
    name: rowName(scenario),
    unit: scenario.operation.endsWith('Many') ? 'keys/s' : 'op/s',
    better: 'higher',
    work: 1,
  }))
}

/** Ratios of the whole cache to plain pg that the package promises. */
const goals: readonly (readonly [row: RegExp, atLeast: number])[] = [
  [/^[gs]et, (integer|small object|200 B), 100 at once$/, 4],
  [/^[gs]et, (integer|small object|200 B), 1 at once$/, 0.95],
]

function conclude(results: readonly ResultRow[]): string[] {
  return results.flatMap(({ row, candidate, ratio }) => {
    if (candidate !== 'Cache on @cache/postgres') return []
    const goal = goals.find(([pattern]) => pattern.test(row))
    if (goal === undefined) return []
    const verdict = ratio >= goal[1] ? 'met' : 'NOT met'
    return [`${row}: ${ratio.toFixed(2)} times plain pg, goal ${goal[1]}: ${verdict}`]
  })
}

export const suite: Suite = {
  name: 'postgres',
  says: 'Calls per second by the wall clock against a real PostgreSQL on the loopback that writes through to the disk; batches of 100 keys count keys. Plain pg moves texts by named statements on a pool of 10, the caches encode and decode.',
  baseline: 'plain pg',
  rows,
  candidates: [...peers, pgbench, ...ours],
  repetitions: 3,
  async open() {
    const server = await startPostgres({ durable: true, config: { max_connections: 200, shared_buffers: '256MB' } })
    return { shared: { url: server.url }, close: () => server.stop() }
  },
  conclude,
}
