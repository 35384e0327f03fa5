import { describe, expect, it } from 'vitest'
import { Cache, type CacheBackend, type Item } from '../../src/index.ts'
import { bothStores, codeOf, GatedLoad, settled, twoProcesses } from './rig.ts'

for (const [name, open] of bothStores) {
  describe(`conditional writes, on ${name}`, () => {
    it('add stores only if there is no value, and replace only if there is one', async () => {
      const { cache } = open()
      expect(await cache.replace('k', 1)).toBe(false)
      expect(await cache.add('k', 2)).toBe(true)
      expect(await cache.add('k', 3)).toBe(false)
      expect(await cache.replace('k', 4)).toBe(true)
      expect(await cache.get('k')).toBe(4)
    })

    it('an expired, a stale and an invalidated value count as none', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.set('stale', 1)
      await cache.set('expired', 1, { ttl: 10, staleFor: 0 })
      await cache.set('invalid', 1, { ttl: '1d', tags: ['t'] })
      await cache.deleteByTag('t')
      clock.advance(60_000)
      for (const key of ['stale', 'expired', 'invalid']) {
        expect(await cache.replace(key, 2), key).toBe(false)
        expect(await cache.touch(key), key).toBe(false)
        expect(await cache.take(key), key).toBe(undefined)
        expect(await cache.update(key, (current) => current), key).toBe(undefined)
        expect(await cache.add(key, 3), key).toBe(true)
        expect(await cache.get(key), key).toBe(3)
      }
    })

    it('compareAndSet overwrites only the version that item returned, whether the value is fresh or stale', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      expect(await cache.compareAndSet('k', undefined, 1)).toBe(true)
      expect(await cache.compareAndSet('k', undefined, 2)).toBe(false)
      const version = (await cache.item('k'))?.version
      expect(await cache.compareAndSet('k', version, 2)).toBe(true)
      expect(await cache.compareAndSet('k', version, 3)).toBe(false)
      clock.advance(60_000)
      const stale = (await cache.item('k'))?.version
      expect(await cache.compareAndSet('k', version, 4)).toBe(false)
      expect(await cache.compareAndSet('k', stale, 4)).toBe(true)
      expect(await cache.get('k')).toBe(4)
    })

    it('R4 an update whose tag is invalidated while its function runs leaves no valid value', async () => {
      const { cache } = open()
      await cache.set('k', 1, { tags: ['t'] })
      const change = async (current: number | undefined): Promise<number> => {
        await cache.deleteByTag('t')
        return (current ?? 0) + 1
      }
      // The result comes from a value from before the invalidation, as that of a load would.
      expect(await cache.update<number>('k', change, { tags: ['t'] })).toBe(2)
      expect(await cache.get('k')).toBe(undefined)
    })

    it('update returns the stored value, waits for an asynchronous change, and stores nothing for undefined', async () => {
      const { cache } = open()
      expect(await cache.update<number>('k', (current) => (current ?? 0) + 1)).toBe(1)
      expect(await cache.update<number>('k', async (current) => (current ?? 0) + 1)).toBe(2)
      expect(await cache.update('k', () => undefined)).toBe(undefined)
      expect(await cache.get('k')).toBe(2)
      await expect(cache.update('k', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
      await expect(
        cache.update('k', () => {
          throw new Error('at once')
        }),
      ).rejects.toThrow('at once')
      expect(await cache.update<number>('k', (current) => (current ?? 0) + 1)).toBe(3)
    })

    it('update counts each of 300 concurrent changes', async () => {
      const { cache } = open()
      await Promise.all(Array.from({ length: 300 }, () => cache.update<number>('k', (n) => (n ?? 0) + 1)))
      expect(await cache.get('k')).toBe(300)
    })

    it('update may change its own key within its change function, without a deadlock', async () => {
      const { cache } = open()
      let runs = 0
      const result = await cache.update<string>('k', async (current) => {
        runs += 1
        if (runs === 1) await cache.update<string>('k', async () => 'inner')
        return `outer after ${current}`
      })
      expect(result).toBe('outer after inner')
      expect(runs).toBe(2)
    })

    it('update gives up with CONFLICT after a hundred tries', async () => {
      const after = (_ms: number, action: () => void): (() => void) => {
        queueMicrotask(action)
        return () => {}
      }
      const { cache } = open({ ttl: Infinity, clock: { now: () => 1000, after } })
      let runs = 0
      const never = async (): Promise<string> => {
        runs += 1
        await cache.set('k', 'faster')
        return 'slower'
      }
      expect(await codeOf(cache.update('k', never))).toBe('CONFLICT')
      expect(runs).toBe(100)
    })

    it('R39 take returns the value to one of many concurrent calls', async () => {
      const { cache } = open()
      await cache.set('k', 'value')
      const taken = await Promise.all(Array.from({ length: 50 }, () => cache.take('k')))
      expect(taken.filter((value) => value !== undefined)).toEqual(['value'])
      expect(await cache.has('k')).toBe(false)
    })

    it('touch starts the lifetime of the cache or of the call, and keeps value, tags and cost', async () => {
      const { cache, clock } = open()
      await cache.set('k', 'value', { tags: ['t'], cost: 7 })
      clock.advance(30_000)
      expect(await cache.touch('k')).toBe(true)
      expect(await cache.ttl('k')).toBe(60_000)
      expect(await cache.touch('k', { ttl: '2m', staleFor: '1m' })).toBe(true)
      expect(await cache.ttl('k')).toBe(120_000)
      expect(await cache.item('k')).toMatchObject({ value: 'value', cost: 7, expiresAt: clock.now() + 180_000 })
      expect(await cache.touch('k', { ttl: Infinity })).toBe(true)
      expect(await cache.ttl('k')).toBe(Infinity)
      await cache.deleteByTag('t')
      expect(await cache.touch('k')).toBe(false)
    })

    it('expire ends a value after the given time, and at once for 0', async () => {
      const { cache, clock } = open()
      await cache.set('k', 1)
      expect(await cache.expire('k', '1s')).toBe(true)
      clock.advance(1000)
      expect(await cache.has('k')).toBe(false)
      expect(await cache.expire('k', '1s')).toBe(false)
      await cache.set('k', 1)
      expect(await cache.expire('k', 0)).toBe(true)
      expect(await cache.has('k')).toBe(false)
    })

    it('R1 a conditional write keeps out the result of a load that began before it', async () => {
      const { cache } = open()
      for (const [write, left] of [
        [() => cache.add('k', 'added'), 'added'],
        [() => cache.update('k', () => 'updated'), 'updated'],
        [() => cache.compareAndSet('k', undefined, 'set'), 'set'],
        [() => cache.increment('k'), 1],
      ] as const) {
        await cache.delete('k')
        const load = new GatedLoad<string>()
        const first = cache.getOrSet('k', load.loader)
        await load.started()
        await write()
        load.end('loaded')
        expect(await first).toBe('loaded')
        await settled()
        expect(await cache.get('k')).toBe(left)
      }
    })
  })

  describe(`counters, on ${name}`, () => {
    it('R39 a counter counts exactly, has a lifetime from its creation, and uses the default of the cache', async () => {
      const { cache, clock } = open()
      expect(await cache.increment('k')).toBe(1)
      expect(await cache.increment('k', 4)).toBe(5)
      expect(await cache.decrement('k', 2)).toBe(3)
      clock.advance(59_999)
      expect(await cache.increment('k', 1, { ttl: '1h' })).toBe(4)
      clock.advance(1)
      expect(await cache.increment('k', 1, { ttl: Infinity })).toBe(1)
      expect(await cache.ttl('k')).toBe(Infinity)
      expect(await cache.get('k')).toBe(1)
    })

    it('R39 R40 a value stays unchanged if it is no integer or the sum would leave the exact range', async () => {
      const { cache } = open()
      await cache.set('text', '5')
      expect(await codeOf(cache.increment('text'))).toBe('NOT_A_NUMBER')
      expect(await cache.get('text')).toBe('5')
      await cache.set('large', Number.MAX_SAFE_INTEGER)
      expect(await codeOf(cache.increment('large'))).toBe('OUT_OF_RANGE')
      expect(await cache.get('large')).toBe(Number.MAX_SAFE_INTEGER)
      expect(await cache.decrement('large')).toBe(Number.MAX_SAFE_INTEGER - 1)
    })

    it('a delta that is no integer and a lifetime of 0 are refused', async () => {
      const { cache } = open()
      for (const delta of [0.5, Number.NaN, Infinity, 2 ** 53, '1', null])
        expect(await codeOf(cache.increment('k', delta as number))).toBe('INVALID_ARGUMENT')
      for (const options of [{ ttl: 0 }, { ttl: -1 }, { tags: ['t'] }, null])
        expect(await codeOf(cache.decrement('k', 1, options as never))).toBe('INVALID_ARGUMENT')
      expect(await cache.has('k')).toBe(false)
    })
  })
}

