import { describe, expect, it } from 'vitest'
import type { LoadContext } from '../../../src/index.ts'
import { bothStores, GatedLoad, settled, twoProcesses } from '../rig.ts'
import { duringLoad } from './during-load.ts'

for (const [name, open] of bothStores) {
  describe(`a change while a load runs, on ${name}`, () => {
    it('R1 a delete lets the waiting callers have their value, stores nothing, and the next caller loads again', async () => {
      const { cache } = open()
      expect(await duringLoad(cache, () => cache.delete('k'))).toBe('old')
      expect(await cache.get('k')).toBe(undefined)
      expect(await cache.getOrSet('k', async () => 'new')).toBe('new')
    })

    it('R2 a caller after the delete never joins the earlier load', async () => {
      const { cache } = open()
      const old = new GatedLoad<string>()
      const first = cache.getOrSet('k', old.loader)
      await old.started()
      await cache.delete('k')
      expect(await cache.getOrSet('k', async () => 'new')).toBe('new')
      old.end('old')
      expect(await first).toBe('old')
      await settled()
      expect(await cache.get('k')).toBe('new')
    })

    it('R4 an invalidated tag keeps the late result of a foreground load from being served as fresh', async () => {
      const { cache } = open()
      expect(await duringLoad(cache, () => cache.deleteByTag('t'), { tags: ['t'] })).toBe('old')
      expect(await cache.get('k')).toBe(undefined)
    })

    it('R4 an invalidated tag keeps the late result of a background refresh from being served as fresh', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.set('k', 'first', { tags: ['t'] })
      clock.advance(60_000)
      const load = new GatedLoad<string>()
      expect(await cache.getOrSet('k', load.loader, { tags: ['t'] })).toBe('first')
      await load.started()
      await cache.deleteByTag('t')
      load.end('old')
      await settled()
      expect(await cache.get('k', { stale: true })).toBe(undefined)
    })

    it('R4 a tag that only the load can name keeps the result out if it was invalidated meanwhile', async () => {
      const { cache } = open()
      expect(await duringLoad(cache, () => cache.deleteByTag('late'), { namedTags: ['late'] })).toBe('old')
      expect(await cache.get('k')).toBe(undefined)
    })

    it('R2 R4 a caller after the invalidation never joins an earlier load that can name tags', async () => {
      const { cache } = open()
      const old = new GatedLoad<string>()
      const named = (load: () => Promise<string>) => async (context: LoadContext) => {
        context.tags = ['late']
        return await load()
      }
      const first = cache.getOrSet('k', named(old.loader))
      await old.started()
      await cache.deleteByTag('late')
      expect(
        await cache.getOrSet(
          'k',
          named(async () => 'new'),
        ),
      ).toBe('new')
      old.end('old')
      expect(await first).toBe('old')
      await settled()
      expect(await cache.get('k')).toBe('new')
    })

    it('R2 R4 a caller after the invalidation waits for an earlier load that may still name that tag, and loads again', async () => {
      const { cache } = open()
      const old = new GatedLoad<string>()
      const named = (load: () => Promise<string>) => async (context: LoadContext) => {
        const value = await load()
        context.tags = ['late']
        return value
      }
      const first = cache.getOrSet('k', named(old.loader))
      await old.started()
      await cache.deleteByTag('late')
      const next = new GatedLoad<string>()
      const late = [1, 2].map(() => cache.getOrSet('k', named(next.loader)))
      await settled()
      expect(next.runs).toBe(0)
      old.end('old')
      await next.started()
      next.end('new')
      expect([await first, ...(await Promise.all(late)), next.runs]).toEqual(['old', 'new', 'new', 1])
      expect(await cache.get('k')).toBe('new')
      const { hits, misses } = await cache.stats()
      expect([hits, misses]).toEqual([1, 3])
    })

    it('R2 R4 a caller who waits for softTimeout never takes the result of a load that named the tag too late', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: '10s' })
      await cache.set('k', 'stale')
      clock.advance(60_000)
      const load = new GatedLoad<string>()
      const named = async (context: LoadContext): Promise<string> => {
        const value = await load.loader()
        context.tags = ['late']
        return value
      }
      const first = cache.getOrSet('k', named)
      await load.started()
      await cache.deleteByTag('late')
      const second = cache.getOrSet('k', named)
      await settled()
      load.end('old')
      await load.started()
      load.end('new')
      expect([await first, await second, await cache.get('k')]).toEqual(['old', 'new', 'new'])
    })

    it('R4 callers who wait while a tag that the load names late is invalidated get its value, after one run', async () => {
      const { cache } = open()
      const load = new GatedLoad<string>()
      const named = async (context: LoadContext): Promise<string> => {
        const value = await load.loader()
        context.tags = ['late']
        return value
      }
      const all = [cache.getOrSet('k', named)]
      await load.started()
      all.push(cache.getOrSet('k', named))
      await settled()
      await cache.deleteByTag('late')
      load.end('old')
      expect([await Promise.all(all), load.runs, await cache.get('k')]).toEqual([['old', 'old'], 1, undefined])
    })

    it('R18 invalidations of other tags cause no further loads of a key, however many callers come', async () => {
      const { cache } = open()
      const load = new GatedLoad<string>()
      const all = [cache.getOrSet('k', (_context: LoadContext) => load.loader())]
      await load.started()
      for (let round = 0; round < 5; round += 1) {
        await cache.deleteByTag(`other ${round}`)
        for (let caller = 0; caller < 3; caller += 1)
          all.push(cache.getOrSet('k', (_context: LoadContext) => load.loader()))
        await settled()
      }
      load.end('value')
      expect([new Set(await Promise.all(all)), load.runs]).toEqual([new Set(['value']), 1])
    })

    it('R18 a load that can name tags is still shared if only another namespace or no tag was invalidated', async () => {
      const { cache } = open()
      const load = new GatedLoad<string>()
      const first = cache.getOrSet('k', (_context: LoadContext) => load.loader())
      await load.started()
      await cache.namespace('other').deleteByTag('late')
      const second = cache.getOrSet('k', load.loader)
      await settled()
      load.end('value')
      expect([await first, await second, load.runs]).toEqual(['value', 'value', 1])
    })

    it('R4 a clear keeps the late result out', async () => {
      const { cache } = open()
      expect(await duringLoad(cache, () => cache.clear())).toBe('old')
      expect(await cache.get('k')).toBe(undefined)
    })

    it('R5 an explicit set wins over the load', async () => {
      const { cache } = open()
      expect(await duringLoad(cache, () => cache.set('k', 'set'))).toBe('old')
      expect(await cache.get('k')).toBe('set')
    })

    it('R17 write, invalidate, write within one millisecond leaves the second write readable', async () => {
      const { cache } = open()
      await cache.set('k', 1, { tags: ['t'] })
      await cache.deleteByTag('t')
      await cache.set('k', 2, { tags: ['t'] })
      expect(await cache.get('k')).toBe(2)
    })
  })
}

describe('a change while an earlier caller looks the key up', () => {
  it('R2 R4 an invalidated tag keeps a value found earlier from later callers', async () => {
    const { cache, far } = twoProcesses()
    await cache.set('k', 'old', { tags: ['t'] })
    const item = far.holdAfter('get')
    // A look-up is shared if the call has options.
    const first = cache.getOrSet('k', async () => 'new', { timeout: '1m' })
    await item.reached
    const record = far.holdAfter('get')
    item.open()
    await record.reached
    await cache.deleteByTag('t')
    const second = cache.getOrSet('k', async () => 'new', { timeout: '1m' })
    await settled()
    record.open()
    expect([await first, await second]).toEqual(['old', 'new'])
  })
})
