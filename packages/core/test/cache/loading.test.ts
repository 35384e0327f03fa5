import { describe, expect, it } from 'vitest'
import type { Cache, LoadContext } from '../../src/index.ts'
import { bothStores, codeOf, GatedLoad, oneProcess, settled, twoProcesses } from './rig.ts'

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
  describe(`a load, on ${name}`, () => {
    it('the loader decides ttl, tags and storage from the loaded value', async () => {
      const { cache, clock } = open()
      const loader = async (load: LoadContext): Promise<string> => {
        load.ttl = '1s'
        load.staleFor = '2s'
        load.tags = ['late']
        return 'value'
      }
      await cache.getOrSet('k', loader, { tags: ['declared'] })
      const item = await cache.item('k')
      expect(Object.keys(item?.tags ?? {}).sort()).toEqual(['declared', 'late'])
      expect(item?.staleAt).toBe(clock.now() + 1000)
      expect(item?.expiresAt).toBe(clock.now() + 3000)
      await cache.getOrSet('none', async (load) => {
        load.store = false
        return 1
      })
      expect(await cache.get('none')).toBe(undefined)
    })

    it('R4 a loader that names tags without declaring its parameter is stored from the second run on', async () => {
      const { cache } = open()
      const gate = new GatedLoad<string>()
      const loader = async (...given: LoadContext[]): Promise<string> => {
        const value = await gate.loader()
        for (const load of given) load.tags = ['late']
        return value
      }
      for (const [value, stored] of [
        ['first', undefined],
        ['second', 'second'],
      ]) {
        const loading = cache.getOrSet('k', loader as () => Promise<string>)
        await gate.started()
        gate.end(value as string)
        expect([await loading, await cache.get('k')]).toEqual([value, stored])
      }
      await cache.deleteByTag('late')
      const old = cache.getOrSet('k', loader as () => Promise<string>)
      await gate.started()
      await cache.deleteByTag('late')
      gate.end('old')
      expect([await old, await cache.get('k')]).toEqual(['old', undefined])
    })

    it('a loader that sets ttl to 0 stores nothing and removes the old value', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity })
      await cache.set('k', 'old')
      clock.advance(60_000)
      const zero = async (load: LoadContext): Promise<string> => {
        load.ttl = 0
        return 'new'
      }
      const before = (await cache.stats()).sets
      expect(await cache.getOrSet('k', zero)).toBe('new')
      expect(await cache.get('k', { stale: true })).toBe(undefined)
      expect((await cache.stats()).sets).toBe(before)
    })

    it('the loader gets the stale value with its version and tags, and keeps it by notModified', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity })
      await cache.set('k', { etag: 'a' }, { tags: ['t'] })
      const stored = await cache.item('k')
      clock.advance(60_000)
      let seen: unknown
      const loader = (load: LoadContext) => {
        seen = load.stale
        return load.notModified()
      }
      expect(await cache.getOrSet('k', loader)).toEqual({ etag: 'a' })
      expect(seen).toEqual(stored)
      expect(await cache.ttl('k')).toBe(60_000)
    })

    it('notModified keeps the tags of the value, whether the call or the loader named them', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity })
      await cache.getOrSet('k', async (load) => {
        load.tags = ['late']
        return 'value'
      })
      clock.advance(60_000)
      expect(await cache.getOrSet('k', (load) => load.notModified())).toBe('value')
      expect(Object.keys((await cache.item('k'))?.tags ?? {})).toEqual(['late'])
      await cache.deleteByTag('late')
      expect(await cache.get('k', { stale: true })).toBe(undefined)
    })

    it('R4 notModified does not restore a value whose tag was invalidated meanwhile', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.set('k', 'value', { tags: ['t'] })
      clock.advance(60_000)
      const gate = new GatedLoad<void>()
      const loader = async (load: LoadContext) => {
        await gate.loader()
        return load.notModified()
      }
      expect(await cache.getOrSet('k', loader)).toBe('value')
      await gate.started()
      await cache.deleteByTag('t')
      gate.end()
      await settled()
      expect(await cache.get('k', { stale: true })).toBe(undefined)
    })

    it('notModified gives null its own lifetime', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity, nullTtl: '5s' })
      await cache.getOrSet('k', async () => null)
      clock.advance(5000)
      expect(await cache.getOrSet('k', (load) => load.notModified())).toBe(null)
      expect(await cache.ttl('k')).toBe(5000)
    })

    it('notModified of another load is refused without a stale value', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.set('stale', 1)
      clock.advance(60_000)
      let kept: unknown
      const keep = (load: LoadContext): never => {
        kept = load.notModified()
        return kept as never
      }
      expect(await cache.getOrSet('stale', keep, { softTimeout: '1s' })).toBe(1)
      expect(await codeOf(cache.getOrSet('k', () => kept))).toBe('INVALID_ARGUMENT')
      expect(await cache.item('k')).toBe(undefined)
    })

    it('notModified is refused without a stale value', async () => {
      const { cache } = open()
      expect(await codeOf(cache.getOrSet('k', (load) => load.notModified()))).toBe('INVALID_ARGUMENT')
    })

    it('the loader may return a thenable, a plain value, or undefined, which is not stored', async () => {
      const { cache } = open()
      // biome-ignore lint/suspicious/noThenProperty: this is what a query builder looks like.
      const thenable = { then: (resolve: (value: string) => void) => resolve('later') }
      expect(await cache.getOrSet('a', () => thenable as unknown as Promise<string>)).toBe('later')
      expect(await cache.get('a')).toBe('later')
      expect(await cache.getOrSet('b', () => 'at once')).toBe('at once')
      expect(await cache.get('b')).toBe('at once')
      expect(await cache.getOrSet('c', () => undefined)).toBe(undefined)
      expect(await cache.has('c')).toBe(false)
    })

    it('a loader that throws synchronously rejects its caller with the same error', async () => {
      const { cache } = open()
      const failure = new Error('down')
      const loader = (): string => {
        throw failure
      }
      await expect(cache.getOrSet('k', loader)).rejects.toBe(failure)
    })

    it('the loader may use the cache, and a set of its own key wins over its result', async () => {
      const { cache } = open()
      const loader = async (): Promise<string> => {
        await cache.set('other', 1)
        await cache.set('k', 'set')
        return `loaded ${await cache.get('k')}`
      }
      expect(await cache.getOrSet('k', loader)).toBe('loaded set')
      expect(await cache.get('k')).toBe('set')
      expect(await cache.get('other')).toBe(1)
    })

    it('a loader that waits for its own key is ended by the timeout', async () => {
      const { cache, clock } = open({ timeout: '1s' })
      const first = codeOf(cache.getOrSet('k', () => cache.getOrSet('k', () => 1)))
      await settled()
      clock.advance(1000)
      expect(await first).toBe('LOAD_TIMEOUT')
    })

    it('jitter shortens the lifetime by up to its fraction', async () => {
      let drawn = 0
      const { cache } = open({ jitter: 0.5, random: () => drawn })
      await cache.getOrSet('longest', async () => 1)
      expect(await cache.ttl('longest')).toBe(60_000)
      drawn = 0.999999
      await cache.getOrSet('shortest', async () => 1)
      expect(await cache.ttl('shortest')).toBe(30_001)
      await cache.set('set', 1)
      expect(await cache.ttl('set')).toBe(30_001)
      await cache.getOrSet('own', async () => 1, { jitter: 0 })
      expect(await cache.ttl('own')).toBe(60_000)
    })

    it('a loaded null has the lifetime nullTtl', async () => {
      const { cache, clock } = open({ nullTtl: '1s' })
      await cache.getOrSet('k', async () => null)
      expect(await cache.ttl('k')).toBe(1000)
      clock.advance(999)
      expect(await cache.getOrSet('k', async () => 'new')).toBe(null)
      clock.advance(1)
      expect(await cache.getOrSet('k', async () => 'new')).toBe('new')
    })
  })

  describe(`timeout, on ${name}`, () => {
    it('the timeout limits the wait of a caller, and a stale value replaces the error', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity, timeout: '1s' })
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

    it('the timeout of a joining caller does not end the load of callers with a longer one', async () => {
      const { cache, clock } = open({ timeout: '1m' })
      const load = new GatedLoad<string>()
      const signals: AbortSignal[] = []
      const loader = (context: LoadContext): Promise<string> => {
        signals.push(context.signal)
        return load.loader()
      }
      const patient = cache.getOrSet('k', loader)
      await load.started()
      clock.advance(1000)
      const hasty = codeOf(cache.getOrSet('k', loader, { timeout: 10 }))
      await settled()
      clock.advance(10)
      expect(await hasty).toBe('LOAD_TIMEOUT')
      expect(signals.map((signal) => signal.aborted)).toEqual([false])
      load.end('value')
      expect(await patient).toBe('value')
      expect(await cache.get('k')).toBe('value')
      expect(load.runs).toBe(1)
    })

    it('R22 a load that outlives a timeout is stored late, although a later caller aborts', async () => {
      const { cache, clock } = open({ timeout: '1s' })
      const load = new GatedLoad<string>()
      const first = codeOf(cache.getOrSet('k', load.loader))
      await load.started()
      clock.advance(1000)
      expect(await first).toBe('LOAD_TIMEOUT')
      const controller = new AbortController()
      const second = codeOf(cache.getOrSet('k', load.loader, { signal: controller.signal }))
      await settled()
      controller.abort()
      expect(await second).toBe('ABORTED')
      load.end('late')
      await settled()
      expect(await cache.get('k')).toBe('late')
    })
  })

  describe(`a signal, on ${name}`, () => {
    it('an aborted signal rejects the call before anything is loaded', async () => {
      const { cache } = open()
      const { loader, runs } = counting()
      expect(await codeOf(cache.getOrSet('k', loader, { signal: AbortSignal.abort() }))).toBe('ABORTED')
      expect(runs()).toBe(0)
    })

    it('R24 a signal that aborts between the look-up and the load rejects its caller', async () => {
      const { cache, clock } = open({ timeout: '1m' })
      const controller = new AbortController()
      const load = new GatedLoad<string>()
      // The loader itself aborts, in the same microtask in which it starts.
      const loader = (): Promise<string> => {
        controller.abort()
        return load.loader()
      }
      const first = codeOf(cache.getOrSet('k', loader, { signal: controller.signal }))
      await settled()
      clock.advance(1)
      expect(await Promise.race([first, settled().then(() => 'waits')])).toBe('ABORTED')
    })

    it('R24 a signal does not end the load of a caller who is still looking the key up', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity })
      await cache.set('k', 'old')
      clock.advance(60_000)
      const load = new GatedLoad<string>()
      const controller = new AbortController()
      const loader = (context: LoadContext): Promise<string> => {
        context.signal.addEventListener('abort', () => load.fail(new Error('stopped')))
        return load.loader()
      }
      const first = codeOf(cache.getOrSet('k', loader, { signal: controller.signal }))
      await load.started()
      const second = cache.getOrSet('k', loader)
      controller.abort()
      expect(await first).toBe('ABORTED')
      await settled()
      load.end('new')
      expect(await second).toBe('new')
    })

    it('R23 a signal does not stop a background refresh', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.set('k', 'old')
      clock.advance(60_000)
      const load = new GatedLoad<string>()
      expect(await cache.getOrSet('k', load.loader)).toBe('old')
      await load.started()
      const controller = new AbortController()
      const waiting = codeOf(cache.getOrSet('k', load.loader, { softTimeout: Infinity, signal: controller.signal }))
      await settled()
      controller.abort()
      expect(await waiting).toBe('ABORTED')
      load.end('new')
      await settled()
      expect(await cache.get('k')).toBe('new')
    })
  })

  describe(`forceRefresh, on ${name}`, () => {
    it('forceRefresh loads although there is a fresh value', async () => {
      const { cache } = open()
      await cache.set('k', 'old')
      expect(await cache.getOrSet('k', async () => 'new', { forceRefresh: true })).toBe('new')
      expect(await cache.get('k')).toBe('new')
    })

    it('the old value is served if the load fails', async () => {
      const { cache } = open()
      await cache.set('k', 'old')
      const failing = (): Promise<string> => Promise.reject(new Error('down'))
      expect(await cache.getOrSet('k', failing, { forceRefresh: true })).toBe('old')
    })

    it('forceRefresh loads also while another caller looks the key up', async () => {
      const { cache } = open({ refreshAhead: 0.9 })
      await cache.set('k', 'old')
      const options = { signal: new AbortController().signal }
      const plain = cache.getOrSet('k', async () => 'unused', options)
      const forced = cache.getOrSet('k', async () => 'new', { forceRefresh: true })
      expect(await plain).toBe('old')
      expect(await forced).toBe('new')
    })
  })
}

