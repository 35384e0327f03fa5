import { Cache } from '@cache/core'
import { MemoryBackend } from '@cache/memory'

const cache = new Cache({ backend: new MemoryBackend({ maxEntries: 100 }), ttl: '1m' })

export async function useCache() {
  await cache.getOrSet('key', async () => 'loaded')
  return await cache.getOrSet('key', async () => 'loaded twice')
}
