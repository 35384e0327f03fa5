import { startPostgres } from '@cache/workspace'
import type { Suite } from '../harness/suite.ts'
import { pairsSuite } from '../server/pairs-suite.ts'
import { empty } from './contender.ts'
import { goals } from './goals.ts'
import { openCache } from './ours.ts'
import { openPlain } from './peers.ts'

export const suite: Suite = pairsSuite({
  name: 'postgres-pairs',
  plain: 'plain pg (a named statement per call, a pool of 10; each commit reaches the disk)',
  packages: ['pg'],
  openPlain,
  openCache: (url) => openCache(url, false),
  empty,
  start: () => startPostgres({ durable: true, config: { max_connections: 200, shared_buffers: '256MB' } }),
  goals,
})
