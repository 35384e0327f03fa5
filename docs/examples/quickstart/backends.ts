import { join } from 'node:path'
import type { CacheBackend } from '@cache/core'
import { FileBackend } from '@cache/file'
import { LayeredBackend } from '@cache/layered'
import { MemoryBackend } from '@cache/memory'
import { PostgresBackend } from '@cache/postgres'
import { RedisBackend } from '@cache/redis'
import { postgresServer, redisServer } from '@cache/workspace'

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
    { name: 'layered (memory, file)', backend: new LayeredBackend({ layers }), stop: nothing },
  ]
  const missing: string[] = []

  /** A server that the environment names may not answer: said here, once, instead of by every call. */
  async function add(name: string, backend: CacheBackend, stop: () => Promise<void>): Promise<void> {
    try {
      await backend.get('is anybody there?')
      backends.push({ name, backend, stop })
    } catch (error) {
      missing.push(`No ${name}: ${error instanceof Error ? error.message : String(error)}`)
      await backend.close?.()
      await stop()
    }
  }

  const redis = await redisServer({ install: false })
  if (redis === undefined) missing.push('No Redis: set REDIS_URL, or install redis-server, to see it here.')
  else await add('redis', new RedisBackend({ url: redis.url }), () => redis.stop())

  const postgres = await postgresServer({ install: false })
  if (postgres === undefined) missing.push('No PostgreSQL: set POSTGRES_URL, or install postgresql, to see it here.')
  else await add('postgres', new PostgresBackend({ url: postgres.url }), () => postgres.stop())

  return { backends, missing }
}
