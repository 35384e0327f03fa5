import { describe, expect, it } from 'vitest'
import { BreakpointBackend } from '../../src/conformance/index.ts'
import { Cache, type LoadContext } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { codeOf, GatedLoad, oneProcess, settled, twoProcesses } from './rig.ts'

describe('a change while a load runs, in one process', () => {
  for (const [name, open] of [
    ['a store that answers at once', oneProcess],
    ['a store that answers later', twoProcesses],
  ] as const) {
    describe(name, () => {
      it('R1 a delete lets the waiting callers have their value, stores nothing, and the next caller loads again', async () => {
        const { cache } = open()
        const load = new GatedLoad<string>()
        const first = cache.getOrSet('k', load.loader)
        await load.started()
        await cache.delete('k')
        load.end('old')
        expect(await first).toBe('old')
        await settled()
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
        const load = new GatedLoad<string>()
        const first = cache.getOrSet('k', load.loader, { tags: ['t'] })
        await load.started()
        await cache.deleteByTag('t')
        load.end('old')
        expect(await first).toBe('old')
        await settled()
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
        const load = new GatedLoad<string>()
        const first = cache.getOrSet('k', async (context) => {
          context.tags = ['late']
          return await load.loader()
        })
        await load.started()
        await cache.deleteByTag('late')
        load.end('old')
        expect(await first).toBe('old')
        await settled()
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
        const load = new GatedLoad<string>()
        const first = cache.getOrSet('k', load.loader)
        await load.started()
        await cache.clear()
        load.end('old')
        expect(await first).toBe('old')
        await settled()
        expect(await cache.get('k')).toBe(undefined)
      })

      it('R5 an explicit set wins over the load', async () => {
        const { cache } = open()
        const load = new GatedLoad<string>()
        const first = cache.getOrSet('k', load.loader)
        await load.started()
        await cache.set('k', 'set')
        load.end('loaded')
        expect(await first).toBe('loaded')
        await settled()
        expect(await cache.get('k')).toBe('set')
      })

      it('R17 write, invalidate, write within one millisecond leaves the second write readable', async () => {
        const { cache } = open()
        await cache.set('k', 1, { tags: ['t'] })
        await cache.deleteByTag('t')
        await cache.set('k', 2, { tags: ['t'] })
        expect(await cache.get('k')).toBe(2)
      })

      it('R18 a thousand callers who miss at once share one load', async () => {
        const { cache } = open()
        const load = new GatedLoad<string>()
        const all = Array.from({ length: 1000 }, () => cache.getOrSet('k', load.loader))
        await load.started()
        load.end('value')
        expect(new Set(await Promise.all(all))).toEqual(new Set(['value']))
        expect(load.runs).toBe(1)
      })

      it('R20 a load that throws rejects all its callers with the same error, after one run', async () => {
        const { cache } = open()
        const load = new GatedLoad<string>()
        const all = Array.from({ length: 5 }, () => cache.getOrSet('k', load.loader).catch((error) => error))
        await load.started()
        const failure = new Error('the database is down')
        load.fail(failure)
        for (const error of await Promise.all(all)) expect(error).toBe(failure)
        expect(load.runs).toBe(1)
      })

      it('R20 a load that throws serves the stale value where one is allowed', async () => {
        const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity })
        await cache.set('k', 'stale')
        clock.advance(60_000)
        expect(await cache.getOrSet('k', () => Promise.reject(new Error('down')))).toBe('stale')
      })

      it('R21 failing loads and new callers never cause two concurrent loads of one key', async () => {
        const { cache } = open()
        let running = 0
        let most = 0
        const failing = async (): Promise<string> => {
          running += 1
          most = Math.max(most, running)
          await settled()
          running -= 1
          throw new Error('down')
        }
        const callers: Promise<unknown>[] = []
        for (let round = 0; round < 20; round += 1) {
          callers.push(cache.getOrSet('k', failing).catch(() => {}))
          callers.push(cache.getOrSet('k', failing).catch(() => {}))
          await new Promise((resolve) => setImmediate(resolve))
        }
        await Promise.all(callers)
        expect(most).toBe(1)
      })

      it('R22 a load that ends after its timeout stays the owner and is stored once', async () => {
        const { cache, clock } = open({ timeout: '1s' })
        const load = new GatedLoad<string>()
        const first = codeOf(cache.getOrSet('k', load.loader))
        await load.started()
        clock.advance(1000)
        expect(await first).toBe('LOAD_TIMEOUT')
        const second = cache.getOrSet('k', load.loader)
        await settled()
        expect(load.runs).toBe(1)
        load.end('late')
        expect(await second).toBe('late')
        expect(await cache.get('k')).toBe('late')
        expect((await cache.stats()).sets).toBe(1)
      })

      it('R22 a load that never ends frees its key after twice its timeout', async () => {
        const { cache, clock } = open({ timeout: '1s' })
        const never = new GatedLoad<string>()
        const first = codeOf(cache.getOrSet('k', never.loader))
        await never.started()
        clock.advance(2001)
        expect(await first).toBe('LOAD_TIMEOUT')
        expect(await cache.getOrSet('k', async () => 'new')).toBe('new')
        never.end('very late')
        await settled()
        expect(await cache.get('k')).toBe('new')
      })

      it('R23 a background refresh continues when the caller who caused it has left', async () => {
        const { cache, clock } = open({ staleFor: '1h' })
        await cache.set('k', 'old')
        clock.advance(60_000)
        const load = new GatedLoad<string>()
        const controller = new AbortController()
        expect(await cache.getOrSet('k', load.loader, { signal: controller.signal })).toBe('old')
        await load.started()
        controller.abort()
        load.end('new')
        await settled()
        expect(await cache.get('k')).toBe('new')
      })

      it('R24 an abort rejects only its caller, and the load stops when all callers have left', async () => {
        const { cache } = open()
        const signals: AbortSignal[] = []
        const load = new GatedLoad<string>()
        const [one, two] = [new AbortController(), new AbortController()]
        const loader = (context: { signal: AbortSignal }): Promise<string> => {
          signals.push(context.signal)
          return load.loader()
        }
        const first = codeOf(cache.getOrSet('k', loader, { signal: one.signal }))
        const second = codeOf(cache.getOrSet('k', loader, { signal: two.signal }))
        await load.started()
        one.abort()
        expect(await first).toBe('ABORTED')
        expect(signals.map((signal) => signal.aborted)).toEqual([false])
        two.abort()
        expect(await second).toBe('ABORTED')
        expect(signals.map((signal) => signal.aborted)).toEqual([true])
        expect(await cache.getOrSet('k', async () => 'new')).toBe('new')
      })

      it('R33 close lets loads reach their callers and stores nothing afterwards, and later calls reject', async () => {
        const { cache } = open()
        const load = new GatedLoad<string>()
        const first = cache.getOrSet('k', load.loader)
        await load.started()
        await cache.close()
        load.end('late')
        expect(await first).toBe('late')
        expect(await codeOf(cache.get('k'))).toBe('CLOSED')
        expect(await codeOf(cache.set('k', 1))).toBe('CLOSED')
      })
    })
  }
})

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

