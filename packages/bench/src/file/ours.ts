import { FileBackend } from '@cache/file'
import type { Contestant } from './contestant.ts'

/** The whole cache as an application uses it, with a lifetime. */
export async function openCache(dir: string): Promise<Contestant> {
  const { Cache } = await import('@cache/core')
  const backend = new FileBackend({ dir })
  const cache = new Cache({ backend, ttl: '1h' })
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    getMany: async (keys) => [...(await cache.getMany(keys)).values()],
    close: () => backend.close(),
  }
}

/** The backend alone. The difference is the cost of the cache. */
export async function openBackend(dir: string): Promise<Contestant> {
  const { createVersion } = await import('@cache/core/backend')
  const backend = new FileBackend({ dir })
  return {
    get: async (key) => (await backend.get(key))?.value,
    set: (key, value) => backend.set({ key, value, version: createVersion(), createdAt: 1 }),
    getMany: async (keys) => (await backend.getMany(keys)).map((item) => item?.value),
    close: () => backend.close(),
  }
}
