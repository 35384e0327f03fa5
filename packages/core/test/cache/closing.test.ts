import { describe, expect, it } from 'vitest'
import { createMovableClock, type MovableClock } from '../../src/conformance/index.ts'
import { type BackendEvent, Cache, type CacheBackend, CacheError, SyncCache } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { bothStores, codeOf, collect, GatedLoad, oneProcess, settled, twoProcesses } from './rig.ts'

/** Every method that reads or writes, each as a call that would succeed. */
const calls: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
  get: (cache) => cache.get('k'),
  getMany: (cache) => cache.getMany(['k']),
  has: (cache) => cache.has('k'),
  item: (cache) => cache.item('k'),
  ttl: (cache) => cache.ttl('k'),
  getOrSet: (cache) => cache.getOrSet('k', () => 1),
  getOrSetMany: (cache) => cache.getOrSetMany(['k'], () => ({ k: 1 })),
  set: (cache) => cache.set('k', 1),
  setMany: (cache) => cache.setMany({ k: 1 }),
  add: (cache) => cache.add('k', 1),
  replace: (cache) => cache.replace('k', 1),
  compareAndSet: (cache) => cache.compareAndSet('k', undefined, 1),
  update: (cache) => cache.update('k', () => 1),
  increment: (cache) => cache.increment('n'),
  decrement: (cache) => cache.decrement('n'),
  touch: (cache) => cache.touch('k'),
  expire: (cache) => cache.expire('k', 1),
  take: (cache) => cache.take('k'),
  delete: (cache) => cache.delete('k'),
  deleteMany: (cache) => cache.deleteMany(['k']),
  deleteByTag: (cache) => cache.deleteByTag('t'),
  deleteByPrefix: (cache) => cache.deleteByPrefix('k'),
  clear: (cache) => cache.clear(),
  keys: (cache) => collect(cache.keys()),
  withLock: (cache) => cache.withLock('k', () => 1),
  rateLimit: (cache) => cache.rateLimit('k', { limit: 1, window: 1 }),
  stats: (cache) => cache.stats(),
  wrap: (cache) => cache.wrap(async () => 1, { key: 'f' })(),
  on: async (cache) => cache.on('hit', () => {}),
  namespace: async (cache) => cache.namespace('n'),
}

for (const [name, open] of bothStores) {
  describe(`close, on ${name}`, () => {
    it('R33 every later call rejects with CLOSED, of namespaces too', async () => {
      const { cache } = open()
      const inner = cache.namespace('inner')
      await cache.close()
      for (const [method, call] of Object.entries(calls)) {
        expect(await codeOf(call(cache)), method).toBe('CLOSED')
        expect(await codeOf(call(inner)), `inner ${method}`).toBe('CLOSED')
      }
    })

    it('R33 close of a namespace ends that object only', async () => {
      const { cache } = open()
      const inner = cache.namespace('inner')
      const twin = cache.namespace('inner')
      await inner.set('k', 1)
      await inner.close()
      for (const [method, call] of Object.entries(calls)) expect(await codeOf(call(inner)), method).toBe('CLOSED')
      expect(await twin.get('k')).toBe(1)
      await cache.set('k', 2)
      expect(await cache.get('k')).toBe(2)
    })

    it('close may be called twice, also concurrently, and by await using', async () => {
      const { cache } = open()
      await Promise.all([cache.close(), cache.close()])
      await cache.close()
      {
        await using disposed = open().cache
        await disposed.set('k', 1)
      }
    })
  })
}

