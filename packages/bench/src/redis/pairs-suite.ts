import { startRedis } from '@cache/workspace'
import type { Suite } from '../harness/suite.ts'
import { pairsSuite } from '../server/pairs-suite.ts'
import { empty } from './contender.ts'
import { goals } from './goals.ts'
import { openCache } from './ours.ts'
import { openIoredis } from './peers.ts'

export const suite: Suite = pairsSuite({
  name: 'redis-pairs',
  plain: 'plain ioredis (one connection, texts as they are)',
  packages: ['ioredis'],
  openPlain: (url) => openIoredis(url, false),
  openCache,
  empty,
  start: () => startRedis(),
  goals,
})
