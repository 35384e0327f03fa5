import { describe, expect, it } from 'vitest'
import { BreakpointBackend } from '../../src/conformance/index.ts'
import { Cache, type CacheBackend, CacheError, type Item, SyncCache } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { bothStores, codeOf, GatedLoad, oneProcess, settled, twoProcesses } from './rig.ts'

/** Keys of the cache's own records. */
function records(items: ReadonlyMap<string, Item>): string[] {
  return [...items.keys()].filter((key) => key.startsWith('@#')).sort()
}

for (const [name, open] of bothStores) {
  describe(`deleteByTag, on ${name}`, () => {
    it('every value with one of the tags becomes invalid, for every kind of read', async () => {
      const { cache } = open({ staleFor: '1h' })
      await cache.set('ab', 1, { tags: ['a', 'b'] })
      await cache.setMany({ b: 2, also: 3 }, { tags: ['b'] })
      await cache.set('c', 4, { tags: ['c'] })
      await cache.deleteByTag('a')
      expect(await cache.getMany(['ab', 'b', 'c'])).toEqual([undefined, 2, 4])
      expect(await cache.get('ab', { stale: true })).toBe(undefined)
      expect(await cache.item('ab')).toBe(undefined)
      expect(await cache.ttl('ab')).toBe(undefined)
      expect(await cache.has('ab')).toBe(false)
      await cache.deleteByTag('b', 'c')
      expect(await cache.getMany(['b', 'also', 'c'])).toEqual([undefined, undefined, undefined])
    })

    it('any name is allowed, such as another tag, a prototype or a part of the syntax', async () => {
      const { cache } = open()
      const names = ['a', 'a:b', ':', '/', '@#', '__proto__', 'constructor', '%', 'ä', '*', 'x'.repeat(1000)]
      for (const tag of names) await cache.set(tag, tag, { tags: [tag] })
      for (const tag of names) expect(Object.keys((await cache.item(tag))?.tags ?? {})).toEqual([tag])
      for (const [index, tag] of names.entries()) {
        await cache.deleteByTag(tag)
        expect(await cache.getMany(names)).toEqual(names.map((other, at) => (at <= index ? undefined : other)))
      }
    })

    it('an unused tag and an empty list of tags have no effect', async () => {
      const { cache } = open()
      await cache.set('k', 1, { tags: ['t'] })
      await cache.deleteByTag('other')
      await cache.deleteByTag()
      expect(await cache.get('k')).toBe(1)
    })

    it('only items of the same namespace become invalid', async () => {
      const { cache } = open()
      const inner = cache.namespace('a')
      await cache.set('k', 'root', { tags: ['t'] })
      await inner.set('k', 'inner', { tags: ['t'] })
      await inner.deleteByTag('t')
      expect(await inner.get('k')).toBe(undefined)
      expect(await cache.get('k')).toBe('root')
      await inner.set('k', 'again', { tags: ['t'] })
      await cache.deleteByTag('t')
      expect(await cache.get('k')).toBe(undefined)
      expect(await inner.get('k')).toBe('again')
    })

    it('an invalid name is refused before any tag is invalidated', async () => {
      const { cache } = open()
      await cache.set('k', 1, { tags: ['t'] })
      for (const wrong of ['', 5, null, ['t']])
        expect(await codeOf(cache.deleteByTag('t', wrong as string))).toBe('INVALID_ARGUMENT')
      expect(await cache.get('k')).toBe(1)
    })

    it('a value that a write without tags has replaced stays valid', async () => {
      const { cache } = open()
      await cache.set('k', 1, { tags: ['t'] })
      await cache.set('k', 2)
      await cache.deleteByTag('t')
      expect(await cache.get('k')).toBe(2)
    })
  })
}

describe('tag records that a store of one process loses', () => {
  /** The results of all kinds of read, which must agree. */
  async function readings(cache: Cache): Promise<unknown[]> {
    const [many] = await cache.getMany(['k'])
    const loaded = await cache.getOrSet('k', () => undefined)
    return [await cache.has('k'), many, await cache.get('k'), (await cache.item('k'))?.value, loaded]
  }
  const there = [true, 1, 1, 1, 1]
  const gone = [false, undefined, undefined, undefined, undefined]

  async function withoutRecord(): Promise<{ cache: Cache; backend: MapBackend }> {
    const { cache, backend } = oneProcess()
    await cache.set('k', 1, { tags: ['t', 'u'] })
    await cache.get('k')
    backend.sync.delete('@#:t')
    return { cache, backend }
  }

  it('R31 lost records are restored if no change was possible since, so that their values survive the invalidation of another tag', async () => {
    const { cache, backend } = await withoutRecord()
    expect(await readings(cache)).toEqual(there)
    await cache.deleteByTag('another')
    expect(await readings(cache)).toEqual(there)
    expect(backend.sync.get('@#:t')).not.toBe(undefined)
    await cache.deleteByTag('t')
    expect(await readings(cache)).toEqual(gone)
  })

  it('R31 lost records are not restored once their tag was invalidated', async () => {
    const { cache, backend } = await withoutRecord()
    await cache.deleteByTag('t')
    backend.sync.delete('@#:t')
    expect(await readings(cache)).toEqual(gone)
  })

  it('R31 a value that gets the tag afterwards has the same tag version', async () => {
    const { cache } = await withoutRecord()
    await cache.set('other', 2, { tags: ['t'] })
    await cache.deleteByTag('another')
    expect([await readings(cache), await cache.get('other')]).toEqual([there, 2])
    await cache.deleteByTag('t')
    expect([await readings(cache), await cache.get('other')]).toEqual([gone, undefined])
  })

  it('R31 lost records are not restored if the invalidations since are no longer known', async () => {
    const { cache } = await withoutRecord()
    for (let tag = 0; tag < 10_000; tag += 1) await cache.deleteByTag(`tag ${tag}`)
    expect(await readings(cache)).toEqual(gone)
    // A value that was moved to another store without its record.
    const { backend } = await withoutRecord()
    const copy = new MapBackend()
    for (const key of ['k', '@#:u']) await copy.set(backend.sync.get(key) as Item)
    expect(await readings(new Cache({ backend: copy }))).toEqual(gone)
  })
})

