import { describe, expect, it } from 'vitest'
import { createMovableClock } from '../../src/conformance/index.ts'
import { Cache, type Item } from '../../src/index.ts'
import { inspect, type KeyPage } from '../../src/inspection/index.ts'
import { FailingBackend } from '../cache/failing-backend.ts'
import { bothStores, codeOf, settled } from '../cache/rig.ts'
import { MapBackend } from '../conformance/map-backend.ts'

/** A store that says that it has ten million keys, and counts how many of them were asked for. */
class HugeBackend extends FailingBackend {
  asked = 0

  constructor() {
    super()
    this.code = undefined
  }

  override async *keys(): AsyncGenerator<string> {
    for (let number = 0; number < 10_000_000; number += 1) {
      this.asked += 1
      yield `key ${number}`
    }
  }
}

/** A synchronous store with as many keys. */
class HugeMapBackend extends MapBackend {
  asked = 0

  constructor() {
    super()
    Object.assign(this.sync, { keys: () => this.tenMillion() })
  }

  *tenMillion(): Generator<string> {
    for (let number = 0; number < 10_000_000; number += 1) {
      this.asked += 1
      yield `key ${number}`
    }
  }
}

for (const [name, open] of bothStores) {
  describe(`inspection on ${name}`, () => {
    it('lists the keys of one namespace by prefix, page by page', async () => {
      const { cache } = open()
      const users = cache.namespace('users')
      for (const key of ['a:1', 'a:2', 'a:3', 'b:1', '@odd']) await users.set(key, 1)
      await cache.set('a:0', 1)
      await users.namespace('inner').set('a:9', 1)
      await users.set('t', 1, { tags: ['a:tag'] })
      const inspection = inspect(users)
      const pages: KeyPage[] = [await inspection.keys({ prefix: 'a:', limit: 2 })]
      for (let page = pages[0]; page?.cursor !== undefined; page = pages.at(-1))
        pages.push(await inspection.keys({ cursor: page.cursor, limit: 2 }))
      expect(pages.flatMap(({ keys }) => keys).sort()).toEqual(['a:1', 'a:2', 'a:3'])
      expect(Math.max(...pages.map(({ keys }) => keys.length))).toBe(2)
      expect(pages.map(({ complete }) => complete)).toEqual([...pages.slice(1).map(() => false), true])
      expect((await inspect(cache).keys()).keys).toEqual(['a:0'])
      expect((await inspection.keys({ prefix: '@' })).keys).toEqual(['@odd'])
    })

    it('counts the keys of the namespaces, and no records of the cache', async () => {
      const { cache } = open()
      await cache.setMany({ a: 1, b: 2 }, { tags: ['t'] })
      await cache.namespace('users').set('1', 1)
      await cache.namespace('users').namespace('names').set('1', 1)
      await cache.withLock('lock', () => {})
      const page = await inspect(cache).namespaces()
      expect(page).toMatchObject({ complete: true, otherKeys: 0 })
      expect(page.namespaces).toHaveLength(3)
      expect(page.namespaces).toEqual(
        expect.arrayContaining([
          { namespace: [], keys: 2 },
          { namespace: ['users'], keys: 1 },
          { namespace: ['users', 'names'], keys: 1 },
        ]),
      )
      expect((await inspect(cache.namespace('users')).namespaces()).namespaces).toEqual(
        expect.arrayContaining([
          { namespace: [], keys: 1 },
          { namespace: ['names'], keys: 1 },
        ]),
      )
    })

    it('shows an entry with its lifetime, tags, version and layer, without a count', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.set('k', { name: 'Ada' }, { tags: ['t', 'u'] })
      clock.advance(20_000)
      const { version } = (await cache.item('k')) as Item
      const entry = await inspect(cache).entry('k')
      expect(entry).toEqual({
        key: 'k',
        value: { name: 'Ada' },
        version,
        tags: ['t', 'u'],
        createdAt: clock.now() - 20_000,
        freshFor: 40_000,
        livesFor: 3_640_000,
        layer: expect.stringMatching(/map|one/),
      })
      clock.advance(50_000)
      expect(await inspect(cache).entry('k')).toMatchObject({ freshFor: 0, livesFor: 3_590_000 })
      await cache.deleteByTag('t')
      expect(await inspect(cache).entry('k')).toBe(undefined)
      expect(await cache.stats()).toMatchObject({ hits: 0, misses: 0 })
    })

    it('observes hot keys, slow loads, namespaces and invalidated tags until it stops', async () => {
      const { cache, clock } = open()
      const users = cache.namespace('users')
      const observation = inspect(cache).observe()
      await users.getOrSet('1', () => {
        clock.advance(5)
        return 'Ada'
      })
      for (let read = 0; read < 5; read += 1) await users.get('1')
      await cache.get('missing')
      await users.getOrSet('2', () => Promise.reject(new Error('no'))).catch(() => {})
      await users.deleteByTag('t')
      observation.stop()
      await users.get('1')
      expect(observation.hottest(1)).toEqual([{ namespace: ['users'], key: '1', reads: 6 }])
      expect(observation.slowest()).toEqual([{ namespace: ['users'], key: '1', ms: 5 }])
      expect(observation.invalidatedTags()).toEqual([
        { namespace: ['users'], tag: 't', kind: 'deleted', at: clock.now() },
      ])
      expect(observation.namespaces()).toEqual([
        expect.objectContaining({ namespace: ['users'], hits: 5, loads: 1, loadFailures: 1, loadTime: 5 }),
        expect.objectContaining({ namespace: [], hits: 0, misses: 1 }),
      ])
    })

    it('shows the figures of the cache and of its store', async () => {
      const { cache } = open()
      await cache.set('k', 1)
      await cache.get('k')
      const { cache: own, layers } = await inspect(cache).figures()
      expect(own).toMatchObject({ hits: 1, sets: 1, hitRate: 1 })
      expect(layers).toEqual([expect.objectContaining({ layer: expect.any(String) })])
    })
  })
}