describe('a load across processes', () => {
  it('R18 a caller whose look-up is answered after the load has ended makes no second load', async () => {
    const { cache, far } = twoProcesses({ staleFor: '1h' })
    const { loader, runs } = counting()
    const looked = far.holdAfter('get')
    const late = cache.getOrSet('k', loader)
    await looked.reached
    expect(await cache.getOrSet('k', loader)).toBe(1)
    for (let other = 0; other < 3; other += 1) await cache.getOrSet(`other ${other}`, async () => other)
    looked.open()
    expect([await late, runs()]).toEqual([1, 1])
  })

  it('R22 a look-up that never ends does not hold its key permanently', async () => {
    const { cache, clock, far } = twoProcesses({ timeout: '1s' })
    far.holdBefore('get')
    const first = codeOf(cache.getOrSet('k', async () => 1))
    await settled()
    clock.advance(1000)
    expect(await first).toBe('LOAD_TIMEOUT')
    clock.advance(1001)
    expect(await cache.getOrSet('k', async () => 2)).toBe(2)
  })

  it('R19 a load with lock takes the value that another process stored between the look-up and the lease', async () => {
    const { cache, other, far } = twoProcesses({ lock: true })
    const looked = far.holdAfter('get')
    const { loader, runs } = counting()
    const first = cache.getOrSet('k', loader)
    await looked.reached
    expect(await other.getOrSet('k', loader)).toBe(1)
    looked.open()
    expect(await first).toBe(1)
    expect(runs()).toBe(1)
  })

  it('R19 a load with lock on a failing backend runs without the lease, and sends no more calls to the backend', async () => {
    const { cache, far } = twoProcesses({ lock: true })
    far.broken = true
    expect(await cache.getOrSet('k', async () => 'value')).toBe('value')
    expect(far.calls.filter((call) => call.startsWith('get')).length).toBeLessThanOrEqual(3)
    expect(far.calls.filter((call) => call.startsWith('compareAndSet')).length).toBeLessThanOrEqual(3)
  })

  it('R19 a load with lock starts no loader if its caller left while it waited for the lease', async () => {
    const { cache, other, clock } = twoProcesses({ lock: true })
    const held = new GatedLoad<string>()
    const first = other.getOrSet('k', held.loader)
    await held.started()
    const controller = new AbortController()
    const { loader, runs } = counting()
    const second = codeOf(cache.getOrSet('k', loader, { signal: controller.signal }))
    await settled()
    controller.abort()
    expect(await second).toBe('ABORTED')
    held.fail(new Error('down'))
    await first.catch(() => {})
    for (let waited = 0; waited < 20; waited += 1) {
      clock.advance(250)
      await settled()
    }
    expect(runs()).toBe(0)
  })

  it('R3 a load whose result became old removes its placeholder', async () => {
    const { cache, items } = twoProcesses()
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader, { tags: ['t'] })
    await load.started()
    await cache.deleteByTag('t')
    load.end('old')
    await first
    await settled()
    expect(items.has('k')).toBe(false)
  })

  for (const [title, options, left] of [
    ['a stale value', { staleFor: '1s' }, 60_500],
    ['a fresh value that it renews ahead', { refreshAhead: 0.9 }, 59_500],
  ] as const) {
    it(`R22 a load outlives ${title}: a placeholder replaces it just before it expires, and the result is stored`, async () => {
      const { cache, clock, items } = twoProcesses(options)
      await cache.set('k', 'old')
      clock.advance(left)
      const load = new GatedLoad<string>()
      expect(await cache.getOrSet('k', load.loader)).toBe('old')
      await load.started()
      clock.advance(449)
      await settled()
      expect(items.get('k')?.value).toBe('old')
      clock.advance(1)
      await settled()
      expect(items.get('k')?.value).toBe(undefined)
      clock.advance(5000)
      load.end('late')
      await settled()
      expect([await cache.get('k'), load.runs]).toEqual(['late', 1])
    })
  }

  it('R3 a delete or set by another process before or after the placeholder keeps the result out', async () => {
    for (const [change, left] of [
      [(other: Cache) => other.delete('k'), undefined],
      [(other: Cache) => other.set('k', 'set'), 'set'],
    ] as const) {
      for (const before of [true, false]) {
        const { cache, other, clock } = twoProcesses({ staleFor: '1s' })
        await cache.set('k', 'old')
        clock.advance(60_500)
        const load = new GatedLoad<string>()
        expect(await cache.getOrSet('k', load.loader)).toBe('old')
        await load.started()
        if (before) await change(other)
        clock.advance(450)
        await settled()
        if (!before) await change(other)
        clock.advance(50)
        load.end('late')
        await settled()
        expect(await cache.get('k')).toBe(left)
      }
    }
  })

  it('R1 a delete while the placeholder is on its way keeps the result out', async () => {
    const { cache, clock, far, items } = twoProcesses({ staleFor: '1s' })
    await cache.set('k', 'old')
    clock.advance(60_500)
    const load = new GatedLoad<string>()
    expect(await cache.getOrSet('k', load.loader)).toBe('old')
    await load.started()
    const answer = far.holdAfter('compareAndSet')
    clock.advance(450)
    await answer.reached
    load.end('late')
    await settled()
    await cache.delete('k')
    answer.open()
    await settled()
    expect([await cache.get('k'), items.has('k')]).toEqual([undefined, false])
  })

  it('a load that fails removes the placeholder that replaced the value, also one still on its way', async () => {
    for (const late of [true, false]) {
      const { cache, clock, far, items } = twoProcesses({ staleFor: '1s' })
      await cache.set('k', 'old')
      clock.advance(60_500)
      const load = new GatedLoad<string>()
      expect(await cache.getOrSet('k', load.loader)).toBe('old')
      await load.started()
      const answer = far.holdAfter('compareAndSet')
      clock.advance(450)
      await answer.reached
      if (!late) answer.open()
      load.fail(new Error('down'))
      await settled()
      if (late) answer.open()
      await settled()
      expect([items.has('k'), clock.timers]).toEqual([false, 0])
    }
  })

  it('a load is not stored if the clock of the store was ahead and ended its value, and the next load is', async () => {
    const { cache, clock } = twoProcesses({ staleFor: '1s' })
    await cache.set('k', 'old')
    clock.advance(60_500)
    const load = new GatedLoad<string>()
    expect(await cache.getOrSet('k', load.loader)).toBe('old')
    await load.started()
    clock.advance(500) // In one step, so that the placeholder comes after the value has expired.
    load.end('late')
    await settled()
    expect(await cache.get('k')).toBe(undefined)
    expect(await cache.getOrSet('k', async () => 'next')).toBe('next')
    expect(await cache.get('k')).toBe('next')
  })
})

