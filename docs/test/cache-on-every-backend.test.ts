import { Cache, type CacheOptions, type LoadContext, type Writer } from '@cache/core'
import { createMovableClock, type MovableClock } from '@cache/core/conformance'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Handles, realBackends, startServers, stopServers } from './real-backends.ts'

const opened: Cache[] = []

beforeAll(startServers, 300_000)
afterAll(stopServers, 60_000)
afterEach(async () => {
  await Promise.all(opened.splice(0).map((cache) => cache.close()))
})

function cacheOn(backend: Handles['one'], options: Partial<CacheOptions> = {}): Cache {
  const cache = new Cache({ backend, ttl: '1h', ...options })
  opened.push(cache)
  return cache
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    (value) => ({ resolved: value }),
    (error) => error.code ?? error,
  )
}

async function keysOf(cache: Cache, prefix?: string): Promise<string[]> {
  const keys: string[] = []
  for await (const key of cache.keys(prefix)) keys.push(key)
  return [...new Set(keys)].sort()
}

/** A load that waits until the test lets it go. */
function gate<Value>(): { loader: () => Promise<Value>; started: Promise<void>; end: (value: Value) => void } {
  let end = (_value: Value): void => {}
  let begin = (): void => {}
  const started = new Promise<void>((resolve) => {
    begin = resolve
  })
  const result = new Promise<Value>((resolve) => {
    end = resolve
  })
  const loader = (): Promise<Value> => {
    begin()
    return result
  }
  return { loader, started, end }
}

/** A clock of the cache alone, beside that of the store: freshness is the cache's to judge, expiry the store's. */
function ownClock(): MovableClock {
  return createMovableClock(Date.now())
}

