import { afterEach, describe, expect, it, vi } from 'vitest'
import { EventHub } from '../../src/backend-kit/index.ts'
import { Cache, type CacheBackend, CacheError, type CacheEventName } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { bothStores, GatedLoad, settled, twoProcesses } from './rig.ts'

const names: readonly CacheEventName[] = [
  'hit',
  'miss',
  'set',
  'delete',
  'clear',
  'invalidate',
  'evict',
  'expire',
  'load',
  'loadFailed',
  'refresh',
  'stale',
  'error',
  'busMessage',
  'recovery',
  'writeFailed',
]

/** Every event of a cache, in order, as `[name, event]`. */
function collectEvents(cache: Cache): [string, unknown][] {
  const all: [string, unknown][] = []
  for (const name of names) cache.on(name, (event) => all.push([name, event]))
  return all
}

/** A backend with its own event hub, through which the test emits. */
function speaking(): { backend: CacheBackend; hub: EventHub; asked: string[] } {
  const hub = new EventHub()
  const inner = new MapBackend()
  const asked: string[] = []
  const backend: CacheBackend = {
    name: 'speaking',
    get: (key) => inner.get(key),
    set: (item) => inner.set(item),
    delete: (key) => inner.delete(key),
    clear: (prefix) => inner.clear(prefix),
    listen: (listener, types) => {
      asked.push(...(types ?? ['everything']))
      return hub.listen(listener, types)
    },
  }
  return { backend, hub, asked }
}

const root = { cache: 'cache', namespace: [] }

for (const [name, open] of bothStores) {
  describe(`events, on ${name}`, () => {
    it('each hit, miss, set, delete, clear and invalidation is emitted, with the key of the application', async () => {
      const { cache } = open()
      const all = collectEvents(cache)
      await cache.get('k')
      await cache.set('k', 1)
      await cache.get('k')
      await cache.getMany(['k', 'x'])
      await cache.getOrSet('k', () => 2)
      await cache.delete('k')
      await cache.deleteMany(['k'])
      await cache.deleteByTag('t')
      await cache.deleteByPrefix('p')
      await cache.clear()
      expect(all).toEqual([
        ['miss', { key: 'k', ...root }],
        ['set', { key: 'k', ...root }],
        ['hit', { key: 'k', stale: false, ...root }],
        ['hit', { key: 'k', stale: false, ...root }],
        ['miss', { key: 'x', ...root }],
        ['hit', { key: 'k', stale: false, ...root }],
        ['delete', { key: 'k', ...root }],
        ['delete', { key: 'k', ...root }],
        ['invalidate', { tag: 't', ...root }],
        ['clear', { prefix: 'p', ...root }],
        ['clear', { prefix: '', ...root }],
      ])
    })

    it('a conditional write emits the same events as any other, and take emits a hit and a delete', async () => {
      const { cache } = open()
      const all = collectEvents(cache)
      await cache.add('k', 1)
      await cache.replace('k', 2)
      await cache.update('k', () => 3)
      await cache.take('k')
      await cache.take('k')
      expect(all.map(([event]) => event)).toEqual(['set', 'set', 'set', 'hit', 'delete', 'miss'])
    })

    it('a load, its failure and stale values are emitted in order', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: '1s' })
      await cache.set('k', 'old')
      clock.advance(60_000)
      const all = collectEvents(cache)
      const load = new GatedLoad<string>()
      const first = cache.getOrSet('k', load.loader)
      await load.started()
      clock.advance(1000)
      await first
      load.end('new')
      await settled()
      clock.advance(60_000)
      const failure = new Error('down')
      await cache.getOrSet('k', () => Promise.reject(failure))
      await cache.get('k', { stale: true })
      expect(all).toEqual([
        ['refresh', { key: 'k', reason: 'stale', ...root }],
        ['hit', { key: 'k', stale: true, ...root }],
        ['stale', { key: 'k', reason: 'slow', ...root }],
        ['set', { key: 'k', ...root }],
        ['load', { key: 'k', ms: 1000, stored: true, ...root }],
        ['refresh', { key: 'k', reason: 'stale', ...root }],
        ['loadFailed', { key: 'k', error: failure, ...root }],
        ['hit', { key: 'k', stale: true, ...root }],
        ['stale', { key: 'k', reason: 'loadFailed', ...root }],
        ['hit', { key: 'k', stale: true, ...root }],
        ['stale', { key: 'k', reason: 'asked', ...root }],
      ])
    })

    it('the load event says that a result was not stored', async () => {
      const { cache } = open()
      const all = collectEvents(cache)
      const load = new GatedLoad<string>()
      const first = cache.getOrSet('k', load.loader)
      await load.started()
      await cache.delete('k')
      load.end('old')
      await first
      expect(all.find(([event]) => event === 'load')).toEqual(['load', { key: 'k', ms: 0, stored: false, ...root }])
    })

    it('events of a namespace reach the listeners of the cache, and name the namespace', async () => {
      const { cache } = open({ namespace: 'shop' })
      const inner: unknown[] = []
      cache.on('set', (event) => inner.push(event))
      await cache.namespace('users').set('k', 1)
      await cache.set('k', 1)
      expect(inner).toEqual([
        { key: 'k', cache: 'cache', namespace: ['shop', 'users'] },
        { key: 'k', cache: 'cache', namespace: ['shop'] },
      ])
    })

    it('a removed listener gets no more events, and the others still do', async () => {
      const { cache } = open()
      const heardBy: string[] = []
      const listener = (): void => {
        heardBy.push('twice')
      }
      const stop = cache.on('miss', listener)
      cache.on('miss', listener)
      cache.on('miss', () => heardBy.push('other'))
      await cache.get('k')
      stop()
      stop()
      await cache.get('k')
      expect(heardBy).toEqual(['twice', 'twice', 'other', 'twice', 'other'])
    })
  })
}

