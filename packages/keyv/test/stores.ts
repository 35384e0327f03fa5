import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CacheBackend } from '@cache/core'
import { FileBackend } from '@cache/file'
import { MemoryBackend } from '@cache/memory'
import { PostgresBackend } from '@cache/postgres'
import { RedisBackend } from '@cache/redis'
import type {} from '@cache/workspace/postgres-setup'
import type {} from '@cache/workspace/redis-setup'
import { inject, onTestFinished } from 'vitest'

export const storeNames = ['memory', 'file', 'redis', 'postgres'] as const

let count = 0

/** An empty backend of that kind, closed after the test. */
export async function openStore(name: (typeof storeNames)[number]): Promise<CacheBackend> {
  count += 1
  const prefix = `keyv-${process.pid}-${count}:`
  const backend = await openBackend(name, prefix)
  onTestFinished(() => backend.close?.())
  return backend
}

async function openBackend(name: (typeof storeNames)[number], prefix: string): Promise<CacheBackend> {
  if (name === 'redis') return new RedisBackend({ url: inject('redisUrl'), prefix })
  if (name === 'postgres') return new PostgresBackend({ url: inject('postgresUrl'), prefix })
  if (name === 'memory') return new MemoryBackend({ maxEntries: 10_000 })
  const dir = await mkdtemp(join(tmpdir(), 'cache-keyv-test-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return new FileBackend({ dir })
}