describe('tag records', () => {
  it('a tag has two records, however many values it guards', async () => {
    const { cache, items, far } = twoProcesses()
    await cache.setMany(Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`k${index}`, index])), {
      tags: ['t'],
    })
    far.calls.length = 0
    await cache.deleteByTag('t')
    expect(far.calls.length).toBe(2)
    expect(records(items)).toEqual(['@#:', '@#:t'])
  })

  it('two processes that need a record at the same moment create it once, and the values of both are valid', async () => {
    const { cache, other, far } = twoProcesses()
    const minting = far.holdBefore('compareAndSet')
    const late = cache.set('one', 1, { tags: ['t'] })
    await minting.reached
    await other.set('two', 2, { tags: ['t'] })
    minting.open()
    await late
    expect(await other.getMany(['one', 'two'])).toEqual([1, 2])
    await cache.deleteByTag('t')
    expect(await other.getMany(['one', 'two'])).toEqual([undefined, undefined])
  })

  it('R4 a record created during an invalidation keeps earlier values out', async () => {
    const { cache, other, far } = twoProcesses()
    const minting = far.holdBefore('compareAndSet')
    const load = new GatedLoad<string>()
    // The load creates the record and waits, while the other process invalidates. The loader starts afterwards.
    const first = cache.getOrSet('k', load.loader, { tags: ['t'] })
    await minting.reached
    await other.deleteByTag('t')
    minting.open()
    await load.started()
    await other.deleteByTag('t')
    load.end('old')
    await first
    await settled()
    expect(await other.get('k')).toBe(undefined)
  })

  it('records without compare-and-set make the values of the slower process misses, never wrong hits', async () => {
    const items = new Map<string, Item>()
    const plain = (): Cache => {
      const store = new MapBackend({ items })
      const backend = {
        name: 'four',
        get: (key: string) => store.get(key),
        set: (item: Item) => store.set(item),
        delete: (key: string) => store.delete(key),
        clear: (prefix?: string) => store.clear(prefix),
      }
      return new Cache({ backend })
    }
    const [one, other] = [plain(), plain()]
    await Promise.all([one.set('a', 1, { tags: ['t'] }), other.set('b', 2, { tags: ['t'] })])
    const seen = await one.getMany(['a', 'b'])
    expect(seen.filter((value) => value !== undefined).length).toBeGreaterThanOrEqual(1)
    await one.deleteByTag('t')
    expect(await other.getMany(['a', 'b'])).toEqual([undefined, undefined])
  })

  it('a record in use is renewed with the same version', async () => {
    const { cache, clock } = twoProcesses({ tagTtl: '10m', ttl: '1d' })
    await cache.set('k', 1, { tags: ['t'] })
    for (let minutes = 0; minutes < 60; minutes += 4) {
      clock.advance(240_000)
      await cache.set('other', minutes, { tags: ['t'] })
      expect(await cache.get('k')).toBe(1)
    }
    clock.advance(600_000)
    expect(await cache.get('k')).toBe(undefined)
  })

  it('an expired record leaves misses', async () => {
    const { cache, clock } = oneProcess({ tagTtl: '1s' })
    const second = oneProcess({ tagTtl: '1s' })
    await second.cache.set('k', 1, { tags: ['t'] })
    second.clock.advance(1000)
    expect(await second.cache.get('k')).toBe(undefined)
    await cache.set('k', 1, { tags: ['t'] })
    clock.advance(1000)
    expect(await cache.item('k')).toBe(undefined)
  })

  it('R31 a record is removed if there is no memory for a new one, which also invalidates', async () => {
    class FullBackend extends BreakpointBackend {
      full = false
      override async set(item: Item): Promise<void> {
        if (this.full) throw new CacheError('OUT_OF_MEMORY', 'set: no memory', { operation: 'set', key: item.key })
        await super.set(item)
      }
    }
    const items = new Map<string, Item>()
    const backend = new FullBackend(new MapBackend({ items }))
    const cache = new Cache({ backend })
    await cache.set('k', 1, { tags: ['t'] })
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('loaded', load.loader, { tags: ['t'] })
    await load.started()
    backend.full = true
    await cache.deleteByTag('t')
    expect(records(items)).toEqual([])
    expect(await cache.get('k')).toBe(undefined)
    backend.full = false
    load.end('old')
    await first
    await cache.set('new', 1, { tags: ['t'] })
    expect(await cache.getMany(['k', 'loaded', 'new'])).toEqual([undefined, undefined, 1])
  })

  it('a record that cannot be written for another reason makes deleteByTag reject', async () => {
    const { cache, far } = twoProcesses()
    await cache.set('k', 1, { tags: ['t'] })
    far.failing.add('set')
    expect(await codeOf(cache.deleteByTag('t'))).toBe('UNAVAILABLE')
    far.failing.clear()
    await cache.deleteByTag('t')
    expect(await cache.get('k')).toBe(undefined)
  })

  it('an unreadable record costs a batch only the values with tags', async () => {
    const { cache, far } = twoProcesses()
    await cache.set('tagged', 1, { tags: ['t'] })
    await cache.set('plain', 2)
    far.failing.add('get')
    expect(await cache.getMany(['tagged', 'plain'])).toEqual([undefined, 2])
    expect(await codeOf(cache.getMany(['tagged', 'plain'], { readFailure: 'reject' }))).toBe('UNAVAILABLE')
  })

  it('a Cache and a SyncCache on one backend share the records', async () => {
    const { cache, backend, clock } = oneProcess()
    const sync = new SyncCache({ backend, clock })
    await cache.set('k', 1, { tags: ['t'] })
    expect(sync.get('k')).toBe(1)
    expect(await cache.get('k')).toBe(1)
    sync.deleteByTag('t')
    expect(await cache.get('k')).toBe(undefined)
    sync.set('k', 2, { tags: ['t'] })
    expect(await cache.get('k')).toBe(2)
    await cache.deleteByTag('t')
    expect(sync.get('k')).toBe(undefined)
  })
})