describe('the events of the backend', () => {
  it('events other than errors are requested only for a listener', () => {
    const { backend, asked } = speaking()
    const cache = new Cache({ backend })
    expect(asked).toEqual(['error'])
    cache.on('hit', () => {})
    expect(asked).toEqual(['error'])
    cache.on('evict', () => {})
    cache.on('evict', () => {})
    cache.on('busMessage', () => {})
    expect(asked).toEqual(['error', 'evict', 'busMessage'])
  })

  it('events reach the caches whose namespace they concern, with their keys, and without tag records', () => {
    const { backend, hub } = speaking()
    const all = new Map(
      [[], ['a'], ['a', 'b'], ['c']].map((namespace) => [
        namespace.join('/'),
        collectEvents(new Cache({ backend, namespace })),
      ]),
    )
    hub.emit({ type: 'evict', key: '@/a/b/:k', reason: 'entries' })
    hub.emit({ type: 'expire', key: '@@at' })
    hub.emit({ type: 'expire', key: '@#a/:t' })
    hub.emit({ type: 'busMessage', kind: 'delete', keys: ['@/a/:x', '@/a/:y', '@/c/:z', '@#:t'] })
    hub.emit({ type: 'busMessage', kind: 'clear', keys: [] })
    hub.emit({ type: 'recovery', state: 'started', pending: 1 })
    const evicted = ['evict', { key: 'k', reason: 'entries', cache: 'cache', namespace: ['a', 'b'] }]
    const inA = ['busMessage', { kind: 'delete', keys: ['x', 'y'], cache: 'cache', namespace: ['a'] }]
    const inC = ['busMessage', { kind: 'delete', keys: ['z'], cache: 'cache', namespace: ['c'] }]
    const rest = (namespace: readonly string[]): unknown[] => [
      ['busMessage', { kind: 'clear', keys: [], cache: 'cache', namespace }],
      ['recovery', { state: 'started', pending: 1, cache: 'cache', namespace }],
    ]
    expect(all.get('')).toEqual([
      evicted,
      ['expire', { key: '@at', cache: 'cache', namespace: [] }],
      inA,
      inC,
      ...rest([]),
    ])
    expect(all.get('a')).toEqual([evicted, inA, ...rest(['a'])])
    expect(all.get('a/b')).toEqual([evicted, ...rest(['a', 'b'])])
    expect(all.get('c')).toEqual([inC, ...rest(['c'])])
  })

  it('errors are counted also without a listener', async () => {
    const { backend, hub } = speaking()
    const cache = new Cache({ backend })
    hub.emit({ type: 'error', error: new CacheError('DAMAGED', 'bad bytes', { key: 'k' }) })
    expect((await cache.stats()).errors).toBe(1)
  })

  it('events end when the cache is closed', async () => {
    const { backend, hub } = speaking()
    const cache = new Cache({ backend })
    const other = new Cache({ backend })
    const all = collectEvents(cache)
    await cache.close()
    hub.emit({ type: 'evict', key: 'k', reason: 'entries' })
    expect(all).toEqual([])
    await other.close()
    expect(hub.active).toBe(false)
  })
})

describe('a cache without listeners', () => {
  it('no event object is built', async () => {
    const { cache, clock, far } = twoProcesses({ staleFor: '1h' })
    const { Listeners } = await import('../../src/cache/state/events.ts')
    const emit = vi.spyOn(Listeners.prototype, 'emit')
    await cache.set('k', 1, { tags: ['t'] })
    await cache.get('k')
    await cache.get('missing')
    clock.advance(60_000)
    await cache.getOrSet('k', () => 2)
    await cache.getOrSet('failing', () => Promise.reject(new Error('down'))).catch(() => {})
    await cache.deleteByTag('t')
    await cache.delete('k')
    await cache.clear()
    far.broken = true
    await cache.get('k')
    expect(emit).not.toHaveBeenCalled()
  })
})

describe('a listener that throws', () => {
  afterEach(() => {
    vi.unstubAllGlobals()
  })

  it('its error is thrown separately, and neither the cache nor other listeners notice', async () => {
    const thrown: unknown[] = []
    vi.stubGlobal('queueMicrotask', (action: () => void) => {
      try {
        action()
      } catch (error) {
        thrown.push(error)
      }
    })
    const cache = new Cache({ backend: new MapBackend() })
    const failure = new Error('mine')
    let others = 0
    cache.on('set', () => {
      throw failure
    })
    cache.on('set', () => {
      others += 1
    })
    await cache.set('k', 1)
    expect(await cache.get('k')).toBe(1)
    expect(thrown).toEqual([failure])
    expect(others).toBe(1)
  })
})
