import { startRedis } from '@cache/testing'
import type { ResultRow, Row, Suite, SuiteContext } from '../harness/suite.ts'
import { ours } from './ours.ts'
import { peers } from './peers.ts'
import { rawSocket } from './raw-socket.ts'
import { rowName, scenarios } from './scenarios.ts'

function rows({ quick }: SuiteContext): Row[] {
  return scenarios(quick).map((scenario) => ({
    name: rowName(scenario),
    unit: scenario.operation.endsWith('Many') ? 'keys/s' : 'op/s',
    better: 'higher',
    work: 1,
  }))
}

/** Ratios of the whole cache to plain ioredis that the package promises. */
const goals: readonly (readonly [row: RegExp, atLeast: number])[] = [
  [/^get, (integer|small object), 100 at once$/, 5],
  [/^set, (integer|small object), 100 at once$/, 1.8],
  [/^[gs]et, (integer|small object), 1 at once$/, 0.95],
]

function conclude(results: readonly ResultRow[]): string[] {
  return results.flatMap(({ row, candidate, ratio }) => {
    if (candidate !== 'Cache on @cache/redis') return []
    const goal = goals.find(([pattern]) => pattern.test(row))
    if (goal === undefined) return []
    const verdict = ratio >= goal[1] ? 'met' : 'NOT met'
    return [`${row}: ${ratio.toFixed(2)} times plain ioredis, goal ${goal[1]}: ${verdict}`]
  })
}

export const suite: Suite = {
  name: 'redis',
  says: 'Calls per second by the wall clock against a real Redis on the loopback, one connection each; batches of 100 keys count keys. Plain clients move texts, the caches encode and decode.',
  baseline: 'ioredis',
  rows,
  candidates: [...peers, rawSocket, ...ours],
  repetitions: 3,
  async open() {
    const server = await startRedis()
    return { shared: { url: server.url }, close: () => server.stop() }
  },
  conclude,
}
