import { describe, expect, it } from 'vitest'
import type { Stats } from '../../src/index.ts'
import { figures } from '../../src/metrics/figures.ts'
import { type Observations, observeCaches, prometheusText, statsdLines } from '../../src/metrics/index.ts'
import { oneProcess } from '../cache/rig.ts'

const some: Stats = {
  hits: 3,
  misses: 1,
  sets: 2,
  deletes: 0,
  loads: 2,
  loadFailures: 1,
  errors: 0,
  evictions: 5,
  expired: 6,
  items: 42,
  size: 1024,
  hitRate: 0.75,
  averageLoadTime: 12.5,
  averageGetTime: 0.25,
}

describe('the figures', () => {
  it('are all that a cache tells, each once', async () => {
    const told = Object.keys(await oneProcess().cache.stats())
    expect(figures.map(({ stat }) => stat).sort()).toEqual(told.sort())
  })
})

describe('prometheusText', () => {
  it('gives every figure of every cache, with help and type, times in seconds', () => {
    const text = prometheusText({ users: some, prices: { ...some, hits: 0 } })
    const lines = text.split('\n')
    expect(lines.slice(0, 4)).toEqual([
      '# HELP cache_hits_total Requested keys that had a value',
      '# TYPE cache_hits_total counter',
      'cache_hits_total{cache="users"} 3',
      'cache_hits_total{cache="prices"} 0',
    ])
    expect(lines).toContain('cache_load_failures_total{cache="users"} 1')
    expect(lines).toContain('# TYPE cache_size_bytes gauge')
    expect(lines).toContain('cache_size_bytes{cache="users"} 1024')
    expect(lines).toContain('cache_hit_ratio{cache="users"} 0.75')
    expect(lines).toContain('cache_average_load_seconds{cache="users"} 0.0125')
    expect(lines.length).toBe(figures.length * 4 + 1)
    expect(text.endsWith('\n')).toBe(true)
  })

  it('escapes what would end a label', () => {
    expect(prometheusText({ 'a"b\\c\nd': some })).toContain('cache_hits_total{cache="a\\"b\\\\c\\nd"} 3\n')
  })
})

describe('statsdLines', () => {
  it('gives counters as what came since the last time, and gauges as they are', () => {
    const first = statsdLines('shop.users', some)
    expect(first).toContain('shop.users.hits:3|c')
    expect(first).toContain('shop.users.items:42|g')
    expect(first).toContain('shop.users.average_get_seconds:0.00025|g')
    const next = statsdLines('shop.users', { ...some, hits: 7, items: 41 }, some)
    expect(next.filter((line) => line.endsWith('|c'))).toEqual(['shop.users.hits:4|c'])
    expect(next).toContain('shop.users.items:41|g')
  })

  it('lets no name break the protocol', () => {
    expect(statsdLines('a:1|c\nb@#é', some)[0]).toBe('a_1_c_b___.hits:3|c')
  })
})

describe('observeCaches', () => {
  it('leaves out a cache whose figures cannot be had, and ends when it is told to', async () => {
    const callbacks = new Set<(observations: Observations<string>) => Promise<void>>()
    const meter = {
      createObservableCounter: (name: string) => name,
      createObservableGauge: (name: string) => name,
      addBatchObservableCallback: (callback: (observations: Observations<string>) => Promise<void>) => {
        callbacks.add(callback)
      },
      removeBatchObservableCallback: (callback: (observations: Observations<string>) => Promise<void>) => {
        callbacks.delete(callback)
      },
    }
    const { cache } = oneProcess()
    const failing = { stats: () => Promise.reject(new Error('down')) }
    const throwing = {
      stats: (): Stats => {
        throw new Error('closed')
      },
    }
    const end = observeCaches(meter, { cache, failing, throwing, fixed: { stats: () => some } })
    const told: [string, number, string][] = []
    await cache.set('k', 1)
    for (const callback of callbacks)
      await callback({ observe: (name, value, attributes) => told.push([name, value, attributes.cache]) })
    expect(told.filter(([name]) => name === 'cache.sets')).toEqual(
      expect.arrayContaining([
        ['cache.sets', 1, 'cache'],
        ['cache.sets', 2, 'fixed'],
      ]),
    )
    expect(new Set(told.map(([, , name]) => name))).toEqual(new Set(['cache', 'fixed']))
    expect(told.length).toBe(2 * figures.length)
    end()
    expect(callbacks.size).toBe(0)
  })
})
