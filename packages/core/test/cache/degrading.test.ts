import { describe, expect, it } from 'vitest'
import { Cache, type CacheBackend, type Item, nullBackend } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { codeOf, collect, twoProcesses } from './rig.ts'

/** All methods of a cache by their names, with the result of each on an empty cache with a working backend. */
const reads: Readonly<
  Record<string, readonly [(cache: Cache, readFailure?: 'miss' | 'reject') => Promise<unknown>, unknown]>
> = {
  get: [(cache, readFailure) => cache.get('k', { readFailure }), undefined],
  has: [(cache, readFailure) => cache.has('k', { readFailure }), false],
  getMany: [(cache, readFailure) => cache.getMany(['k', 'j'], { readFailure }), [undefined, undefined]],
  getOrSet: [(cache, readFailure) => cache.getOrSet('k', () => 'loaded', { readFailure }), 'loaded'],
  getOrSetMany: [
    (cache, readFailure) => cache.getOrSetMany(['k'], () => ({ k: 'loaded' }), { readFailure }),
    ['loaded'],
  ],
}

const writes: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
  item: (cache) => cache.item('k'),
  ttl: (cache) => cache.ttl('k'),
  set: (cache) => cache.set('k', 1),
  'set with tags': (cache) => cache.set('k', 1, { tags: ['t'] }),
  setMany: (cache) => cache.setMany({ k: 1 }),
  add: (cache) => cache.add('k', 1),
  replace: (cache) => cache.replace('k', 1),
  compareAndSet: (cache) => cache.compareAndSet('k', 'v', 1),
  update: (cache) => cache.update('k', () => 1),
  increment: (cache) => cache.increment('k'),
  touch: (cache) => cache.touch('k'),
  expire: (cache) => cache.expire('k', 1),
  take: (cache) => cache.take('k'),
  delete: (cache) => cache.delete('k'),
  deleteMany: (cache) => cache.deleteMany(['k', 'j']),
  deleteByTag: (cache) => cache.deleteByTag('t'),
  deleteByPrefix: (cache) => cache.deleteByPrefix('k'),
  clear: (cache) => cache.clear(),
  withLock: (cache) => cache.withLock('k', () => 1),
  rateLimit: (cache) => cache.rateLimit('k', { limit: 1, window: 1000 }),
  stats: (cache) => cache.stats(),
  keys: (cache) => collect(cache.keys()),
}

describe('R41 a backend that fails', () => {
  for (const [method, [call, whenMissing]] of Object.entries(reads)) {
    it(`${method} returns a miss and emits an error, unless readFailure is reject`, async () => {
      const { cache, far, clock } = twoProcesses()
      const codes: string[] = []
      cache.on('error', ({ error }) => codes.push(error.code))
      far.broken = true
      expect(await call(cache)).toEqual(whenMissing)
      expect(new Set(codes)).toEqual(new Set(['UNAVAILABLE']))
      expect(codes.length).toBeGreaterThan(0)
      expect(await codeOf(call(cache, 'reject'))).toBe('UNAVAILABLE')
      const strict = new Cache({ backend: far, clock, readFailure: 'reject' })
      expect(await codeOf(call(strict))).toBe('UNAVAILABLE')
      expect(await call(strict, 'miss')).toEqual(whenMissing)
      far.broken = false
      expect(await call(cache)).toEqual(whenMissing)
    })
  }

  for (const [method, call] of Object.entries(writes)) {
    it(`${method} rejects, counts one error, and works again once the backend has recovered`, async () => {
      const { cache, far } = twoProcesses()
      far.broken = true
      expect(await codeOf(call(cache))).toBe('UNAVAILABLE')
      far.broken = false
      expect((await cache.stats()).errors).toBe(1)
      await call(cache)
    })
  }

  it('a load reaches its callers, whichever of its steps fails', async () => {
    for (const operation of ['get', 'compareAndSet', 'getMany'] as const) {
      const { cache, far } = twoProcesses({ staleFor: '1h' })
      far.failing.add(operation)
      const loader = async (load: { tags: readonly string[] | undefined }): Promise<string> => {
        load.tags = ['late', 'later']
        return 'value'
      }
      expect(await cache.getOrSet('k', loader as never, { tags: ['t', 'u'] })).toBe('value')
      far.failing.clear()
      expect((await cache.stats()).errors).toBeGreaterThan(0)
    }
  })

  it('an error of another class becomes a CacheError that names operation, backend and cause', async () => {
    const cause = new TypeError('socket')
    const backend: CacheBackend = { ...nullBackend, name: 'odd', get: () => Promise.reject(cause) }
    const failure = await new Cache({ backend }).item('k').catch((error) => error)
    expect(failure).toMatchObject({
      name: 'CacheError',
      code: 'BACKEND_FAILURE',
      operation: 'item',
      backend: 'odd',
      key: 'k',
      cause,
    })
  })

  it('a synchronous throw has the same effect as a rejection', async () => {
    const throwing = (): never => {
      throw new Error('thrown')
    }
    const backend = { name: 'odd', get: throwing, set: throwing, delete: throwing, clear: throwing } as CacheBackend
    const cache = new Cache({ backend })
    expect(await cache.get('k')).toBe(undefined)
    expect(await cache.getMany(['k', 'j'])).toEqual([undefined, undefined])
    expect(await cache.getOrSet('k', () => 1)).toBe(1)
    for (const call of [
      cache.set('k', 1),
      cache.setMany({ k: 1 }),
      cache.delete('k'),
      cache.deleteMany(['k']),
      cache.clear(),
    ])
      expect(await codeOf(call)).toBe('BACKEND_FAILURE')
  })
})

