import { join } from 'node:path'
import type { CacheBackend } from '@cache/core'
import { FileBackend } from '@cache/file'
import { LayeredBackend } from '@cache/layered'
import { MemoryBackend } from '@cache/memory'
import { PostgresBackend } from '@cache/postgres'
import { RedisBackend } from '@cache/redis'
import { postgresServer, redisServer } from '@cache/testing'

export interface OpenBackend {
  readonly name: string
  readonly backend: CacheBackend
  /** Ends the server, where one was started for this. */
  stop(): Promise<void>
}

const cacheFolder = join(import.meta.dirname, '../../../node_modules/.cache/quickstart')
const nothing = async (): Promise<void> => {}

/** Every backend that this machine can run, and a line for each that it cannot. */
export async function openBackends(): Promise<{ backends: OpenBackend[]; missing: string[] }> {
  const memory = new MemoryBackend({ maxEntries: 10_000 })
  const layers = [new MemoryBackend({ maxEntries: 100 }), new FileBackend({ dir: join(cacheFolder, 'far') })]
  const backends: OpenBackend[] = [
    { name: 'memory', backend: memory, stop: nothing },
    { name: 'file', backend: new FileBackend({ dir: join(cacheFolder, 'file') }), stop: nothing },
    { name: 'layered (memory, file)', backend: new LayeredBackend({ layers, closeLayers: true }), stop: nothing },
  ]
  const missing: string[] = []

  const redis = await redisServer({ install: false })
  if (redis === undefined) missing.push('No Redis: set REDIS_URL, or install redis-server, to see it here.')
  else backends.push({ name: 'redis', backend: new RedisBackend({ url: redis.url }), stop: () => redis.stop() })

  const postgres = await postgresServer({ install: false })
  if (postgres === undefined) missing.push('No PostgreSQL: set POSTGRES_URL, or install postgresql, to see it here.')
  else
    backends.push({
      name: 'postgres',
      backend: new PostgresBackend({ url: postgres.url }),
      stop: () => postgres.stop(),
    })

  return { backends, missing }
}