/** A remote store without `increment`: counters use compare-and-set. */
function withoutIncrement(inner: CacheBackend): CacheBackend {
  return {
    name: 'no counters',
    get: (key) => inner.get(key),
    set: (item) => inner.set(item),
    delete: (key) => inner.delete(key),
    clear: (prefix) => inner.clear(prefix),
    compareAndSet: async (key: string, expected: string | undefined, next: Item | undefined) =>
      (await inner.compareAndSet?.(key, expected, next)) ?? false,
  }
}

describe('counters of a backend without increment', () => {
  it('R39 a thousand concurrent increments count exactly, and all their sums differ', async () => {
    const { far, clock } = twoProcesses()
    const cache = new Cache({ backend: withoutIncrement(far), clock })
    const sums = await Promise.all(Array.from({ length: 1000 }, () => cache.increment('k')))
    expect(new Set(sums).size).toBe(1000)
    expect(await cache.get('k')).toBe(1000)
  })

  it('R39 R40 a value stays unchanged if it is no integer or the sum would leave the exact range', async () => {
    const { far, clock } = twoProcesses()
    const cache = new Cache({ backend: withoutIncrement(far), clock })
    for (const [value, delta, code] of [
      ['5', 1, 'NOT_A_NUMBER'],
      [1.5, 1, 'NOT_A_NUMBER'],
      [null, 1, 'NOT_A_NUMBER'],
      [Number.MAX_SAFE_INTEGER, 1, 'OUT_OF_RANGE'],
      [-Number.MAX_SAFE_INTEGER, -1, 'OUT_OF_RANGE'],
    ] as const) {
      await cache.set('k', value)
      expect(await codeOf(cache.increment('k', delta))).toBe(code)
      expect(await cache.get('k')).toBe(value)
    }
  })

  it('an existing counter keeps its deadline, tags and cost, and a placeholder counts as none', async () => {
    const { far, clock } = twoProcesses()
    const cache = new Cache({ backend: withoutIncrement(far), clock })
    await cache.set('k', 5, { ttl: '1h', staleFor: '1h', tags: ['t'], cost: 3 })
    const before = await cache.item('k')
    expect(await cache.increment('k', 2, { ttl: '1m' })).toBe(7)
    const after = await cache.item('k')
    expect(after).toEqual({ ...before, value: 7, version: after?.version })
    expect(after?.version).not.toBe(before?.version)
    const load = new GatedLoad<number>()
    const loading = cache.getOrSet('loading', load.loader)
    await load.started()
    expect(await cache.increment('loading', 2, { ttl: '1m' })).toBe(2)
    expect(await cache.ttl('loading')).toBe(60_000)
    load.end(10)
    await loading
    expect(await cache.get('loading')).toBe(2)
  })
})

describe('take among processes', () => {
  it('R3 take of a key keeps out the result of another process that is loading it', async () => {
    const { cache, other } = twoProcesses()
    const load = new GatedLoad<string>()
    const loading = cache.getOrSet('k', load.loader)
    await load.started()
    expect(await other.take('k')).toBe(undefined)
    load.end('late')
    expect(await loading).toBe('late')
    await settled()
    expect(await cache.get('k')).toBe(undefined)
  })

  it('take resolves to undefined for a stale value, and removes it', async () => {
    const { far, clock } = twoProcesses()
    const writer = { write: () => {}, delete: () => {} }
    const cache = new Cache({ backend: far, clock, ttl: '1m', staleFor: '1h', writer })
    await cache.set('k', 'old')
    clock.advance(60_000)
    expect(await cache.take('k')).toBe(undefined)
    expect(await cache.get('k', { stale: true })).toBe(undefined)
  })
})