describe('close with work in flight', () => {
  it('R33 operations of several steps end before the backend is closed', async () => {
    const { cache, far } = twoProcesses()
    await cache.set('n', 1)
    const held = far.holdBefore('getMany')
    const writes = [
      cache.set('a', 1, { tags: ['t', 'u'] }),
      cache.add('b', 2),
      cache.update('n', (n) => (n as number) + 1),
      cache.deleteByTag('x', 'y', 'z'),
      cache.rateLimit('r', { limit: 3, window: '1m' }),
    ]
    await held.reached
    const closing = cache.close()
    await settled()
    expect(far.calls).not.toContain('close')
    held.open()
    expect((await Promise.allSettled(writes)).map(({ status }) => status)).toEqual(Array(5).fill('fulfilled'))
    await closing
    expect(far.calls.at(-1)).toBe('close')
  })

  it('R33 reads end before the backend is closed', async () => {
    for (const read of [
      (cache: Cache) => cache.get('k'),
      (cache: Cache) => cache.get('k', {}),
      (cache: Cache) => cache.getOrSet('k', () => 'unused'),
    ]) {
      const { cache, far } = twoProcesses()
      await cache.set('k', 'value')
      const held = far.holdBefore('get')
      const reading = read(cache)
      await held.reached
      const closing = cache.close()
      await settled()
      expect(far.calls).not.toContain('close')
      held.open()
      expect(await reading).toBe('value')
      await closing
    }
  })

  it('R33 rate limit calls that wait for an earlier one end before the backend is closed', async () => {
    const { cache, far } = twoProcesses()
    const held = far.holdBefore('get')
    const calls = [1, 2, 3].map(() => cache.rateLimit('r', { limit: 2, window: '1m' }))
    await held.reached
    const closing = cache.close()
    held.open()
    expect((await Promise.all(calls)).map(({ allowed }) => allowed)).toEqual([true, true, false])
    await closing
  })

  it('R33 functions of the application do not delay close, and store nothing afterwards', async () => {
    const { cache, far, items } = twoProcesses()
    const change = new GatedLoad<string>()
    const update = codeOf(cache.update('k', change.loader))
    const load = new GatedLoad<string>()
    const loaded = cache.getOrSet('l', load.loader)
    await change.started()
    await load.started()
    await cache.close()
    expect(far.calls.at(-1)).toBe('close')
    change.end('late')
    load.end('late')
    expect(await update).toBe('CLOSED')
    expect(await loaded).toBe('late')
    await settled()
    expect([...items.values()].filter(({ value }) => value !== undefined)).toEqual([])
  })

  it('R33 leases on loads are released, so that another process need not wait for their expiry', async () => {
    const { cache, other } = twoProcesses({ lock: true })
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    await cache.close()
    expect(await other.getOrSet('k', async () => 'value')).toBe('value')
    load.end('late')
    await first
  })

  it('R33 no timer is left', async () => {
    const { cache, clock } = twoProcesses({ lock: true, timeout: '1m' })
    expect(await cache.getOrSet('k', async () => 1)).toBe(1)
    await cache.withLock('job', () => 1)
    await cache.close()
    expect(clock.timers).toBe(0)
  })

  it('events of the backend reach the listeners until the backend is closed', async () => {
    const listeners: ((event: BackendEvent) => void)[] = []
    const lost = new CacheError('BACKEND_FAILURE', '3 deletes were not done')
    const backend: CacheBackend = Object.assign(new MapBackend(), {
      listen: (listener: (event: BackendEvent) => void) => {
        listeners.push(listener)
        return () => void listeners.splice(listeners.indexOf(listener), 1)
      },
      close: async () => {
        for (const listener of listeners) listener({ type: 'error', error: lost })
      },
    })
    const cache = new Cache({ backend })
    const emitted: unknown[] = []
    cache.on('error', ({ error }) => emitted.push(error))
    await cache.close()
    expect([emitted, listeners]).toEqual([[lost], []])
  })

  it('a backend that fails to close makes close reject with a CacheError', async () => {
    const backend = new MapBackend()
    backend.close = () => Promise.reject(new Error('socket'))
    const failure = await new Cache({ backend }).close().catch((error) => error)
    expect(failure).toMatchObject({ name: 'CacheError', code: 'BACKEND_FAILURE', operation: 'close' })
  })
})

