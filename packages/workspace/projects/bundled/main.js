// An application that imports and requires. Bundlers must put each class into it once.
import { Cache, CacheError } from '@cache/core'
import { CacheError as SameError } from '@cache/core/backend'
import { BoundedMap, MemoryBackend } from '@cache/memory'
import { isCacheError } from './common.cjs'

async function main() {
  const cache = new Cache({ backend: new MemoryBackend({ maxEntries: 100 }), ttl: '1m' })
  const values = [await cache.getOrSet('key', async () => 'loaded'), await cache.get('key')]
  const map = new BoundedMap({ maxEntries: 100 })
  for (let key = 0; key < 50; key += 1) map.set(key, key)
  const error = await cache.get(42).catch((reason) => reason)
  const isOne = SameError === CacheError && error instanceof CacheError && isCacheError(error)
  const result = JSON.stringify([values, map.get(7), isOne])
  if (result !== '[["loaded","loaded"],7,true]') throw new Error(`the application returned ${result}`)
  globalThis.finished?.()
}

void main()