describe('a change while a result is on its way to a store without compare-and-set', () => {
  for (const [title, change, left] of [
    ['R1 a delete', (cache: Cache) => cache.delete('k'), undefined],
    ['R1 a deleteMany', (cache: Cache) => cache.deleteMany(['k', 'x']), undefined],
    ['R4 a clear', (cache: Cache) => cache.clear(), undefined],
    ['R5 a set', (cache: Cache) => cache.set('k', 'set'), 'set'],
    ['R5 a setMany', (cache: Cache) => cache.setMany({ k: 'set' }), 'set'],
  ] as const) {
    it(`${title} is applied after the result, in whichever order the store would take them`, async () => {
      const far = new BreakpointBackend(new MapBackend())
      Object.assign(far, { compareAndSet: undefined })
      const cache = new Cache({ backend: far })
      const storing = far.holdBefore('set')
      const first = cache.getOrSet('k', async () => 'old')
      await storing.reached
      const changed = change(cache)
      await settled()
      storing.open()
      await changed
      expect([await first, await cache.get('k')]).toEqual(['old', left])
    })
  }
})

describe('a change that is slow in a store without compare-and-set', () => {
  for (const [title, operation, change, left] of [
    ['R1 a delete', 'delete', (cache: Cache) => cache.delete('k'), undefined],
    ['R1 a deleteMany', 'deleteMany', (cache: Cache) => cache.deleteMany(['k', 'x']), undefined],
    ['R4 a clear', 'clear', (cache: Cache) => cache.clear(), undefined],
    ['R4 a deleteByPrefix', 'clear', (cache: Cache) => cache.deleteByPrefix('k'), undefined],
    ['R5 a set', 'set', (cache: Cache) => cache.set('k', 'set'), 'set'],
    ['R5 a setMany', 'setMany', (cache: Cache) => cache.setMany({ k: 'set' }), 'set'],
    ['R5 an increment', 'increment', (cache: Cache) => cache.increment('k'), 1],
  ] as const) {
    function opened(): { far: BreakpointBackend; cache: Cache } {
      const far = new BreakpointBackend(new MapBackend())
      Object.assign(far, { compareAndSet: undefined })
      return { far, cache: new Cache({ backend: far }) }
    }

    it(`${title} is not undone by a result that comes while the answer to the change is on its way`, async () => {
      const { far, cache } = opened()
      const load = new GatedLoad<string>()
      const first = cache.getOrSet('k', load.loader)
      await load.started()
      const answer = far.holdAfter(operation)
      const changed = change(cache)
      await answer.reached
      load.end('old')
      expect(await first).toBe('old')
      answer.open()
      await changed
      expect(await cache.get('k')).toBe(left)
    })

    it(`${title} is not undone by a load that began while the change was on its way`, async () => {
      const { far, cache } = opened()
      const asked = far.holdBefore(operation)
      const changed = change(cache)
      await asked.reached
      const load = new GatedLoad<string>()
      const first = cache.getOrSet('k', load.loader)
      await load.started()
      asked.open()
      await changed
      load.end('old')
      expect([await first, await cache.get('k')]).toEqual(['old', left])
    })
  }
})