for (const [name, open] of Object.entries(realBackends)) {
  describe(`Cache on ${name}`, () => {
    it('stores values of every kind, and tells a falsy one from none', async () => {
      const cache = cacheOn(open().one)
      const values = [null, 0, '', false, 'text', 42, -1.5, [1, [2]], { a: { b: null } }, 'é\u0000\n', '']
      for (const [index, value] of values.entries()) await cache.set(`k${index}`, value)
      const keys = values.map((_, index) => `k${index}`)
      expect(await Promise.all(keys.map((key) => cache.get(key)))).toEqual(values)
      expect(await cache.getMany([...keys, 'missing'])).toEqual([...values, undefined])
      expect(await cache.get('missing')).toBe(undefined)
      expect([await cache.has('k0'), await cache.has('missing')]).toEqual([true, false])
    })

    it('stores and removes many at once', async () => {
      const cache = cacheOn(open().one)
      await cache.setMany(Array.from({ length: 500 }, (_, index): [string, number] => [`k${index}`, index]))
      expect(await cache.getMany(['k0', 'k499', 'k0', 'x'])).toEqual([0, 499, 0, undefined])
      expect((await keysOf(cache)).length).toBe(500)
      expect(await cache.deleteMany(['k0', 'k1', 'k0', 'x'])).toBe(2)
      expect([await cache.delete('k2'), await cache.delete('k2')]).toEqual([true, false])
      await cache.deleteByPrefix('k4')
      expect((await keysOf(cache)).length).toBe(500 - 3 - 111)
      await cache.clear()
      expect(await keysOf(cache)).toEqual([])
    })

    it('tells item, ttl and cost, and gives a new life by touch and expire', async () => {
      const cache = cacheOn(open().one)
      await cache.set('k', { v: 1 }, { ttl: '1m', staleFor: '1m', tags: ['t'], cost: 2.5 })
      const item = await cache.item('k')
      expect(item).toMatchObject({ key: 'k', value: { v: 1 }, cost: 2.5, tags: { t: expect.any(String) } })
      expect((item?.expiresAt ?? 0) - (item?.staleAt ?? 0)).toBe(60_000)
      const left = (await cache.ttl('k')) ?? 0
      expect(left > 50_000 && left <= 60_000).toBe(true)
      expect(await cache.touch('k', { ttl: '1d' })).toBe(true)
      expect((await cache.ttl('k')) ?? 0).toBeGreaterThan(80_000_000)
      expect(await cache.expire('k', Infinity)).toBe(true)
      expect(await cache.ttl('k')).toBe(Infinity)
      expect(await cache.get('k')).toEqual({ v: 1 })
      expect(await cache.expire('k', 0)).toBe(true)
      expect(await cache.get('k')).toBe(undefined)
      expect(await cache.touch('k')).toBe(false)
    })

    it('R26 stores nothing with ttl 0, and keeps the longest lifetimes', async () => {
      const cache = cacheOn(open().one)
      await cache.set('k', 1)
      await cache.set('k', 2, { ttl: 0 })
      expect(await cache.get('k')).toBe(undefined)
      await cache.set('long', 1, { ttl: '1000d' })
      await cache.set('longest', 1, { ttl: 8.9e15, staleFor: 8.9e15 })
      await cache.set('ever', 1, { ttl: Infinity })
      expect(await cache.getMany(['long', 'longest', 'ever'])).toEqual([1, 1, 1])
    })

    it('writes on conditions: add, replace, compareAndSet, update, take', async () => {
      const cache = cacheOn(open().one)
      expect(await cache.replace('k', 0)).toBe(false)
      expect([await cache.add('k', 1), await cache.add('k', 2)]).toEqual([true, false])
      expect(await cache.replace('k', 3)).toBe(true)
      const version = (await cache.item('k'))?.version
      expect([await cache.compareAndSet('k', version, 4), await cache.compareAndSet('k', version, 5)]).toEqual([
        true,
        false,
      ])
      expect(await cache.update<number>('k', async (current) => (current ?? 0) + 1)).toBe(5)
      await Promise.all(Array.from({ length: 50 }, () => cache.update<number>('k', (current) => (current ?? 0) + 1)))
      expect(await cache.get('k')).toBe(55)
      const taken = await Promise.all(Array.from({ length: 10 }, () => cache.take('k')))
      expect(taken.filter((value) => value !== undefined)).toEqual([55])
    })

    it('R39 R40 counts exactly, and leaves alone what is no number', async () => {
      const cache = cacheOn(open().one)
      const sums = await Promise.all(Array.from({ length: 200 }, () => cache.increment('n', 2)))
      expect(new Set(sums).size).toBe(200)
      expect(await cache.decrement('n', 1)).toBe(399)
      expect(await cache.get('n')).toBe(399)
      await cache.set('text', 'five')
      expect(await codeOf(cache.increment('text'))).toBe('NOT_A_NUMBER')
      await cache.set('large', Number.MAX_SAFE_INTEGER)
      expect(await codeOf(cache.increment('large'))).toBe('OUT_OF_RANGE')
      expect(await cache.getMany(['text', 'large'])).toEqual(['five', Number.MAX_SAFE_INTEGER])
    })

    it('a counter keeps the tags, the cost and the life that it was set with', async () => {
      const cache = cacheOn(open().one)
      await cache.set('n', 5, { ttl: '10m', staleFor: '10m', tags: ['t'], cost: 3 })
      const before = await cache.item('n')
      expect(await cache.increment('n', 1, { ttl: '1d' })).toBe(6)
      const after = await cache.item('n')
      expect(after).toMatchObject({ value: 6, tags: before?.tags, cost: 3, staleAt: before?.staleAt })
      // Redis counts the rest of a life in whole milliseconds from when it was written.
      expect(Math.abs((after?.expiresAt ?? 0) - (before?.expiresAt ?? 0))).toBeLessThanOrEqual(1000)
      await cache.deleteByTag('t')
      expect(await cache.get('n')).toBe(undefined)
    })

    it('invalidates by tag, whatever the tag guards, in its namespace alone', async () => {
      const cache = cacheOn(open().one)
      const inner = cache.namespace('in')
      await cache.set('ab', 1, { tags: ['a', 'b'] })
      await cache.set('b', 2, { tags: ['b'] })
      await inner.set('ab', 3, { tags: ['a', 'b'] })
      await cache.deleteByTag('a')
      expect(await cache.getMany(['ab', 'b'])).toEqual([undefined, 2])
      expect(await inner.get('ab')).toBe(3)
      await cache.set('ab', 4, { tags: ['a', 'b'] })
      expect(await cache.get('ab')).toBe(4)
      await cache.deleteByTag('b', 'never used')
      expect(await cache.getMany(['ab', 'b'])).toEqual([undefined, undefined])
    })

    it('R17 leaves the second of two writes readable between which its tag was invalidated', async () => {
      const cache = cacheOn(open().one)
      await cache.set('k', 1, { tags: ['t'] })
      await Promise.all([cache.deleteByTag('t')])
      await cache.set('k', 2, { tags: ['t'] })
      expect(await cache.get('k')).toBe(2)
    })

    it('R35 keeps namespaces apart, and clears each with those within it', async () => {
      const cache = cacheOn(open().one)
      const places = [
        cache,
        cache.namespace('a'),
        cache.namespace('a').namespace('b'),
        cache.namespace('a:b'),
        cache.namespace('ab'),
      ]
      const keys = ['c', 'b:c', ':c', '@/a/:c', 'b/:c', '']
      for (const [place, scope] of places.entries())
        await scope.setMany(keys.map((key): [string, string] => [key, `${place} ${key}`]))
      for (const [place, scope] of places.entries()) {
        expect(await scope.getMany(keys)).toEqual(keys.map((key) => `${place} ${key}`))
        expect(await keysOf(scope)).toEqual([...keys].sort())
      }
      await cache.namespace('a').clear()
      expect(await Promise.all(places.map((scope) => scope.has('c')))).toEqual([true, false, false, true, true])
    })

    it('R18 runs one load for many callers, and stores its result with what the load decided', async () => {
      const cache = cacheOn(open().one)
      const load = gate<string>()
      let runs = 0
      const loader = async (context: LoadContext): Promise<string> => {
        runs += 1
        context.tags = ['late']
        context.ttl = '1m'
        return await load.loader()
      }
      const all = Array.from({ length: 50 }, () => cache.getOrSet('k', loader, { tags: ['declared'] }))
      await load.started
      load.end('value')
      expect(new Set(await Promise.all(all))).toEqual(new Set(['value']))
      expect(runs).toBe(1)
      const item = await cache.item('k')
      expect(Object.keys(item?.tags ?? {}).sort()).toEqual(['declared', 'late'])
      expect((await cache.ttl('k')) ?? 0).toBeLessThanOrEqual(60_000)
      await cache.deleteByTag('late')
      expect(await cache.get('k')).toBe(undefined)
    })

    it('R1 R4 R5 keeps late results out, and lets them in where nothing changed', async () => {
      const cache = cacheOn(open().one)
      const changes: Record<string, () => Promise<unknown>> = {
        delete: () => cache.delete('k'),
        deleteMany: () => cache.deleteMany(['k']),
        deleteByTag: () => cache.deleteByTag('t'),
        deleteByPrefix: () => cache.deleteByPrefix('k'),
        clear: () => cache.clear(),
        take: () => cache.take('k'),
        set: () => cache.set('k', 'set'),
        add: () => cache.add('k', 'set'),
        nothing: async () => {},
      }
      const left: Record<string, unknown> = { set: 'set', add: 'set', nothing: 'late' }
      for (const [change, act] of Object.entries(changes)) {
        await cache.delete('k')
        const load = gate<string>()
        const first = cache.getOrSet('k', load.loader, { tags: ['t'] })
        await load.started
        await act()
        load.end('late')
        expect(await first, change).toBe('late')
        expect(await cache.get('k'), change).toBe(left[change])
      }
    })

    it('serves stale values, renews them behind, and keeps them by notModified', async () => {
      const clock = ownClock()
      const cache = cacheOn(open().one, { clock, ttl: '1m', staleFor: '1d' })
      await cache.set('k', 'old', { tags: ['t'] })
      clock.advance(60_000)
      expect(await cache.get('k')).toBe(undefined)
      expect(await cache.get('k', { stale: true })).toBe('old')
      const load = gate<string>()
      const refreshed = new Promise<void>((resolve) => {
        cache.on('load', () => setImmediate(resolve))
      })
      expect(await cache.getOrSet('k', load.loader, { tags: ['t'] })).toBe('old')
      load.end('new')
      await refreshed
      expect(await cache.get('k')).toBe('new')
      clock.advance(60_000)
      expect(await cache.getOrSet('k', (context) => context.notModified(), { softTimeout: Infinity })).toBe('new')
      expect(await cache.ttl('k')).toBe(60_000)
      await cache.deleteByTag('t')
      expect(await cache.get('k', { stale: true })).toBe(undefined)
      await cache.set('gone', 'old')
      clock.advance(60_000)
      expect(await cache.getOrSet('gone', () => undefined, { softTimeout: Infinity })).toBe(undefined)
      expect(await cache.get('gone', { stale: true })).toBe(undefined)
      await cache.set('kept', 'old')
      clock.advance(60_000)
      const failing = (): Promise<string> => Promise.reject(new Error('down'))
      expect(await cache.getOrSet('kept', failing, { softTimeout: Infinity })).toBe('old')
    })

    it('loads many at once, and stores null for its own time', async () => {
      const cache = cacheOn(open().one, { nullTtl: '1m' })
      await cache.set('b', 'there')
      const asked: string[][] = []
      const loader = async (keys: readonly string[]): Promise<Record<string, string | null>> => {
        asked.push([...keys])
        return { a: 'loaded', none: null }
      }
      expect(await cache.getOrSetMany(['a', 'b', 'none', 'missing', 'a'], loader, { tags: ['t'] })).toEqual([
        'loaded',
        'there',
        null,
        undefined,
        'loaded',
      ])
      expect(asked).toEqual([['a', 'none', 'missing']])
      expect(await cache.getMany(['a', 'b', 'none', 'missing'])).toEqual(['loaded', 'there', null, undefined])
      expect((await cache.ttl('none')) ?? 0).toBeLessThanOrEqual(60_000)
      await cache.deleteByTag('t')
      expect(await cache.getMany(['a', 'b', 'none'])).toEqual([undefined, 'there', undefined])
    })

    it('gives the results of a wrapped function, made once for equal arguments', async () => {
      const cache = cacheOn(open().one)
      let runs = 0
      const area = cache.wrap(
        async (shape: { width: number; height: number }) => {
          runs += 1
          return shape.width * shape.height
        },
        { key: 'area', tags: ['shapes'] },
      )
      expect([await area({ width: 2, height: 3 }), await area({ height: 3, width: 2 })]).toEqual([6, 6])
      expect(runs).toBe(1)
      await cache.deleteByTag('shapes')
      expect(await area({ width: 2, height: 3 })).toBe(6)
      expect(runs).toBe(2)
    })

    it('locks: one at a time, with tokens that grow', async () => {
      const cache = cacheOn(open().one)
      const tokens: number[] = []
      let inside = 0
      let most = 0
      const work = async ({ token }: { readonly token: number }): Promise<void> => {
        inside += 1
        most = Math.max(most, inside)
        tokens.push(token)
        await cache.get('anything')
        inside -= 1
      }
      await Promise.all([1, 2, 3, 4].map(() => cache.withLock('job', work, { wait: '30s' })))
      expect(most).toBe(1)
      expect(tokens).toEqual([...new Set(tokens)].sort((one, other) => one - other))
      expect(tokens.length).toBe(4)
      const held = cache.withLock('job', () => codeOf(cache.withLock('job', () => 1, { wait: 0 })))
      expect(await held).toBe('LOCK_TIMEOUT')
    })

    it('limits rates exactly, and says when the next call fits', async () => {
      const cache = cacheOn(open().one)
      const options = { limit: 20, window: '1h' } as const
      const answers = await Promise.all(Array.from({ length: 60 }, () => cache.rateLimit('login', options)))
      expect(answers.filter(({ allowed }) => allowed).length).toBe(20)
      expect(answers.filter(({ allowed, resetAt }) => !allowed && resetAt > Date.now()).length).toBe(40)
      expect(await cache.namespace('other').rateLimit('login', options)).toMatchObject({ allowed: true, remaining: 19 })
    })

    it('tells events and figures', async () => {
      const cache = cacheOn(open().one)
      const told: string[] = []
      for (const event of ['hit', 'miss', 'set', 'delete', 'load', 'error'] as const)
        cache.on(event, () => told.push(event))
      await cache.getOrSet('k', () => 1)
      await cache.get('k')
      await cache.delete('k')
      expect(told).toEqual(['miss', 'set', 'load', 'hit', 'delete'])
      expect(await cache.stats()).toMatchObject({
        hits: 1,
        misses: 1,
        sets: 1,
        deletes: 1,
        loads: 1,
        loadFailures: 0,
        errors: 0,
        hitRate: 0.5,
      })
    })

    it('R36 is shared by two caches, of which the last closes the backend', async () => {
      const { one: backend } = open()
      const [one, two] = [new Cache({ backend }), new Cache({ backend })]
      await one.set('k', 1)
      await one.close()
      expect(await two.get('k')).toBe(1)
      await two.close()
      expect(await codeOf(backend.get('k'))).toBe('CLOSED')
      expect(await codeOf(two.get('k'))).toBe('CLOSED')
    })
  })

  if (name === 'memory') continue

  describe(`two handles on ${name}`, () => {
    function two(options: Partial<CacheOptions> = {}): readonly [Cache, Cache] {
      const { one, other } = open()
      return [cacheOn(one, options), cacheOn(other as Handles['one'], options)]
    }

    it('R3 R4 R5 a change through one keeps the late result of the other out', async () => {
      const [one, other] = two()
      const changes: Record<string, readonly [() => Promise<unknown>, unknown]> = {
        delete: [() => other.delete('k'), undefined],
        deleteMany: [() => other.deleteMany(['k', 'x']), undefined],
        deleteByTag: [() => other.deleteByTag('t'), undefined],
        deleteByPrefix: [() => other.deleteByPrefix('k'), undefined],
        clear: [() => other.clear(), undefined],
        set: [() => other.set('k', 'set'), 'set'],
        nothing: [async () => {}, 'late'],
      }
      for (const [change, [act, left]] of Object.entries(changes)) {
        await one.delete('k')
        const load = gate<string>()
        const first = one.getOrSet('k', load.loader, { tags: ['t'] })
        await load.started
        await act()
        load.end('late')
        expect(await first, change).toBe('late')
        expect(await one.get('k'), change).toBe(left)
        expect(await other.get('k'), change).toBe(left)
      }
    })

    it('R5 a change through one during a write of the other to its database leaves no value that the database has not', async () => {
      const { one: first, other: second } = open()
      for (const change of ['set', 'delete', 'nothing'] as const) {
        const rows = new Map<string, unknown>()
        const written = gate<void>()
        const writer = (answered: () => Promise<void>): Writer => ({
          write: async (entries) => {
            for (const { key, value } of entries) rows.set(key, value)
            await answered()
          },
          delete: (keys) => {
            for (const key of keys) rows.delete(key)
          },
        })
        const one = cacheOn(first, { writer: writer(written.loader) })
        const other = cacheOn(second as Handles['one'], { writer: writer(async () => {}) })
        await other.set(change, 'old')
        const older = one.set(change, 'older')
        await written.started
        if (change === 'set') await other.set(change, 'newer')
        if (change === 'delete') await other.delete(change)
        written.end()
        await older
        for (const cache of [one, other]) {
          if (change !== 'nothing') expect([undefined, rows.get(change)], change).toContain(await cache.get(change))
          expect(await cache.getOrSet(change, () => rows.get(change)), change).toBe(rows.get(change))
        }
        expect(await one.get(change)).toBe({ set: 'newer', delete: undefined, nothing: 'older' }[change])
      }
    })

    it('each sees what the other wrote, deleted, invalidated and counted', async () => {
      const [one, other] = two()
      await one.set('k', 1, { tags: ['t'] })
      expect(await other.get('k')).toBe(1)
      await other.set('k', 2, { tags: ['t'] })
      expect(await one.get('k')).toBe(2)
      await one.deleteByTag('t')
      expect(await other.get('k')).toBe(undefined)
      await Promise.all([one, other].flatMap((cache) => Array.from({ length: 25 }, () => cache.increment('n'))))
      expect([await one.get('n'), await other.get('n')]).toEqual([50, 50])
      await other.clear()
      expect(await one.get('n')).toBe(undefined)
    })

    it('R19 with lock one loads and the other takes its result', async () => {
      const [one, other] = two({ lock: true })
      const load = gate<string>()
      let runs = 0
      const loader = (): Promise<string> => {
        runs += 1
        return load.loader()
      }
      const first = one.getOrSet('k', loader)
      await load.started
      const second = other.getOrSet('k', loader)
      load.end('value')
      expect(await Promise.all([first, second])).toEqual(['value', 'value'])
      expect(runs).toBe(1)
    })

    it('R39 updates, limits and locks are exact over both', async () => {
      const [one, other] = two()
      const both = [one, other]
      await Promise.all(
        both.flatMap((cache) => Array.from({ length: 20 }, () => cache.update<number>('u', (n) => (n ?? 0) + 1))),
      )
      expect(await one.get('u')).toBe(40)
      const options = { limit: 15, window: '1h' } as const
      const answers = await Promise.all(
        both.flatMap((cache) => Array.from({ length: 15 }, () => cache.rateLimit('r', options))),
      )
      expect(answers.filter(({ allowed }) => allowed).length).toBe(15)
      let inside = 0
      let most = 0
      const work = async (): Promise<void> => {
        inside += 1
        most = Math.max(most, inside)
        await one.get('anything')
        inside -= 1
      }
      await Promise.all(both.flatMap((cache) => [1, 2].map(() => cache.withLock('job', work, { wait: '30s' }))))
      expect(most).toBe(1)
    })
  })
}