describe('tags that only the load can name', () => {
  for (const [name, open] of bothStores) {
    it(`tags from the loader are kept and found by deleteByTag, on ${name}`, async () => {
      const { cache } = open()
      await cache.getOrSet('k', async (load) => {
        load.tags = ['late', 'also']
        return 'value'
      })
      expect(await cache.get('k')).toBe('value')
      await cache.deleteByTag('also')
      expect(await cache.get('k')).toBe(undefined)
    })

    it(`R4 a result with such tags is kept out if any tag of the namespace changed meanwhile, on ${name}`, async () => {
      const { cache } = open()
      const load = new GatedLoad<string>()
      const first = cache.getOrSet('k', async (context) => {
        context.tags = ['late']
        return await load.loader()
      })
      await load.started()
      await cache.deleteByTag('unrelated')
      load.end('value')
      expect(await first).toBe('value')
      await settled()
      expect(await cache.get('k')).toBe(undefined)
      expect(await cache.getOrSet('k', async () => 'next')).toBe('next')
    })
  }

  it('R4 an invalidation that is half done when the load ends keeps the result out', async () => {
    const { cache, other, otherFar } = twoProcesses()
    await other.set('x', 1, { tags: ['late'] })
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', async (context) => {
      context.tags = ['late']
      return await load.loader()
    })
    await load.started()
    // Two records change in sequence, and the load ends between them.
    const [one, two] = [otherFar.holdBefore('set'), otherFar.holdBefore('set')]
    const invalidating = other.deleteByTag('late')
    await one.reached
    one.open()
    await two.reached
    load.end('old')
    await first
    await settled()
    two.open()
    await invalidating
    expect(await other.get('k')).toBe(undefined)
  })

  it('R4 an invalidation between the capture of the tags and the store keeps the result out', async () => {
    const { cache, other, far } = twoProcesses()
    await other.set('x', 1, { tags: ['late'] })
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', async (context) => {
      context.tags = ['late']
      return await load.loader()
    })
    await load.started()
    const storing = far.holdBefore('compareAndSet')
    load.end('old')
    await storing.reached
    await other.deleteByTag('late')
    storing.open()
    await first
    expect(await other.get('k')).toBe(undefined)
  })
})

describe('a new tag, on a store without compare-and-set', () => {
  it('items of concurrent writes are kept, because one creation of a record runs at a time', async () => {
    const { far, clock } = twoProcesses()
    const { name } = far
    const four: CacheBackend = {
      name,
      get: (key) => far.get(key),
      set: (item) => far.set(item),
      delete: (key) => far.delete(key),
      clear: (prefix) => far.clear(prefix),
    }
    const cache = new Cache({ backend: four, clock })
    const second = new Cache({ backend: four, clock })
    const keys = ['f', 'g', 'h']
    await Promise.all(keys.map((key, index) => (index === 1 ? second : cache).set(key, key, { tags: ['new', 't'] })))
    expect(await cache.getMany(keys)).toEqual(keys)
    await cache.deleteByTag('new')
    expect(await cache.getMany(keys)).toEqual([undefined, undefined, undefined])
  })
})
