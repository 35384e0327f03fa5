import { Cache } from '@cache/core'
import { BreakpointBackend } from '@cache/core/conformance'
import { MemoryBackend } from '@cache/memory'
import { describe, expect, it } from 'vitest'
import { ShardedBackend } from '../src/index.ts'

describe('the health of a sharded cache', () => {
  it('names the shard that is down, and is down when all are', async () => {
    const shard = (): BreakpointBackend => new BreakpointBackend(new MemoryBackend({ maxEntries: 10 }), 'far')
    const shards = { a: shard(), b: shard() }
    const cache = new Cache({ backend: new ShardedBackend({ shards }) })
    expect((await cache.health()).status).toBe('ok')
    shards.b.broken = true
    expect(await cache.health()).toMatchObject({
      status: 'degraded',
      reasons: [{ kind: 'store', part: 'sharded / b', status: 'down' }],
    })
    shards.a.broken = true
    expect((await cache.health()).status).toBe('down')
  })
})
