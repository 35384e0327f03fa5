import { RedisBackend } from '@cache/redis'
import { startRedis } from '@cache/workspace'
import type { Suite } from '../harness/suite.ts'
import type { Soaked } from '../server/soak.ts'
import { soakSuite } from '../server/soak-suite.ts'

/** The append-only file is synced at each write, so the server keeps acknowledged writes. */
const soaked: Soaked = {
  start: () => startRedis({ config: { appendonly: 'yes', appendfsync: 'always' } }),
  open: (url, timeout) => new RedisBackend({ url, timeout, connectTimeout: timeout }),
}

export const suite: Suite = soakSuite('redis-soak', { '@cache/redis': soaked })
