import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { Cache, CacheError } from '@cache/core'
import { openCache } from '@cache/core/config'
import { LayeredBackend } from '@cache/layered'
import { MemoryBackend } from '@cache/memory'
import { ResilientBackend } from '@cache/resilient'
import { ShardedBackend } from '@cache/sharded'

const memory = () => new MemoryBackend({ maxEntries: 100 })
const backends = [
  memory(),
  new LayeredBackend({ layers: [memory(), memory()] }),
  new ResilientBackend({ backend: memory() }),
  new ShardedBackend({ shards: { a: memory(), b: memory() } }),
]

for (const backend of backends) {
  const cache = new Cache({ backend, ttl: '1m' })
  assert.equal(await cache.getOrSet('key', async () => 'loaded'), 'loaded')
  assert.equal(await cache.get('key'), 'loaded')
  await cache.close()
}

const configured = await openCache('memory:?ttl=1m')
await configured.set('key', 'value')
assert.equal(await configured.get('key'), 'value')
await configured.close()

for (const name of ['@cache/redis', '@cache/postgres', '@cache/codecs']) {
  assert.ok(Object.keys(await import(name)).length > 0)
}

assert.equal(createRequire(import.meta.url)('@cache/core').CacheError, CacheError)