describe('inspection of a large store', () => {
  it('looks at a bounded number of keys in each call, whatever the prefix', async () => {
    for (const backend of [new HugeBackend(), new HugeMapBackend()]) {
      const inspection = inspect(new Cache({ backend }))
      const page = await inspection.keys({ prefix: 'nothing has it' })
      expect(page).toMatchObject({ keys: [], scanned: 10_000, complete: false, cursor: expect.any(String) })
      expect((await inspection.namespaces()).namespaces).toEqual([{ namespace: [], keys: 10_000 }])
      expect(backend.asked).toBe(20_000)
      const next = await inspection.keys({ cursor: page.cursor as string })
      expect([next.scanned, backend.asked]).toEqual([10_000, 30_000])
      inspection.close()
    }
  })

  it('ends a call after the timeout, and goes on from there', async () => {
    const clock = createMovableClock()
    let open = (): void => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const backend = new FailingBackend()
    backend.code = undefined
    const slow = Object.assign(backend, {
      keys: async function* () {
        yield 'a'
        await gate
        yield 'b'
      },
    })
    const inspection = inspect(new Cache({ backend: slow, clock }), { timeout: '2s' })
    const first = inspection.keys()
    await settled()
    clock.advance(2000)
    const page = await first
    expect(page).toMatchObject({ keys: ['a'], complete: false })
    open()
    expect(await inspection.keys({ cursor: page.cursor as string })).toMatchObject({ keys: ['b'], complete: true })
  })

  it('tells a thousand namespaces apart, and counts the keys of the others together', async () => {
    const { cache } = { cache: new Cache({ backend: new MapBackend() }) }
    for (let number = 0; number < 1010; number += 1) await cache.namespace(`n${number}`).set('k', 1)
    const { namespaces, otherKeys } = await inspect(cache).namespaces()
    expect([namespaces.length, otherKeys]).toEqual([1000, 10])
  })

  it('ends the oldest of more than sixteen open cursors, and all of them after a minute', async () => {
    const clock = createMovableClock()
    const inspection = inspect(new Cache({ backend: new HugeBackend(), clock }), { maxScanned: 1 })
    const cursors: string[] = []
    for (let page = 0; page < 17; page += 1) cursors.push((await inspection.keys()).cursor as string)
    expect(await codeOf(inspection.keys({ cursor: cursors[0] as string }))).toBe('INVALID_ARGUMENT')
    expect((await inspection.keys({ cursor: cursors[1] as string })).scanned).toBe(1)
    clock.advance(60_000)
    expect(await codeOf(inspection.keys({ cursor: cursors[2] as string }))).toBe('INVALID_ARGUMENT')
  })
})

describe('inspection of a store that fails', () => {
  it('rejects with the error of the store, and shows it among the figures', async () => {
    const backend = Object.assign(new FailingBackend(), { stats: async () => Promise.reject(new Error('away')) })
    const cache = new Cache({ backend })
    expect(await codeOf(inspect(cache).entry('k'))).toBe('UNAVAILABLE')
    expect((await inspect(cache).figures()).layers).toEqual([{ layer: 'failing', failure: 'away' }])
    expect((await inspect(cache).health()).status).toBe('down')
  })

  it('rejects with TIMEOUT where the store hangs', async () => {
    const clock = createMovableClock()
    const backend = new FailingBackend()
    backend.code = undefined
    const held = backend.holdBefore('get')
    const entry = codeOf(inspect(new Cache({ backend, clock })).entry('k'))
    await held.reached
    clock.advance(1000)
    expect(await entry).toBe('TIMEOUT')
    held.open()
  })

  it('rejects with UNSUPPORTED where the store cannot list keys, and with CLOSED after close', async () => {
    const { get, set, delete: remove, clear } = new MapBackend()
    const plain = new MapBackend()
    const backend = {
      name: 'plain',
      get: get.bind(plain),
      set: set.bind(plain),
      delete: remove.bind(plain),
      clear: clear.bind(plain),
    }
    const cache = new Cache({ backend })
    expect(await codeOf(inspect(cache).keys())).toBe('UNSUPPORTED')
    const inspection = inspect(new Cache({ backend: new MapBackend() }))
    const closed = new Cache({ backend: new MapBackend() })
    await closed.close()
    expect(await codeOf(inspect(closed).keys())).toBe('CLOSED')
    expect(await codeOf(inspect(closed).figures())).toBe('CLOSED')
    expect(await codeOf(inspection.keys({ cursor: 'unknown' }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(inspection.keys({ limit: 0 }))).toBe('INVALID_ARGUMENT')
    expect(() => inspect({} as Cache)).toThrow('cache must be a Cache')
    expect(() => inspect(cache, { maxScanned: 0 })).toThrow('maxScanned')
    expect(() => inspect(cache, { timeout: Infinity })).toThrow('timeout')
  })
})
