import { Cache, CacheError, type CacheOptions } from '@cache/core'
import { milliseconds } from '@cache/core/backend'
import { prometheusText } from '@cache/core/metrics'
import { BoundedMap, MemoryBackend } from '@cache/memory'
import { simulatePolicies } from '@cache/memory/simulate'

const options: CacheOptions = { backend: new MemoryBackend({ maxEntries: 100 }), ttl: '1m' }

test('a cache hits', async () => {
  const cache = new Cache<string>(options)
  const value: string = await cache.getOrSet('key', async () => 'loaded')
  expect(value).toBe('loaded')
  expect(prometheusText({ some: await cache.stats() })).toContain('cache_loads_total{cache="some"} 1')
  await expect(cache.get(42 as unknown as string)).rejects.toBeInstanceOf(CacheError)
})

test('the other entry points have types and code', () => {
  const ms: number = milliseconds('2m', 'ttl', 'test')
  expect(ms).toBe(120_000)
  const map = new BoundedMap<string, number>({ maxEntries: 1 })
  map.set('a', 1)
  expect(map.get('a')).toBe(1)
  expect(typeof simulatePolicies).toBe('function')
})