describe('timeout, on a store that answers later', () => {
  for (const [title, options, own] of [
    ['of the cache', { timeout: '2s' }, {}],
    ['of the call', {}, { timeout: '2s' }],
  ] as const) {
    it(`the timeout ${title} covers the look-up and the load together`, async () => {
      const { cache, far, clock } = twoProcesses(options)
      const looking = far.holdBefore('get')
      const load = new GatedLoad<string>()
      const call = codeOf(cache.getOrSet('k', load.loader, own))
      await looking.reached
      clock.advance(1500)
      looking.open()
      await load.started()
      clock.advance(499)
      await settled()
      const joined = codeOf(cache.getOrSet('k', load.loader, own))
      expect(await Promise.race([call, settled()])).toBe(undefined)
      clock.advance(1)
      expect(await call).toBe('LOAD_TIMEOUT')
      clock.advance(1998)
      expect(await Promise.race([joined, settled()])).toBe(undefined)
      clock.advance(1)
      expect(await joined).toBe('LOAD_TIMEOUT')
      load.end('late')
      await settled()
      expect(await cache.get('k')).toBe('late')
    })
  }

  it('the timeout keeps running for a caller who looks again because another process made the load old', async () => {
    const { cache, other, clock } = twoProcesses({ timeout: '2s' })
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    await other.delete('k')
    const second = codeOf(cache.getOrSet('k', load.loader))
    await settled()
    clock.advance(1500)
    load.end('old')
    await load.started()
    clock.advance(500)
    expect([await first, await second]).toEqual(['old', 'LOAD_TIMEOUT'])
  })

  it('the timeout is never longer because the clock was set back', async () => {
    const { cache, far, clock } = twoProcesses({ timeout: '2s' })
    const looking = far.holdBefore('get')
    const load = new GatedLoad<string>()
    const call = codeOf(cache.getOrSet('k', load.loader, { timeout: '2s' }))
    await looking.reached
    clock.advance(-3_600_000)
    looking.open()
    await load.started()
    clock.advance(2000)
    expect(await call).toBe('LOAD_TIMEOUT')
  })
})

