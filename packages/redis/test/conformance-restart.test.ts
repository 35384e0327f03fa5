import { conformance } from '@cache/core/conformance'
import { startRedis } from '@cache/workspace'
import { afterAll, describe, it } from 'vitest'
import { redisHarness } from './redis-harness.ts'

// Its own server, which keeps its data on disk. Rules that need it restart the server.
const server = await startRedis({ config: { appendonly: 'yes', appendfsync: 'always' } })
afterAll(() => server.stop())

conformance(
  redisHarness({ name: 'redis with an append-only file', url: server.url, restart: () => server.restart() }),
  {
    describe,
    it,
  },
)
