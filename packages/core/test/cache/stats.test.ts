import { describe, expect, it } from 'vitest'
import { Cache, nullBackend, type Stats } from '../../src/index.ts'
import { bothStores, codeOf, GatedLoad, settled, twoProcesses } from './rig.ts'

/** The figures that an action changes, with their differences. */
async function moved(cache: Cache, action: () => Promise<unknown>): Promise<Partial<Record<keyof Stats, number>>> {
  const before = await cache.stats()
  await action().catch(() => {})
  await settled()
  const after = await cache.stats()
  const names = ['hits', 'misses', 'sets', 'deletes', 'loads', 'loadFailures', 'errors'] as const
  return Object.fromEntries(
    names.map((name) => [name, after[name] - before[name]] as const).filter(([, by]) => by !== 0),
  )
}

for (const [name, open] of bothStores) {
  describe(`stats, on ${name}`, () => {
    it('hits and misses count each key that a read asks for, and nothing else', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.set('k', 1)
      expect(await moved(cache, () => cache.get('k'))).toEqual({ hits: 1 })
      expect(await moved(cache, () => cache.get('x'))).toEqual({ misses: 1 })
      expect(await moved(cache, () => cache.getMany(['k', 'x', 'k']))).toEqual({ hits: 2, misses: 1 })
      expect(await moved(cache, () => cache.getOrSet('k', () => 1))).toEqual({ hits: 1 })
      expect(await moved(cache, () => cache.getOrSetMany(['k', 'k'], () => ({})))).toEqual({ hits: 1 })
      expect(await moved(cache, () => cache.take('x'))).toEqual({ misses: 1 })
      expect(await moved(cache, () => cache.has('k'))).toEqual({})
      expect(await moved(cache, () => cache.item('x'))).toEqual({})
      expect(await moved(cache, () => cache.ttl('k'))).toEqual({})
      expect(await moved(cache, () => cache.update('x', () => undefined))).toEqual({})
      clock.advance(60_000)
      expect(await moved(cache, () => cache.get('k'))).toEqual({ misses: 1 })
      expect(await moved(cache, () => cache.get('k', { stale: true }))).toEqual({ hits: 1 })
      await cache.set('t', 1, { tags: ['t'] })
      await cache.deleteByTag('t')
      expect(await moved(cache, () => cache.get('t'))).toEqual({ misses: 1 })
    })

    it('sets counts each item that was stored', async () => {
      const { cache } = open()
      expect(await moved(cache, () => cache.set('k', 1))).toEqual({ sets: 1 })
      expect(await moved(cache, () => cache.setMany({ a: 1, b: 1 }))).toEqual({ sets: 2 })
      expect(await moved(cache, () => cache.add('k', 1))).toEqual({})
      expect(await moved(cache, () => cache.add('new', 1))).toEqual({ sets: 1 })
      expect(await moved(cache, () => cache.replace('k', 1))).toEqual({ sets: 1 })
      expect(await moved(cache, () => cache.update('k', () => 1))).toEqual({ sets: 1 })
      expect(await moved(cache, () => cache.compareAndSet('k', 'v', 1))).toEqual({})
      expect(await moved(cache, () => cache.increment('n'))).toEqual({})
      expect(await moved(cache, () => cache.touch('k'))).toEqual({})
      expect(await moved(cache, () => cache.set('k', 1, { ttl: 0 }))).toEqual({})
      expect(await moved(cache, () => cache.set('k', undefined))).toEqual({})
      expect(await moved(cache, () => cache.withLock('l', () => 1))).toEqual({})
      expect(await moved(cache, () => cache.rateLimit('r', { limit: 1, window: 1000 }))).toEqual({})
    })

    it('deletes counts each live value that was removed', async () => {
      const { cache } = open()
      await cache.setMany({ a: 1, b: 1, c: 1, d: 1 })
      expect(await moved(cache, () => cache.delete('a'))).toEqual({ deletes: 1 })
      expect(await moved(cache, () => cache.delete('a'))).toEqual({})
      expect(await moved(cache, () => cache.deleteMany(['b', 'x', 'b']))).toEqual({ deletes: 1 })
      expect(await moved(cache, () => cache.take('c'))).toEqual({ hits: 1, deletes: 1 })
      expect(await moved(cache, () => cache.deleteByTag('t'))).toEqual({})
      expect(await moved(cache, () => cache.clear())).toEqual({})
    })

    it('loads counts each run that ended, and loadFailures those that threw', async () => {
      const { cache, clock } = open({ timeout: '1s' })
      expect(await moved(cache, () => cache.getOrSet('k', () => 1))).toEqual({ misses: 1, loads: 1, sets: 1 })
      expect(await moved(cache, () => cache.getOrSet('u', () => undefined))).toEqual({ misses: 1, loads: 1 })
      const failing = (): Promise<never> => Promise.reject(new Error('down'))
      expect(await moved(cache, () => cache.getOrSet('f', failing))).toEqual({ misses: 1, loads: 1, loadFailures: 1 })
      expect(await moved(cache, () => cache.getOrSetMany(['a', 'b'], () => ({ a: 1 })))).toEqual({
        misses: 2,
        loads: 2,
        sets: 1,
      })
      const load = new GatedLoad<string>()
      const slow = async (): Promise<void> => {
        const first = codeOf(cache.getOrSet('slow', load.loader))
        await load.started()
        clock.advance(1000)
        await first
      }
      expect(await moved(cache, slow)).toEqual({ misses: 1 })
      expect(await moved(cache, async () => load.end('late'))).toEqual({ loads: 1, sets: 1 })
    })

    it('means and rates are computed', async () => {
      const { cache, clock } = open()
      expect(await cache.stats()).toMatchObject({ hitRate: 0, averageLoadTime: 0, averageGetTime: 0 })
      for (const ms of [100, 300])
        await cache.getOrSet(`k${ms}`, () => {
          clock.advance(ms)
          return ms
        })
      await cache.get('k300')
      await cache.get('k300')
      expect(await cache.stats()).toMatchObject({ hitRate: 0.5, averageLoadTime: 200, items: 2 })
      expect((await cache.stats()).averageGetTime).toBeGreaterThan(0)
    })

    it('the figures cover the cache and all its namespaces', async () => {
      const { cache } = open()
      await cache.namespace('a').set('k', 1)
      await cache.namespace('a').namespace('b').get('k')
      expect(await cache.stats()).toMatchObject({ sets: 1, misses: 1 })
      expect(await cache.namespace('a').stats()).toMatchObject({ sets: 1, misses: 1 })
    })
  })
}

describe('stats of a failing backend', () => {
  it('errors counts each failure, whether the caller sees it or not', async () => {
    const { cache, far } = twoProcesses()
    far.failing.add('set')
    far.failing.add('delete')
    expect(await moved(cache, () => cache.set('k', 1))).toEqual({ errors: 1 })
    expect(await moved(cache, () => cache.delete('k'))).toEqual({ errors: 1 })
    far.failing.add('compareAndSet')
    expect(await moved(cache, () => cache.getOrSet('k', () => 1))).toEqual({ misses: 1, loads: 1, errors: 1 })
    expect(await moved(cache, () => cache.set('k', undefined))).toEqual({})
    expect(await moved(cache, () => cache.increment('k', 0.5))).toEqual({})
  })

  it('the figures that the backend does not provide are 0', async () => {
    expect(await new Cache({ backend: nullBackend }).stats()).toMatchObject({
      items: 0,
      size: 0,
      evictions: 0,
      expired: 0,
    })
  })
})
