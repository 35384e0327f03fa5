import { Cache } from '@cache/core'
import { BoundedMap, MemoryBackend } from '@cache/memory'

// At the top level, where workerd forbids random numbers and timers.
const cache = new Cache({ backend: new MemoryBackend({ maxEntries: 100 }), ttl: '1m' })
const map = new BoundedMap({ maxEntries: 100 })

export default {
  async test() {
    const values = [await cache.getOrSet('key', async () => 'loaded'), await cache.get('key')]
    for (let key = 0; key < 50; key += 1) map.set(key, key)
    const result = JSON.stringify([values, map.get(7)])
    if (result !== '[["loaded","loaded"],7]') throw new Error(`the worker returned ${result}`)
    await cache.close()
  },
}
