import { describe, expect, it } from 'vitest'
import { createMovableClock, type MovableClock } from '../../src/conformance/index.ts'
import { createRandom, type Random } from '../../src/conformance/samples/random.ts'
import { Cache, type CacheOptions, SyncCache, type SyncCacheOptions } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { SyncMapBackend } from '../conformance/sync-map-backend.ts'
import { collect, GatedLoad, settled } from './rig.ts'

function open(options: Partial<SyncCacheOptions> = {}): { cache: SyncCache; clock: MovableClock; backend: MapBackend } {
  const clock = createMovableClock()
  const backend = new MapBackend({ clock })
  return { clock, backend, cache: new SyncCache({ backend, clock, ttl: '1m', ...options } as SyncCacheOptions) }
}

function codeThrownBy(call: () => unknown): unknown {
  try {
    return { returned: call() }
  } catch (error) {
    return (error as { code?: unknown }).code ?? error
  }
}

/** One call on both caches, with the same arguments. */
type Call = (cache: Cache | SyncCache) => unknown

function anyCall(random: Random): Call {
  const key = (): string => random.pick(['a', 'b', 'c', '@d', 'n'])
  const options = (): object =>
    random.pick([
      {},
      { ttl: 0 },
      { ttl: 500 },
      { ttl: 700, staleFor: 900 },
      { tags: ['t'] },
      { tags: ['t', 'u'], cost: 3 },
      { ttl: Infinity },
      { ttl: -1 },
    ])
  const value = (): unknown => random.pick([1, 2, 'text', null, false, { deep: [1] }, undefined])
  const calls: ((cache: Cache, k: string, v: unknown, o: object) => unknown)[] = [
    (cache, k) => cache.get(k),
    (cache, k) => cache.get(k, { stale: true }),
    (cache, k) => cache.has(k),
    (cache, k) => cache.getMany([k, 'a', 'zz', k]),
    (cache, k) => cache.ttl(k),
    (cache, k, v, o) => cache.set(k, v, o),
    (cache, k, v, o) =>
      cache.setMany(
        [
          ['x', 1],
          [k, v],
        ],
        o,
      ),
    (cache, k, v, o) => cache.add(k, v, o),
    (cache, k, v, o) => cache.replace(k, v, o),
    (cache, k, v, o) => cache.update(k, (now) => [now, v], o),
    (cache, k, v) => cache.compareAndSet(k, undefined, v),
    (cache, k) => cache.increment(k, 2),
    (cache) => cache.decrement('counter', 1, { ttl: 800 }),
    (cache, k) => cache.touch(k, { ttl: 600 }),
    (cache, k) => cache.expire(k, 400),
    (cache, k) => cache.take(k),
    (cache, k) => cache.delete(k),
    (cache, k) => cache.deleteMany([k, 'b', k]),
    (cache) => cache.deleteByTag('t'),
    (cache) => cache.deleteByTag('u', 'other'),
    (cache) => cache.deleteByPrefix('@'),
    (cache) => cache.clear(),
    (cache) => cache.rateLimit('r', { limit: 3, window: 1000 }),
    (cache, k, v, o) => cache.getOrSet(k, () => v as string, o),
    (cache, k) =>
      cache.getOrSet(
        k,
        (load) => {
          load.tags = ['u']
          load.ttl = 300
          return load.stale === undefined ? 'loaded' : load.notModified()
        },
        { forceRefresh: true },
      ),
    (cache, k) =>
      cache.getOrSetMany([k, 'a', 'y'], (missing) => missing.map((one): [string, string] => [one, `made ${one}`])),
    (cache, k, v) => cache.namespace('inner').set(k, v),
    (cache, k) => cache.namespace('inner').get(k),
    (cache) => cache.namespace('inner').clear(),
  ]
  const call = random.pick(calls)
  const [k, v, o] = [key(), value(), options()]
  return (cache) => call(cache as Cache, k, v, o)
}

/** The result or error of a call, without the parts that differ between any two caches. */
async function outcome(call: Call, cache: Cache | SyncCache): Promise<unknown> {
  try {
    return { gives: await call(cache) }
  } catch (error) {
    const { code, operation, message } = error as { code: string; operation: string; message: string }
    return { throws: [code, operation, message] }
  }
}

