import { createVersion, type Item } from '@cache/core/backend'
import type { Candidate } from '../harness/suite.ts'
import type { Contestant } from '../server/workload.ts'
import { contender } from './contender.ts'

const ttl = 600_000
/** Many large values at once take their time on a busy machine. */
const timeout = '30s'

async function openBackend(url: string): Promise<Contestant> {
  const { PostgresBackend } = await import('@cache/postgres')
  const backend = new PostgresBackend({ url, timeout })
  const item = (key: string, value: unknown): Item => {
    const now = Date.now()
    return { key, value, version: createVersion(), createdAt: now, expiresAt: now + ttl }
  }
  return {
    get: async (key) => (await backend.get(key))?.value,
    set: (key, value) => backend.set(item(key, value)),
    increment: (key) => backend.increment(`counter:${key}`, 1),
    getMany: async (keys) => (await backend.getMany(keys)).map((one) => one?.value),
    setMany: (entries) => backend.setMany(entries.map(([key, value]) => item(key, value))),
    close: () => backend.close(),
  }
}

export async function openCache(url: string, pipeline: boolean): Promise<Contestant> {
  const [{ Cache }, { PostgresBackend }] = await Promise.all([import('@cache/core'), import('@cache/postgres')])
  const backend = new PostgresBackend({ url, timeout, pipeline })
  const cache = new Cache({ backend, ttl })
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    increment: (key) => cache.increment(`counter:${key}`),
    getMany: (keys) => cache.getMany(keys),
    setMany: (entries) => cache.setMany(entries),
    close: async () => {
      await cache.close()
      await backend.close()
    },
  }
}

/** The whole cache, on its own connections and on pipelining ones, and the backend alone. */
export const ours: readonly Candidate[] = [
  contender('@cache/postgres', [], openBackend),
  contender('Cache on @cache/postgres', [], (url) => openCache(url, false)),
  contender('Cache, pipelined', [], (url) => openCache(url, true)),
]
