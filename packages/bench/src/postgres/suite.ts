import { startPostgres } from '@cache/workspace'
import type { Suite } from '../harness/suite.ts'
import { goalLines } from '../server/goals.ts'
import { goals } from './goals.ts'
import { ours } from './ours.ts'
import { peers } from './peers.ts'
import { pgbench } from './pgbench.ts'
import { scenarios } from './scenarios.ts'

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
