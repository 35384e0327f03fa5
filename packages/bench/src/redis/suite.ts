import { startRedis } from '@cache/workspace'
import type { Suite } from '../harness/suite.ts'
import { goalLines } from '../server/goals.ts'
import { goals } from './goals.ts'
import { ours } from './ours.ts'
import { peers } from './peers.ts'
import { rawSocket } from './raw-socket.ts'
import { scenarios } from './scenarios.ts'

export const suite: Suite = {
  name: 'redis',
  says: 'Calls per second by the wall clock against a real Redis on the loopback, one connection each; batches of 100 keys count keys. Plain clients move texts, the caches encode and decode.',
  baseline: 'ioredis',
  rows: (context) => scenarios.rows(context),
  candidates: [...peers, rawSocket, ...ours],
  repetitions: 3,
  async open() {
    const server = await startRedis()
    return { shared: { url: server.url }, close: () => server.stop() }
  },
  conclude: goalLines('Cache on @cache/redis', 'ioredis', goals),
}