/** A backend with only the four required members. */
function four(inner: CacheBackend): CacheBackend {
  return {
    name: 'four',
    get: (key) => inner.get(key),
    set: (item) => inner.set(item),
    delete: (key) => inner.delete(key),
    clear: (prefix) => inner.clear(prefix),
  }
}

describe('a backend with only the four required members', () => {
  const open = (): Cache => new Cache({ backend: four(new MapBackend({ items: new Map<string, Item>() })), ttl: '1m' })

  it('the cache reads, writes, loads, tags, clears and has namespaces', async () => {
    const cache = open()
    await cache.set('k', 1, { tags: ['t'] })
    await cache.setMany([
      ['a', 1],
      ['b', 1],
      ['a', 2],
    ])
    expect(await cache.getMany(['k', 'a', 'b', 'x', 'a'])).toEqual([1, 2, 1, undefined, 2])
    expect(await cache.has('k')).toBe(true)
    expect((await cache.item('k'))?.value).toBe(1)
    expect(await cache.ttl('k')).toBeGreaterThan(59_000)
    expect(await cache.getOrSet('l', async () => 'loaded', { tags: ['t', 'u'] })).toBe('loaded')
    expect(await cache.get('l')).toBe('loaded')
    expect(await cache.getOrSetMany(['a', 'm'], () => ({ m: 'many' }))).toEqual([2, 'many'])
    expect(await cache.deleteMany(['a', 'x', 'a'])).toBe(1)
    expect(await cache.delete('b')).toBe(true)
    await cache.deleteByTag('t')
    expect(await cache.getMany(['k', 'l', 'm'])).toEqual([undefined, undefined, 'many'])
    await cache.namespace('n').set('k', 'inner')
    await cache.deleteByPrefix('m')
    expect(await cache.get('m')).toBe(undefined)
    expect(await cache.namespace('n').get('k')).toBe('inner')
    await cache.clear()
    expect(await cache.namespace('n').get('k')).toBe(undefined)
    expect((await cache.stats()).items).toBe(0)
    await cache.close()
  })

  it('operations that need compare-and-set or iteration reject with UNSUPPORTED, and write nothing', async () => {
    const cache = open()
    for (const [method, call] of Object.entries({
      add: cache.add('k', 1),
      replace: cache.replace('k', 1),
      compareAndSet: cache.compareAndSet('k', undefined, 1),
      update: cache.update('k', () => 1),
      increment: cache.increment('k'),
      decrement: cache.decrement('k'),
      touch: cache.touch('k'),
      expire: cache.expire('k', 1),
      take: cache.take('k'),
      withLock: cache.withLock('k', () => 1),
      rateLimit: cache.rateLimit('k', { limit: 1, window: 1 }),
      keys: collect(cache.keys()),
    }))
      expect(await codeOf(call), method).toBe('UNSUPPORTED')
    expect(await cache.has('k')).toBe(false)
    expect((await cache.stats()).errors).toBe(0)
  })

  it('a load with lock works as one without', async () => {
    expect(await open().getOrSet('k', () => 1, { lock: true })).toBe(1)
  })
})
