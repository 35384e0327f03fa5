import { Cache } from '@cache/core'
import { LayeredBackend } from '@cache/layered'
import { MemoryBackend } from '@cache/memory'
import { nextCacheHandler } from '@cache/next'
import { RedisBackend, RedisBus } from '@cache/redis'

export default nextCacheHandler(
  () => {
    const url = process.env.REDIS_URL
    if (url === undefined) throw new Error('the build opened the cache')
    const layers = [new MemoryBackend({ maxEntries: 1000 }), new RedisBackend({ url, timeout: '5s' })]
    return new Cache({ backend: new LayeredBackend({ layers, bus: new RedisBus({ url }), maxOutage: '1h' }) })
  },
  // The servers of the test have one clock.
  { clockTolerance: 0, onError: (error, operation) => console.error(`cache failed in ${operation}: ${error}`) },
)
