import { describe, expect, it } from 'vitest'
import { Cache, type Duration } from '../../src/index.ts'
import { bothStores, codeOf, twoProcesses } from './rig.ts'

const longest = 8.9e15

for (const [name, open] of bothStores) {
  describe(`R26 lifetimes, on ${name}`, () => {
    it('a ttl of 0 stores nothing and removes the old value, wherever it is given', async () => {
      const { cache } = open({ staleFor: '1h' })
      const zero = { ttl: 0 } as const
      const ways: Record<string, () => Promise<unknown>> = {
        set: () => cache.set('k', 2, zero),
        setMany: () => cache.setMany({ k: 2 }, zero),
        replace: () => cache.replace('k', 2, zero),
        update: () => cache.update('k', () => 2, zero),
        compareAndSet: async () => cache.compareAndSet('k', (await cache.item('k'))?.version, 2, zero),
        getOrSet: () => cache.getOrSet('k', () => 2, { ...zero, forceRefresh: true }),
        touch: () => cache.touch('k', zero),
        expire: () => cache.expire('k', 0),
      }
      for (const [way, write] of Object.entries(ways)) {
        await cache.set('k', 1)
        const { sets } = await cache.stats()
        await write()
        expect(await cache.get('k', { stale: true }), way).toBe(undefined)
        expect((await cache.stats()).sets, way).toBe(sets)
      }
      expect(await cache.add('new', 1, zero)).toBe(true)
      expect(await cache.has('new')).toBe(false)
    })

    it('R16 a ttl of 0 stores nothing even if the clock of the store lags behind', async () => {
      const { cache } = open({ clock: { now: () => Date.UTC(2030, 0, 1) + 3_600_000 } })
      await cache.set('k', 1)
      await cache.set('k', 2, { ttl: 0 })
      expect(await cache.get('k')).toBe(undefined)
      await cache.set('k', 1)
      expect(await cache.expire('k', 0)).toBe(true)
      expect(await cache.get('k')).toBe(undefined)
    })

    it('only a ttl of Infinity keeps a value without expiry', async () => {
      const { cache, clock } = open()
      await cache.set('permanent', 1, { ttl: Infinity })
      await cache.set('default', 1)
      await cache.set('long', 1, { ttl: longest })
      expect(await cache.ttl('permanent')).toBe(Infinity)
      expect((await cache.item('permanent'))?.expiresAt).toBe(undefined)
      clock.advance(60_000)
      expect(await cache.getMany(['permanent', 'default', 'long'])).toEqual([1, undefined, 1])
      clock.advance(longest - 60_001)
      expect(await cache.ttl('long')).toBe(1)
      clock.advance(1)
      expect(await cache.getMany(['permanent', 'long'])).toEqual([1, undefined])
    })

    it('fractions are rounded up, and one millisecond is a valid lifetime', async () => {
      const { cache, clock } = open()
      await cache.set('k', 1, { ttl: 0.1 })
      expect(await cache.ttl('k')).toBe(1)
      await cache.set('j', 1, { ttl: '1.5ms' })
      expect(await cache.ttl('j')).toBe(2)
      clock.advance(1)
      expect(await cache.getMany(['k', 'j'])).toEqual([undefined, 1])
    })

    it('a ttl of more than 2^31 ms is neither cut nor taken for the past', async () => {
      const { cache, clock } = open()
      for (const days of [25, 50, 1000]) {
        await cache.set('k', days, { ttl: `${days}d` })
        clock.advance(days * 86_400_000 - 1)
        expect(await cache.get('k')).toBe(days)
        clock.advance(1)
        expect(await cache.get('k')).toBe(undefined)
      }
    })

    it('the longest ttl with the longest staleFor stays exact', async () => {
      const { cache, clock } = open()
      await cache.set('k', 1, { ttl: longest, staleFor: longest })
      const item = await cache.item('k')
      expect(item?.staleAt).toBe(clock.now() + longest)
      expect(Number.isSafeInteger(item?.expiresAt)).toBe(true)
      expect(await cache.get('k')).toBe(1)
      await cache.set('j', 1, { ttl: 1000, staleFor: Infinity })
      clock.advance(86_400_000)
      expect(await cache.get('j', { stale: true })).toBe(1)
    })

    it('an invalid lifetime is refused by every call that takes one, before anything is written', async () => {
      const { cache } = open()
      await cache.set('k', 1)
      const wrong = [
        -1,
        Number.NaN,
        -Infinity,
        9e15,
        '',
        'soon',
        '5',
        '-5s',
        '5 s',
        '1w',
        `${'9'.repeat(400)}ms`,
        null,
        true,
        5n,
        {},
      ]
      for (const ttl of wrong as Duration[]) {
        const options = { ttl }
        for (const call of [
          cache.set('k', 2, options),
          cache.setMany({ k: 2 }, options),
          cache.add('k', 2, options),
          cache.replace('k', 2, options),
          cache.update('k', () => 2, options),
          cache.compareAndSet('k', undefined, 2, options),
          cache.increment('n', 1, options),
          cache.touch('k', options),
          cache.expire('k', ttl),
          cache.getOrSet('missing', () => 2, options),
          cache.getOrSetMany(['missing'], () => ({ missing: 2 }), options),
          cache.set('k', 2, { staleFor: ttl }),
          cache.getOrSet('missing', () => 2, { timeout: ttl }),
          cache.getOrSet('missing', () => 2, { softTimeout: ttl }),
          cache.getOrSet('missing', () => 2, { retryAfter: ttl }),
          cache.getOrSet('missing', () => 2, { nullTtl: ttl }),
          cache.withLock('k', () => 1, options),
          cache.withLock('k', () => 1, { wait: ttl }),
          cache.rateLimit('k', { limit: 1, window: ttl }),
        ])
          expect(await codeOf(call), String(ttl)).toBe('INVALID_ARGUMENT')
      }
      expect(await cache.getMany(['k', 'missing', 'n'])).toEqual([1, undefined, undefined])
    })

    it('a clock with fractions leads to whole instants', async () => {
      const { cache } = open({ clock: { now: () => 4102444800000.75 }, ttl: Infinity })
      await cache.set('k', 1, { ttl: '1d' })
      const item = await cache.item('k')
      expect([item?.createdAt, item?.expiresAt].every(Number.isSafeInteger)).toBe(true)
    })
  })

  describe(`R25 values, on ${name}`, () => {
    const falsy = [null, 0, -0, '', false, Number.NaN, 0n]

    it('a falsy value is a hit wherever a value can be read', async () => {
      const { cache } = open()
      for (const value of falsy) {
        await cache.set('k', value)
        expect(await cache.get('k')).toBe(value)
        expect(await cache.has('k')).toBe(true)
        expect((await cache.item('k'))?.value).toBe(value)
        expect(await cache.getMany(['k'])).toEqual([value])
        expect(await cache.getOrSet('k', () => 'loaded')).toBe(value)
        expect(await cache.getOrSetMany(['k'], () => ({ k: 'loaded' }))).toEqual([value])
        expect(await cache.add('k', 'added')).toBe(false)
        expect(await cache.update('k', (current) => [current])).toEqual([value])
        await cache.set('k', value)
        expect(await cache.take('k')).toBe(value)
        expect(await cache.getOrSet('loaded', () => value, { ttl: 10, forceRefresh: true })).toBe(value)
        expect(await cache.get('loaded')).toBe(value)
        await cache.deleteMany(['k', 'loaded'])
      }
      expect((await cache.stats()).misses).toBe(falsy.length)
    })

    it('undefined is refused by every call that stores', async () => {
      const { cache } = open()
      await cache.set('k', 1)
      for (const call of [
        cache.set('k', undefined),
        cache.setMany([
          ['j', 1],
          ['k', undefined],
        ]),
        cache.setMany({ j: 1, k: undefined }),
        cache.add('j', undefined),
        cache.replace('k', undefined),
        cache.compareAndSet('j', undefined, undefined),
      ])
        expect(await codeOf(call)).toBe('INVALID_ARGUMENT')
      expect(await cache.getMany(['k', 'j'])).toEqual([1, undefined])
    })

    it('a promise is refused, because it could not come back as it was', async () => {
      const { cache } = open()
      for (const call of [
        cache.set('k', Promise.resolve(1)),
        cache.setMany({ k: Promise.resolve(1) }),
        cache.add('k', Promise.resolve(1)),
        cache.replace('k', Promise.resolve(1)),
        cache.compareAndSet('k', undefined, Promise.resolve(1)),
      ])
        expect(await codeOf(call)).toBe('INVALID_ARGUMENT')
    })
  })
}

describe('a lifetime', () => {
  it('R16 the clock of the store determines expiry, whatever the clock of a reader says', async () => {
    const { cache, far, clock } = twoProcesses()
    const skewed = [3_600_000, -3_600_000].map(
      (skew) => new Cache({ backend: far, clock: { now: () => clock.now() + skew } }),
    )
    await cache.set('k', 1, { ttl: '1m' })
    for (const reader of skewed)
      expect([await reader.get('k'), await reader.getOrSet('k', () => 2), await reader.has('k')]).toEqual([1, 1, true])
    clock.advance(60_000)
    for (const reader of skewed) expect(await reader.get('k')).toBe(undefined)
  })
})
