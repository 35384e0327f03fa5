import { describe, expect, it } from 'vitest'
import type { LoadContext } from '../../src/index.ts'
import { bothStores, GatedLoad, settled } from './rig.ts'

/** A number that differs at every load. */
function counting(): { loader: () => Promise<number>; runs: () => number } {
  let runs = 0
  return {
    loader: async () => {
      runs += 1
      return runs
    },
    runs: () => runs,
  }
}

for (const [name, open] of bothStores) {
  describe(`a stale value, on ${name}`, () => {
    it('is served at once while it is renewed behind, with softTimeout 0', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.set('k', 'old')
      clock.advance(60_000)
      const load = new GatedLoad<string>()
      expect(await cache.getOrSet('k', load.loader)).toBe('old')
      await load.started()
      expect(await cache.getOrSet('k', load.loader)).toBe('old')
      load.end('new')
      await settled()
      expect(await cache.get('k')).toBe('new')
      expect(load.runs).toBe(1)
    })

    it('is no answer to get, unless the caller takes stale values', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.set('k', 'old')
      clock.advance(60_000)
      expect(await cache.get('k')).toBe(undefined)
      expect(await cache.has('k')).toBe(false)
      expect(await cache.get('k', { stale: true })).toBe('old')
      expect(await cache.getMany(['k', 'x'], { stale: true })).toEqual(['old', undefined])
    })

    it('is gone at the end of staleFor', async () => {
      const { cache, clock } = open({ staleFor: '10s' })
      await cache.set('k', 'old')
      clock.advance(69_999)
      expect(await cache.get('k', { stale: true })).toBe('old')
      clock.advance(1)
      expect(await cache.get('k', { stale: true })).toBe(undefined)
    })

    it('is served when the load is slower than softTimeout, and the load goes on behind', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: '1s' })
      await cache.set('k', 'old')
      clock.advance(60_000)
      const load = new GatedLoad<string>()
      const first = cache.getOrSet('k', load.loader)
      await load.started()
      clock.advance(1000)
      expect(await first).toBe('old')
      load.end('new')
      await settled()
      expect(await cache.get('k')).toBe('new')
    })

    it('gives way to a load that is faster than softTimeout', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: '1s' })
      await cache.set('k', 'old')
      clock.advance(60_000)
      expect(await cache.getOrSet('k', async () => 'new')).toBe('new')
    })

    it('is not served for the sake of softTimeout when its life has ended meanwhile', async () => {
      const { cache, clock } = open({ staleFor: '1s', softTimeout: '10s' })
      await cache.set('k', 'old')
      clock.advance(60_000)
      const load = new GatedLoad<string>()
      const first = cache.getOrSet('k', load.loader)
      await load.started()
      clock.advance(10_000)
      await settled()
      load.end('new')
      expect(await first).toBe('new')
    })

    it('is served without a new try for retryAfter, once a load has failed', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity, retryAfter: '5s' })
      await cache.set('k', 'old')
      clock.advance(60_000)
      let runs = 0
      const failing = async (): Promise<string> => {
        runs += 1
        throw new Error('down')
      }
      expect(await cache.getOrSet('k', failing)).toBe('old')
      clock.advance(4999)
      expect(await cache.getOrSet('k', failing)).toBe('old')
      expect(runs).toBe(1)
      clock.advance(1)
      expect(await cache.getOrSet('k', failing)).toBe('old')
      expect(runs).toBe(2)
    })

    it('is not kept from being renewed for longer by a clock that is set back', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity, retryAfter: '5s' })
      await cache.set('k', 'old')
      clock.advance(120_000)
      expect(await cache.getOrSet('k', () => Promise.reject(new Error('down')))).toBe('old')
      clock.advance(-50_000)
      expect(await cache.getOrSet('k', () => 'new')).toBe('new')
    })

    it('is renewed in no less than no time, also when the clock is set back meanwhile', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity })
      const ms: number[] = []
      cache.on('load', (event) => ms.push(event.ms))
      const back = (): number => {
        clock.advance(-50_000)
        return 1
      }
      await cache.getOrSet('k', back)
      await cache.getOrSet('j', () => Promise.reject(back())).catch(() => {})
      expect(ms).toEqual([0])
      expect((await cache.stats()).averageLoadTime).toBe(0)
    })

    it('does not hold a forced refresh up for retryAfter', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity })
      await cache.set('k', 'old')
      clock.advance(60_000)
      await cache.getOrSet('k', () => Promise.reject(new Error('down')))
      expect(await cache.getOrSet('k', async () => 'new', { forceRefresh: true })).toBe('new')
    })

    it('is removed when the load finds that there is none any more', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.set('k', 'old')
      clock.advance(60_000)
      expect(await cache.getOrSet('k', async () => undefined)).toBe('old')
      await settled()
      expect(await cache.get('k', { stale: true })).toBe(undefined)
    })

    it('stays when the load sets store to false', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.set('k', 'old')
      clock.advance(60_000)
      const loader = async (load: LoadContext): Promise<string> => {
        load.store = false
        return 'new'
      }
      expect(await cache.getOrSet('k', loader, { softTimeout: Infinity })).toBe('new')
      expect(await cache.get('k', { stale: true })).toBe('old')
    })
  })

  describe(`refreshAhead, on ${name}`, () => {
    it('renews in the background once its fraction of the life is over, and once', async () => {
      const { cache, clock } = open({ refreshAhead: 0.8 })
      await cache.set('k', 'old')
      const load = new GatedLoad<string>()
      clock.advance(47_999)
      expect(await cache.getOrSet('k', load.loader)).toBe('old')
      await settled()
      expect(load.runs).toBe(0)
      clock.advance(1)
      expect(await cache.getOrSet('k', load.loader)).toBe('old')
      expect(await cache.getOrSet('k', load.loader)).toBe('old')
      await load.started()
      load.end('new')
      await settled()
      expect(await cache.getOrSet('k', load.loader)).toBe('new')
      expect(load.runs).toBe(1)
    })

    it('waits for retryAfter once a renewal has failed', async () => {
      const { cache, clock } = open({ refreshAhead: 0.5, retryAfter: '5s' })
      await cache.set('k', 'old')
      clock.advance(30_000)
      let runs = 0
      const failing = async (): Promise<string> => {
        runs += 1
        throw new Error('down')
      }
      for (let call = 0; call < 5; call += 1) {
        expect(await cache.getOrSet('k', failing)).toBe('old')
        await settled()
      }
      expect(runs).toBe(1)
      clock.advance(5000)
      expect(await cache.getOrSet('k', failing)).toBe('old')
      await settled()
      expect(runs).toBe(2)
    })

    it('counts the life from a renewal by notModified, not from the first load', async () => {
      const { cache, clock } = open({ refreshAhead: 0.5 })
      await cache.set('k', 'old')
      clock.advance(30_000)
      let runs = 0
      const loader = (load: LoadContext) => {
        runs += 1
        return load.notModified()
      }
      await cache.getOrSet('k', loader)
      await settled()
      await cache.getOrSet('k', loader)
      await settled()
      expect(runs).toBe(1)
      clock.advance(29_999)
      await cache.getOrSet('k', loader)
      await settled()
      expect(runs).toBe(1)
      clock.advance(1)
      await cache.getOrSet('k', loader)
      await settled()
      expect(runs).toBe(2)
    })

    it('may be asked for by one call', async () => {
      const { cache, clock } = open()
      const { loader, runs } = counting()
      await cache.getOrSet('k', loader)
      clock.advance(30_000)
      expect(await cache.getOrSet('k', loader)).toBe(1)
      expect(await cache.getOrSet('k', loader, { refreshAhead: 0.5 })).toBe(1)
      await settled()
      expect(runs()).toBe(2)
    })
  })

  describe(`earlyExpiry, on ${name}`, () => {
    it('renews when the drawn lead, in mean load times, reaches the end of the life (XFetch)', async () => {
      let drawn = 0
      const { cache, clock } = open({ earlyExpiry: 1, random: () => drawn })
      const slow = async (): Promise<string> => {
        clock.advance(10_000)
        return 'value'
      }
      await cache.getOrSet('k', slow) // The mean load time is now 10 s; fresh until 60 s after its end.
      const { loader, runs } = counting()
      clock.advance(40_000)
      drawn = 1 - Math.exp(-1.99) // A lead of 19.9 s, with 20 s left.
      expect(await cache.getOrSet('k', loader)).toBe('value')
      await settled()
      expect(runs()).toBe(0)
      drawn = 1 - Math.exp(-2.01)
      expect(await cache.getOrSet('k', loader)).toBe('value')
      await settled()
      expect(runs()).toBe(1)
    })
  })
}
