import { Cache } from '@cache/core'
import { observeCaches } from '@cache/core/metrics'
import { MemoryBackend } from '@cache/memory'
import { RedisBackend } from '@cache/redis'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import DataLoader from 'dataloader'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshPrefix, redisUrl, startServers, stopServers } from './real-backends.ts'

beforeAll(startServers, 300_000)
afterAll(stopServers, 60_000)

/** Collects when the test says so. */
class Reader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

describe('OpenTelemetry', () => {
  it('observes caches through observeCaches, with the meter as it comes', async () => {
    const reader = new Reader()
    const provider = new MeterProvider({ readers: [reader] })
    const cache = new Cache({ backend: new MemoryBackend({ maxEntries: 10 }) })
    const end = observeCaches(provider.getMeter('caches'), { users: cache })
    await cache.set('k', 1)
    await cache.get('k')
    await cache.get('missing')
    const collect = async (): Promise<Map<string, unknown>> => {
      const { resourceMetrics, errors } = await reader.collect()
      expect(errors).toEqual([])
      const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics)
      return new Map(
        metrics.map(({ descriptor, dataPoints }) => [
          descriptor.name,
          dataPoints.map(({ attributes, value }) => [attributes, value]),
        ]),
      )
    }
    const told = await collect()
    expect(told.get('cache.hits')).toEqual([[{ cache: 'users' }, 1]])
    expect(told.get('cache.hit_ratio')).toEqual([[{ cache: 'users' }, 0.5]])
    expect(told.get('cache.items')).toEqual([[{ cache: 'users' }, 1]])
    await cache.close()
    end()
    await provider.shutdown()
  })
})

describe('DataLoader', () => {
  it('loads through a cache on any backend: one look-up and one load for all that are asked for at once', async () => {
    const cache = new Cache<string>({
      backend: new RedisBackend({ url: redisUrl(), prefix: freshPrefix() }),
      ttl: '10m',
    })
    const asked: string[][] = []
    const load = async (ids: readonly string[]): Promise<[string, string][]> => {
      asked.push([...ids])
      return ids.filter((id) => id !== 'none').map((id) => [id, `user ${id}`])
    }
    const users = (): DataLoader<string, string | undefined> => new DataLoader((ids) => cache.getOrSetMany(ids, load))
    const one = users()
    expect(await Promise.all([one.load('1'), one.load('2'), one.load('1')])).toEqual(['user 1', 'user 2', 'user 1'])
    // Another request: what the first has loaded is there.
    const two = users()
    expect(await Promise.all([two.load('2'), two.load('3'), two.load('none')])).toEqual(['user 2', 'user 3', undefined])
    expect(asked).toEqual([
      ['1', '2'],
      ['3', 'none'],
    ])
    await cache.close()
  })
})
