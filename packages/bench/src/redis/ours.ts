import { createVersion, type Item } from '@cache/core/backend'
import type { Candidate } from '../harness/suite.ts'
import type { Contestant } from '../server/workload.ts'
import { contender } from './contender.ts'

const ttl = 600_000
/** A thousand values of 200 KB at once take their time on a busy machine. */
const timeout = '30s'

async function openBackend(url: string): Promise<Contestant> {
  const { RedisBackend } = await import('@cache/redis')
  const backend = new RedisBackend({ url, timeout })
  const item = (key: string, value: unknown): Item => {
    const now = Date.now()
    return { key, value, version: createVersion(), createdAt: now, expiresAt: now + ttl }
  }
  return {
    get: async (key) => (await backend.get(key))?.value,
    set: (key, value) => backend.set(item(key, value)),
    increment: (key) => backend.increment?.(`counter:${key}`, 1) ?? Promise.reject(new Error('no increment')),
    getMany: async (keys) => (await backend.getMany(keys)).map((one) => one?.value),
    setMany: (entries) => backend.setMany(entries.map(([key, value]) => item(key, value))),
    close: () => backend.close(),
  }
}

export async function openCache(url: string): Promise<Contestant> {
  const [{ Cache }, { RedisBackend }] = await Promise.all([import('@cache/core'), import('@cache/redis')])
  const cache = new Cache({ backend: new RedisBackend({ url, timeout }), ttl })
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    increment: (key) => cache.increment(`counter:${key}`),
    getMany: (keys) => cache.getMany(keys),
    setMany: (entries) => cache.setMany(entries),
    close: () => cache.close(),
  }
}

/** The backend alone, and the whole cache on it. */
export const ours: readonly Candidate[] = [
  contender('@cache/redis', [], openBackend),
  contender('Cache on @cache/redis', [], openCache),
]
