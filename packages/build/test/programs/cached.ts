// Bundled by the tests, and run where Node's modules and secure random numbers are missing at first.
import { Cache } from '@cache/core'
import { createVersion } from '@cache/core/backend'
import { BoundedMap, MemoryBackend } from '@cache/memory'

const cache = new Cache({ backend: new MemoryBackend({ maxEntries: 1000 }), ttl: '1m' })
const map = new BoundedMap<string, number>({ maxEntries: 100 })

export { createVersion }

/** Resolves to the values that the cache and the map returned. */
export async function useCache(): Promise<unknown[]> {
  const keys = Array.from({ length: 50 }, (_, number) => `key ${number}`)
  for (const key of keys) map.set(key, 1)
  await cache.getOrSet('key', async () => 'loaded', { tags: ['tag'] })
  const values = [await cache.get('key'), map.get('key 7')]
  await cache.deleteByTag('tag')
  return [...values, await cache.get('key')]
}
