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
    it('a stale value with softTimeout 0 is served at once during a background refresh', async () => {
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

    it('get returns no stale value, unless the caller allows it', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.set('k', 'old')
      clock.advance(60_000)
      expect(await cache.get('k')).toBe(undefined)
      expect(await cache.has('k')).toBe(false)
      expect(await cache.get('k', { stale: true })).toBe('old')
      expect(await cache.getMany(['k', 'x'], { stale: true })).toEqual(['old', undefined])
    })

    it('the value is gone at the end of staleFor', async () => {
      const { cache, clock } = open({ staleFor: '10s' })
      await cache.set('k', 'old')
      clock.advance(69_999)
      expect(await cache.get('k', { stale: true })).toBe('old')
      clock.advance(1)
      expect(await cache.get('k', { stale: true })).toBe(undefined)
    })

    it('the stale value is served if the load is slower than softTimeout, and the load continues in the background', async () => {
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

    it('a load faster than softTimeout replaces the stale value', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: '1s' })
      await cache.set('k', 'old')
      clock.advance(60_000)
      expect(await cache.getOrSet('k', async () => 'new')).toBe('new')
    })

    it('a value that expired meanwhile is not served at the end of softTimeout', async () => {
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

    it('a failed load lets the stale value be served without a new load for retryAfter', async () => {
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

    it('a clock that is set back does not delay the next load further', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity, retryAfter: '5s' })
      await cache.set('k', 'old')
      clock.advance(120_000)
      expect(await cache.getOrSet('k', () => Promise.reject(new Error('down')))).toBe('old')
      clock.advance(-50_000)
      expect(await cache.getOrSet('k', () => 'new')).toBe('new')
    })

    it('the load time is never negative, also if the clock is set back meanwhile', async () => {
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

    it('forceRefresh does not wait for retryAfter', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity })
      await cache.set('k', 'old')
      clock.advance(60_000)
      await cache.getOrSet('k', () => Promise.reject(new Error('down')))
      expect(await cache.getOrSet('k', async () => 'new', { forceRefresh: true })).toBe('new')
    })

    it('a load that returns undefined removes the stale value', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.set('k', 'old')
      clock.advance(60_000)
      expect(await cache.getOrSet('k', async () => undefined)).toBe('old')
      await settled()
      expect(await cache.get('k', { stale: true })).toBe(undefined)
    })

    it('a load that sets store to false keeps the stale value', async () => {
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
    it('one background refresh starts after the given fraction of the lifetime', async () => {
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

    it('the next refresh waits for retryAfter after a failed one', async () => {
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

    it('the lifetime counts from the renewal by notModified, not from the first load', async () => {
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

    it('a single call may set refreshAhead', async () => {
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
    it('a refresh starts if the random lead, in mean load times, reaches the end of the lifetime (XFetch)', async () => {
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
