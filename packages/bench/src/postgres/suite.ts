import { startPostgres } from '@cache/testing'
import type { Suite } from '../harness/suite.ts'
import { type Goal, goalLines } from '../server/goals.ts'
import { ours } from './ours.ts'
import { peers } from './peers.ts'
import { pgbench } from './pgbench.ts'
import { scenarios } from './scenarios.ts'

/** Ratios of the whole cache to plain pg that the package promises. */
const goals: readonly Goal[] = [
  [/^[gs]et, (integer|small object|200 B), 100 at once$/, 4],
  [/^[gs]et, (integer|small object|200 B), 1 at once$/, 0.95],
]

export const suite: Suite = {
  name: 'postgres',
  says: 'Calls per second by the wall clock against a real PostgreSQL on the loopback that writes through to the disk; batches of 100 keys count keys. Plain pg moves texts by named statements on a pool of 10, the caches encode and decode.',
  baseline: 'plain pg',
  rows: (context) => scenarios.rows(context),
  candidates: [...peers, pgbench, ...ours],
  repetitions: 3,
  async open() {
    const server = await startPostgres({ durable: true, config: { max_connections: 200, shared_buffers: '256MB' } })
    return { shared: { url: server.url }, close: () => server.stop() }
  },
  conclude: goalLines('Cache on @cache/postgres', 'plain pg', goals),
}
