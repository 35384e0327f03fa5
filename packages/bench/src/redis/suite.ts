import { startRedis } from '@cache/testing'
import type { Suite } from '../harness/suite.ts'
import { type Goal, goalLines } from '../server/goals.ts'
import { ours } from './ours.ts'
import { peers } from './peers.ts'
import { rawSocket } from './raw-socket.ts'
import { scenarios } from './scenarios.ts'

/** Ratios of the whole cache to plain ioredis that the package promises. */
const goals: readonly Goal[] = [
  [/^get, (integer|small object), 100 at once$/, 5],
  [/^set, (integer|small object), 100 at once$/, 1.8],
  [/^[gs]et, (integer|small object), 1 at once$/, 0.95],
]

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