describe('a look-up in a remote store', () => {
  it('R22 a look-up that takes longer than timeout rejects all waiting callers, and its result is still stored', async () => {
    const { cache, far, clock } = twoProcesses({ timeout: '2s' })
    const { loader, runs } = counting()
    const held = [far.holdBefore('get'), far.holdBefore('get')]
    const calls = [codeOf(cache.getOrSet('k', loader)), codeOf(cache.getOrSet('k', loader))]
    for (const { reached } of held) await reached
    clock.advance(1999)
    await settled()
    expect(await Promise.race([...calls, settled()])).toBe(undefined)
    clock.advance(1)
    expect(await Promise.all(calls)).toEqual(['LOAD_TIMEOUT', 'LOAD_TIMEOUT'])
    for (const call of held) call.open()
    await settled()
    expect([await cache.get('k'), runs()]).toEqual([1, 1])
  })

  it('a look-up that fails after timeout rejects no caller again', async () => {
    const { cache, far, clock } = twoProcesses({ timeout: '2s', readFailure: 'reject' })
    const held = far.holdBefore('get')
    const late = codeOf(cache.getOrSet('k', () => 1))
    await held.reached
    clock.advance(2000)
    expect(await late).toBe('LOAD_TIMEOUT')
    far.broken = true
    held.open()
    await settled()
    await cache.close()
  })

  it('a look-up that comes too late continues with a load, whose failure is only emitted', async () => {
    const { cache, far, clock } = twoProcesses({ timeout: '2s' })
    const failed: unknown[] = []
    cache.on('loadFailed', ({ key }) => failed.push(key))
    const held = far.holdBefore('get')
    const late = codeOf(cache.getOrSet('k', () => Promise.reject(new Error('down'))))
    await held.reached
    clock.advance(2000)
    expect(await late).toBe('LOAD_TIMEOUT')
    // An unhandled rejection would fail the test.
    held.open()
    await settled()
    expect(failed).toEqual(['k'])
  })

  it('each look-up has its own time limit, also just after another', async () => {
    const { cache, far, clock } = twoProcesses({ timeout: '2s' })
    const first = far.holdBefore('get')
    const early = codeOf(cache.getOrSet('a', () => 1))
    await first.reached
    clock.advance(1000)
    const second = far.holdBefore('get')
    const late = cache.getOrSet('b', () => 2)
    await second.reached
    clock.advance(1000)
    expect(await early).toBe('LOAD_TIMEOUT')
    second.open()
    expect(await late).toBe(2)
    first.open()
    await cache.close()
  })
})

describe('a result that the store refuses', () => {
  it('the result reaches its callers, an error is emitted, and the key is free for the next load', async () => {
    const { cache, far } = twoProcesses()
    const codes: string[] = []
    cache.on('error', ({ error }) => codes.push(error.code))
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    far.failing.add('compareAndSet')
    load.end('value')
    expect(await first).toBe('value')
    expect(codes).toEqual(['UNAVAILABLE'])
    far.failing.clear()
    expect(await cache.getOrSet('k', async () => 'next')).toBe('next')
    expect(await cache.get('k')).toBe('next')
  })
})

describe('a hit without waiting', () => {
  it('invalid options make the call reject instead of throw', async () => {
    const { cache, clock } = oneProcess({ refreshAhead: 0.1 })
    await cache.set('k', 1)
    clock.advance(30_000)
    for (const options of [null, { ttl: -1 }, { earlyExpiry: 'often' }]) {
      expect(await codeOf(cache.getOrSet('k', async () => 2, options as never))).toBe('INVALID_ARGUMENT')
    }
  })
})