describe('two caches on one backend', () => {
  it('R36 both caches share their loads, deletes and tags', async () => {
    const { far, cache, clock } = twoProcesses()
    const second = new Cache({ backend: far, clock, ttl: '1m' })
    const load = new GatedLoad<string>()
    const all = [cache.getOrSet('k', load.loader), second.getOrSet('k', load.loader)]
    await load.started()
    load.end('shared')
    expect(await Promise.all(all)).toEqual(['shared', 'shared'])
    expect(load.runs).toBe(1)
    const old = cache.getOrSet('l', load.loader, { tags: ['t'] })
    await load.started()
    await second.deleteByTag('t')
    load.end('old')
    await old
    expect(await second.get('l')).toBe(undefined)
  })

  it('R36 each cache keeps its own figures, listeners and options', async () => {
    const { backend, cache, clock } = oneProcess()
    const second = new Cache({ backend, clock, ttl: '1h' })
    const emitted: string[] = []
    second.on('hit', ({ key }) => emitted.push(key))
    await cache.set('k', 1)
    await cache.get('k')
    await second.set('j', 1)
    expect(emitted).toEqual([])
    expect((await cache.stats()).hits).toBe(1)
    expect((await second.stats()).hits).toBe(0)
    expect(await second.ttl('j')).toBe(3_600_000)
  })

  it('R36 the last cache closes the backend, in either order, synchronous caches included', async () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
    ]) {
      const { backend, cache, clock } = oneProcess()
      const caches = [cache, new SyncCache({ backend, clock }), new Cache({ backend: backend as never, clock })]
      for (const [closed, index] of order.entries()) {
        await backend.set({ key: 'k', value: closed, version: `v${closed}`, createdAt: 0 })
        await caches[index as number]?.close()
      }
      expect(await codeOf(backend.get('k'))).toBe('CLOSED')
    }
  })

  it('R36 the remaining cache works on while the other closes during a load', async () => {
    const { far, cache, clock } = twoProcesses()
    const second = new Cache({ backend: far, clock })
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    await cache.close()
    expect(await second.getOrSet('k', async () => 'second')).toBe('second')
    load.end('first')
    expect(await first).toBe('first')
    await settled()
    expect(await second.get('k')).toBe('second')
  })

  it('a backend that was closed under an open cache is reported as a failure', async () => {
    const { backend, cache } = oneProcess()
    const codes: string[] = []
    cache.on('error', ({ error }) => codes.push(error.code))
    await backend.close()
    expect(await cache.get('k')).toBe(undefined)
    expect(await codeOf(cache.set('k', 1))).toBe('CLOSED')
    expect(codes).toEqual(['CLOSED', 'CLOSED'])
  })
})

describe('close with a part that hangs', () => {
  const never = (): Promise<never> => new Promise(() => {})

  /** Advances the clock until the promise settles. Resolves to the error. */
  async function rejection(promise: Promise<unknown>, clock: MovableClock): Promise<CacheError> {
    let error: unknown
    void promise.then(
      () => {
        error = new Error('resolved')
      },
      (reason) => {
        error = reason
      },
    )
    for (let second = 0; second < 40 && error === undefined; second += 1) {
      await settled()
      clock.advance(1000)
    }
    await settled()
    expect(error).toBeInstanceOf(CacheError)
    return error as CacheError
  }

  it('R33 a read that the store never answers makes close reject with TIMEOUT, and the backend is closed', async () => {
    const clock = createMovableClock()
    const backend = new MapBackend({ clock })
    let closed = 0
    const hanging: CacheBackend = {
      name: 'hanging',
      get: never,
      set: (item) => backend.set(item),
      delete: (key) => backend.delete(key),
      clear: (prefix) => backend.clear(prefix),
      close: async () => {
        closed += 1
      },
    }
    const cache = new Cache({ backend: hanging, clock })
    void cache.get('k')
    const error = await rejection(cache.close(), clock)
    expect([error.code, error.operation, closed]).toEqual(['TIMEOUT', 'close', 1])
    expect(error.message).toContain('a call in flight did not end in time')
  })

  it('a writer that never answers a write makes close reject with TIMEOUT, and the backend is closed', async () => {
    const clock = createMovableClock()
    const backend = new MapBackend({ clock })
    const cache = new Cache({ backend, clock, writer: { write: never, delete: never } })
    void cache.set('k', 1)
    await settled()
    expect((await rejection(cache.close(), clock)).code).toBe('TIMEOUT')
    expect(await codeOf(backend.get('k'))).toBe('CLOSED')
  })

  it('a backend that never closes makes close reject with TIMEOUT', async () => {
    const clock = createMovableClock()
    const backend: CacheBackend = Object.assign(new MapBackend({ clock }), { close: never })
    const error = await rejection(new Cache({ backend, clock }).close(), clock)
    expect([error.code, error.message]).toEqual(['TIMEOUT', expect.stringContaining('the backend did not end in time')])
  })
})