describe('a change by another process while a load runs', () => {
  it('R3 a delete keeps the late result out', async () => {
    const { cache, other } = twoProcesses()
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    await other.delete('k')
    load.end('old')
    expect(await first).toBe('old')
    await settled()
    expect(await cache.get('k')).toBe(undefined)
    expect(await other.get('k')).toBe(undefined)
  })

  it('R3 a delete keeps the late result of a background refresh out', async () => {
    const { cache, other, clock } = twoProcesses({ staleFor: '1h' })
    await cache.set('k', 'first')
    clock.advance(60_000)
    const load = new GatedLoad<string>()
    expect(await cache.getOrSet('k', load.loader)).toBe('first')
    await load.started()
    await other.delete('k')
    load.end('old')
    await settled()
    expect(await cache.get('k', { stale: true })).toBe(undefined)
  })

  it('R3 a delete that reaches the store while the fill is on its way keeps the result out', async () => {
    const { cache, other, far } = twoProcesses()
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    const fill = far.holdBefore('compareAndSet')
    load.end('old')
    await fill.reached
    await other.delete('k')
    fill.open()
    expect(await first).toBe('old')
    expect(await other.get('k')).toBe(undefined)
  })

  it('R3 after the delete the next load is stored at once', async () => {
    const { cache, other } = twoProcesses()
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    await other.delete('k')
    expect(await other.getOrSet('k', async () => 'new')).toBe('new')
    load.end('old')
    expect(await first).toBe('old')
    expect(await cache.get('k')).toBe('new')
  })

  it('R4 a clear keeps the late result out', async () => {
    const { cache, other } = twoProcesses()
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    await other.clear()
    load.end('old')
    expect(await first).toBe('old')
    await settled()
    expect(await cache.get('k')).toBe(undefined)
  })

  it('R4 an invalidated tag that only the load can name keeps the late result out', async () => {
    const { cache, other } = twoProcesses()
    await other.set('x', 1, { tags: ['late'] })
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', async (context) => {
      context.tags = ['late']
      return await load.loader()
    })
    await load.started()
    await other.deleteByTag('late')
    load.end('old')
    expect(await first).toBe('old')
    await settled()
    expect(await cache.get('k')).toBe(undefined)
  })

  it('R5 an explicit set wins', async () => {
    const { cache, other } = twoProcesses()
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    await other.set('k', 'set')
    load.end('loaded')
    await first
    expect(await cache.get('k')).toBe('set')
  })

  describe('callers after the change while the old load still runs', () => {
    for (const [title, change, options] of [
      ['a delete', (other: Cache) => other.delete('k'), {}],
      ['a clear', (other: Cache) => other.clear(), {}],
      ['an invalidation of its tag', (other: Cache) => other.deleteByTag('t'), { tags: ['t'] }],
    ] as const) {
      it(`R2 any number of callers after ${title} share one new load`, async () => {
        const { cache, other } = twoProcesses()
        const load = new GatedLoad<string>()
        const first = cache.getOrSet('k', load.loader, options)
        await load.started()
        await change(other)
        const late = Array.from({ length: 100 }, () => cache.getOrSet('k', load.loader, options))
        await settled()
        load.end('old')
        await load.started()
        load.end('new')
        expect(new Set(await Promise.all(late))).toEqual(new Set(['new']))
        expect([await first, await cache.get('k'), load.runs]).toEqual(['old', 'new', 2])
        const { hits, misses } = await cache.stats()
        expect([hits, misses]).toEqual([1, 101])
      })
    }

    it('R2 a caller after an invalidation of a tag that the load names late loads again', async () => {
      const { cache, other } = twoProcesses()
      const load = new GatedLoad<string>()
      const named = async (context: LoadContext): Promise<string> => {
        const value = await load.loader()
        context.tags = ['late']
        return value
      }
      const first = cache.getOrSet('k', named)
      await load.started()
      await other.deleteByTag('late')
      const second = cache.getOrSet('k', named)
      await settled()
      load.end('old')
      await load.started()
      load.end('new')
      expect([await first, await second]).toEqual(['old', 'new'])
    })

    it('R2 a caller after a set gets the value of the set', async () => {
      const { cache, other } = twoProcesses()
      const load = new GatedLoad<string>()
      const first = cache.getOrSet('k', load.loader)
      await load.started()
      await other.set('k', 'set')
      const second = cache.getOrSet('k', load.loader)
      await settled()
      load.end('old')
      expect([await first, await second, load.runs]).toEqual(['old', 'set', 1])
    })

    for (const [remoteTitle, remoteChange] of [
      ['sets the key', (other: Cache) => other.set('k', 'set remotely', { tags: ['t'] })],
      ['deletes the key', (other: Cache) => other.delete('k')],
      ['invalidates a tag', (other: Cache) => other.deleteByTag('t')],
    ] as const) {
      for (const [localTitle, localChange] of [
        ['sets the key', (cache: Cache) => cache.set('k', 'set locally', { tags: ['t'] })],
        ['sets many keys', (cache: Cache) => cache.setMany([['k', 'set locally']])],
        ['deletes the key', (cache: Cache) => cache.delete('k')],
        ['deletes many keys', (cache: Cache) => cache.deleteMany(['k', 'other'])],
        ['takes the key', (cache: Cache) => cache.take('k')],
        ['invalidates the tag', (cache: Cache) => cache.deleteByTag('t')],
        ['deletes the prefix', (cache: Cache) => cache.deleteByPrefix('k')],
        ['clears the cache', (cache: Cache) => cache.clear()],
        ['updates the key', (cache: Cache) => cache.update('k', () => 'set locally')],
        ['adds the key', (cache: Cache) => cache.add('k', 'set locally')],
        ['replaces the key', (cache: Cache) => cache.replace('k', 'set locally')],
      ] as const) {
        for (const [callTitle, call] of [
          ['getOrSet', (cache: Cache, loader: () => Promise<string>) => cache.getOrSet('k', loader, { tags: ['t'] })],
          [
            'getOrSetMany',
            async (cache: Cache, loader: () => Promise<string>) =>
              (await cache.getOrSetMany(['k'], async () => [['k', await loader()]], { tags: ['t'] }))[0],
          ],
        ] as const) {
          for (const stale of [false, true]) {
            const title = `another process ${remoteTitle}, a caller joins, and this process ${localTitle}`
            it(`R2 ${callTitle}${stale ? ' with a stale value' : ''} never returns the old value if ${title}`, async () => {
              const { cache, other, clock } = twoProcesses({ staleFor: '1h', softTimeout: '10s' })
              if (stale) {
                await cache.set('k', 'stale', { tags: ['t'] })
                clock.advance(60_000)
              }
              const load = new GatedLoad<string>()
              const first = call(cache, load.loader)
              await load.started()
              await remoteChange(other)
              const joined = call(cache, async () => 'loaded anew')
              await settled()
              await localChange(cache)
              load.end('old')
              await first
              expect(['set locally', 'set remotely', 'loaded anew']).toContain(await joined)
            })
          }
        }
      }
    }

    it('R2 a caller between an invalidation of a tag that the load names late and one of another tag loads again', async () => {
      const { cache, other } = twoProcesses()
      const load = new GatedLoad<string>()
      const named = async (context: LoadContext): Promise<string> => {
        const value = await load.loader()
        context.tags = ['late']
        return value
      }
      const first = cache.getOrSet('k', named)
      await load.started()
      await other.deleteByTag('late')
      const second = cache.getOrSet('k', async () => 'loaded anew')
      await settled()
      await cache.deleteByTag('another')
      load.end('old')
      expect([await first, await second]).toEqual(['old', 'loaded anew'])
    })

    it('R2 a caller after a delete between the storing of a result and its answer gets the new value', async () => {
      const { cache, other, far } = twoProcesses()
      const load = new GatedLoad<string>()
      const first = cache.getOrSet('k', load.loader)
      await load.started()
      const answer = far.holdAfter('compareAndSet')
      load.end('old')
      await answer.reached
      await other.delete('k')
      const second = cache.getOrSet('k', async () => 'new')
      await settled()
      answer.open()
      expect([await first, await second]).toEqual(['old', 'new'])
    })

    for (const [title, loader] of [
      ['is not to be stored', (context: LoadContext) => Object.assign(context, { store: false })],
      ['is undefined', () => undefined],
    ] as const) {
      for (const stale of [true, false]) {
        it(`R2 a caller after a delete gets the new value if the old result ${title}${stale ? ' and there was a stale value' : ''}`, async () => {
          const { cache, other, clock } = twoProcesses({ staleFor: '1h', softTimeout: '1s' })
          if (stale) await cache.set('k', 'stale')
          clock.advance(60_000)
          const load = new GatedLoad<string>()
          const first = cache.getOrSet('k', async (context: LoadContext) => {
            const value = await load.loader()
            return loader(context) === undefined ? undefined : value
          })
          await load.started()
          await other.delete('k')
          const second = cache.getOrSet('k', async () => 'new')
          await settled()
          load.end('old')
          await first
          expect(await second).toBe('new')
        })
      }
    }

    it('R2 a caller after a delete gets the new value while others wait for softTimeout', async () => {
      const { cache, other, clock } = twoProcesses({ staleFor: '1h', softTimeout: '1s' })
      await cache.set('k', 'stale')
      clock.advance(60_000)
      const load = new GatedLoad<string>()
      const first = cache.getOrSet('k', load.loader)
      await load.started()
      // This call comes before the delete: it has a stale value.
      const second = cache.getOrSet('k', load.loader)
      await settled()
      await other.delete('k')
      const third = cache.getOrSet('k', load.loader)
      await settled()
      load.end('old')
      await load.started()
      load.end('new')
      expect([await first, await second, await third]).toEqual(['old', 'new', 'new'])
    })

    it('R2 a caller after a delete never gets the value that an earlier load takes over from another process', async () => {
      const { cache, other, far } = twoProcesses()
      const put = far.holdBefore('compareAndSet')
      const first = cache.getOrSet('k', async () => 'unused')
      await put.reached
      await other.getOrSet('k', async () => 'old')
      const looked = far.holdAfter('get')
      put.open()
      await looked.reached
      await other.delete('k')
      const second = cache.getOrSet('k', async () => 'new')
      await settled()
      looked.open()
      expect([await first, await second]).toEqual(['old', 'new'])
    })

    it('R2 R19 a caller after a delete never gets the value that an earlier load with lock takes over', async () => {
      const { cache, other, far, clock } = twoProcesses({ lock: true })
      const load = new GatedLoad<string>()
      const theirs = other.getOrSet('k', load.loader)
      await load.started()
      const first = cache.getOrSet('k', async () => 'unused')
      await settled()
      load.end('old')
      await theirs
      const looked = far.holdAfter('get')
      clock.advance(20)
      await looked.reached
      await other.delete('k')
      const second = cache.getOrSet('k', async () => 'new')
      await settled()
      looked.open()
      expect([await first, await second]).toEqual(['old', 'new'])
    })

    it('R2 callers after a delete never get the value that an earlier caller is looking up', async () => {
      const { cache, other, far } = twoProcesses({ refreshAhead: 0.9 })
      await cache.set('k', 'old')
      const looked = far.holdAfter('get')
      const first = cache.getOrSet('k', async () => 'unused')
      await looked.reached
      await other.delete('k')
      const late = [1, 2].map(() => cache.getOrSet('k', async () => 'new'))
      await settled()
      looked.open()
      expect([await first, ...(await Promise.all(late))]).toEqual(['old', 'new', 'new'])
    })

    it('R1 callers who wait while their own process deletes the key get its value', async () => {
      const { cache } = twoProcesses()
      const load = new GatedLoad<string>()
      const all = [cache.getOrSet('k', load.loader)]
      await load.started()
      for (let caller = 0; caller < 3; caller += 1) all.push(cache.getOrSet('k', load.loader))
      await settled()
      await cache.delete('k')
      load.end('old')
      expect([await Promise.all(all), load.runs]).toEqual([['old', 'old', 'old', 'old'], 1])
    })

    it('R20 a load that fails rejects the later callers too, after one run', async () => {
      const { cache, other } = twoProcesses()
      const load = new GatedLoad<string>()
      const first = codeOf(cache.getOrSet('k', load.loader))
      await load.started()
      await other.delete('k')
      const second = codeOf(cache.getOrSet('k', load.loader))
      await settled()
      const failure = new Error('down')
      load.fail(failure)
      expect([await first, await second, load.runs]).toEqual([failure, failure, 1])
    })
  })

  it('R19 one process loads with lock, and the other takes its result', async () => {
    const { cache, other, clock } = twoProcesses({ lock: true })
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    const second = other.getOrSet('k', load.loader)
    await settled()
    load.end('value')
    expect(await first).toBe('value')
    clock.advance(1000)
    expect(await second).toBe('value')
    expect(load.runs).toBe(1)
  })

  it('R19 a dead owner of a lock blocks other processes no longer than its lease', async () => {
    const { cache, other, clock, far } = twoProcesses({ lock: true })
    const dead = new GatedLoad<string>()
    void cache.getOrSet('k', dead.loader)
    await dead.started()
    far.broken = true // As after a crash: no call of this process arrives, so its lease is not renewed.
    const second = other.getOrSet('k', async () => 'value')
    for (let waited = 0; waited < 12_000; waited += 250) {
      clock.advance(250)
      await settled()
    }
    expect(await second).toBe('value')
  })

  it('R31 the loss of a tag record makes its items misses, and none becomes valid again', async () => {
    const { cache, items } = twoProcesses()
    await cache.set('k', 1, { tags: ['t'] })
    expect(await cache.get('k')).toBe(1)
    for (const key of items.keys()) if (key.startsWith('@#')) items.delete(key)
    expect(await cache.get('k')).toBe(undefined)
    await cache.set('new', 2, { tags: ['t'] })
    expect(await cache.get('k')).toBe(undefined)
    expect(await cache.get('new')).toBe(2)
  })
})