describe('a SyncCache', () => {
  it('every call of a random walk gives the results and the counts of a Cache (seeded)', async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
    const random = createRandom(seed)
    for (let walk = 0; walk < 40; walk += 1) {
      const clock = createMovableClock()
      // Stale values wait for their renewal in both caches: a cache without promises has no background loads.
      const common = { clock, ttl: 1000, staleFor: 500, random: () => 0.25 }
      const asynchronous: CacheOptions = { ...common, softTimeout: Infinity, backend: new MapBackend({ clock }) }
      const cache = new Cache(asynchronous)
      const sync = new SyncCache({ ...common, backend: new MapBackend({ clock }) })
      for (let step = 0; step < 120; step += 1) {
        const call = anyCall(random)
        const where = `SEED=${seed}, walk ${walk}, step ${step}: ${call}`
        expect(await outcome(call, sync), where).toEqual(await outcome(call, cache))
        if (random.below(3) === 0) clock.advance(random.below(400))
      }
      const { averageGetTime: _one, ...figures } = await cache.stats()
      const { averageGetTime: _other, ...syncFigures } = sync.stats()
      expect(syncFigures, `SEED=${seed}, walk ${walk}`).toEqual(figures)
      expect([...sync.keys()].sort(), `SEED=${seed}, walk ${walk}`).toEqual((await collect(cache.keys())).sort())
      for (const key of sync.keys()) {
        const { version: _v, tags: tagsOfSync, ...item } = sync.item(key) ?? { version: '' }
        const { version: _w, tags, ...other } = (await cache.item(key)) ?? { version: '' }
        expect(item).toEqual(other)
        expect(Object.keys(tagsOfSync ?? {}).sort()).toEqual(Object.keys(tags ?? {}).sort())
      }
    }
  })

  it('every method of a Cache exists, except withLock, inTransaction and health, which have to wait', () => {
    const waiting = ['withLock', 'inTransaction', 'health']
    const methods = (type: { prototype: object }): string[] => Object.getOwnPropertyNames(type.prototype).sort()
    expect(methods(SyncCache)).toEqual(methods(Cache).filter((name) => !waiting.includes(name)))
  })

  it('a loader that throws leads to a stale value, and to no further load for retryAfter', () => {
    const { cache, clock } = open({ staleFor: '1h', retryAfter: '5s' })
    cache.set('k', 'old')
    clock.advance(60_000)
    let runs = 0
    const failing = (): string => {
      runs += 1
      throw new Error('down')
    }
    expect(cache.getOrSet('k', failing)).toBe('old')
    expect(cache.getOrSet('k', failing)).toBe('old')
    expect(runs).toBe(1)
    expect(cache.getOrSet('k', failing, { forceRefresh: true })).toBe('old')
    expect(runs).toBe(2)
    clock.advance(5000)
    expect(cache.getOrSet('k', () => 'new')).toBe('new')
    expect(() => cache.getOrSet('other', failing)).toThrow('down')
  })

  it('R1 R4 R5 a result that its own loader made old is not stored', () => {
    const { cache } = open()
    expect(
      cache.getOrSet('k', () => {
        cache.set('k', 'set')
        return 'loaded'
      }),
    ).toBe('loaded')
    expect(cache.get('k')).toBe('set')
    cache.getOrSet(
      'l',
      () => {
        cache.deleteByTag('t')
        return 'loaded'
      },
      { tags: ['t'] },
    )
    expect(cache.get('l')).toBe(undefined)
    cache.getOrSet('m', (load) => {
      load.tags = ['u']
      cache.deleteByTag('u')
      return 'loaded'
    })
    expect(cache.get('m')).toBe(undefined)
    cache.getOrSetMany(['a', 'b'], () => {
      cache.delete('a')
      return { a: 1, b: 2 }
    })
    expect(cache.getMany(['a', 'b'])).toEqual([undefined, 2])
  })

  it('a loader that names tags without declaring its parameter is stored from the second run on', () => {
    const { cache } = open()
    const loader = (...given: { tags?: readonly string[] }[]): number => {
      for (const load of given) load.tags = ['late']
      return 1
    }
    cache.getOrSet('k', loader as () => number)
    cache.getOrSet('k', loader as () => number)
    expect(cache.get('k')).toBe(1)
    cache.deleteByTag('late')
    expect(cache.get('k')).toBe(undefined)
  })

  it('R36 a stored result keeps out the running load of a Cache on the same backend', async () => {
    const { cache: sync, backend, clock } = open()
    const cache = new Cache({ backend, clock, ttl: '1m' })
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    expect(sync.getOrSet('k', () => 'sync')).toBe('sync')
    load.end('async')
    expect(await first).toBe('async')
    await settled()
    expect(sync.get('k')).toBe('sync')
  })

  it('R36 a loader may load the same key by a Cache, which does not wait for the synchronous load', async () => {
    const { cache, backend, clock } = open()
    const other = new Cache({ backend, clock, ttl: '1m' })
    const inner: Promise<unknown>[] = []
    const outer = cache.getOrSet('k', () => {
      inner.push(other.getOrSet('k', async () => 'inner'))
      return 'outer'
    })
    expect([outer, ...(await Promise.all(inner)), await other.get('k')]).toEqual(['outer', 'inner', 'inner'])
  })

  it('getOrSetMany loads all keys at once, serves stale values if every key has one, and throws otherwise', () => {
    const { cache, clock } = open({ staleFor: '1h' })
    cache.setMany({ a: 'old a', b: 'old b' })
    const failing = (): never => {
      throw new Error('down')
    }
    clock.advance(60_000)
    expect(cache.getOrSetMany(['a', 'b'], failing)).toEqual(['old a', 'old b'])
    expect(() => cache.getOrSetMany(['a', 'c'], failing)).toThrow('down')
    expect(codeThrownBy(() => cache.getOrSetMany(['c'], () => undefined as never))).toBe('INVALID_ARGUMENT')
  })

  it('the constructor accepts a synchronous backend or one with a synchronous side, and refuses others', async () => {
    expect(new SyncCache({ backend: new SyncMapBackend() }).get('k')).toBe(undefined)
    const { BreakpointBackend } = await import('../../src/conformance/index.ts')
    expect(codeThrownBy(() => new SyncCache({ backend: new BreakpointBackend(new MapBackend()) }))).toBe(
      'INVALID_ARGUMENT',
    )
    expect(codeThrownBy(() => new SyncCache({ backend: {} as never }))).toBe('INVALID_ARGUMENT')
  })

  it('R33 every call after close throws CLOSED, of namespaces too, and using closes the cache', () => {
    const { cache } = open()
    const inner = cache.namespace('inner')
    cache.close()
    for (const one of [cache, inner]) {
      for (const call of [
        () => one.get('k'),
        () => one.set('k', 1),
        () => one.getOrSet('k', () => 1),
        () => one.getOrSetMany(['k'], () => ({})),
        () => one.stats(),
        () => [...one.keys()],
        () => one.on('hit', () => {}),
        () => one.rateLimit('k', { limit: 1, window: 1 }),
        () => one.namespace('n'),
      ])
        expect(codeThrownBy(call)).toBe('CLOSED')
    }
    {
      using disposed = open().cache
      disposed.set('k', 1)
    }
  })

  it('invalid arguments are refused before any write', () => {
    const { cache } = open()
    for (const call of [
      () => cache.get(5 as never),
      () => cache.set('k', undefined),
      () => cache.set('k', 1, { ttl: 'soon' as never }),
      () => cache.getOrSet('k', 'loader' as never),
      () => cache.getOrSet('k', () => 1, null as never),
      () => cache.getOrSet('k', () => 1, { lock: true } as never),
      () => cache.getOrSetMany('k' as never, () => ({})),
      () => cache.update('k', 5 as never),
      () => cache.increment('k', 0.5),
      () => cache.rateLimit('k', null as never),
      () => cache.getMany(['k'], { readFailure: 'x' } as never),
    ])
      expect(codeThrownBy(call)).toBe('INVALID_ARGUMENT')
    expect(cache.has('k')).toBe(false)
  })
})
