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
    it('decides from what it loaded how long the result lives, under which tags, and whether it is stored', async () => {
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

    it('R4 that names tags without declaring its parameter is stored from the second time on, fenced as any other', async () => {
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

    it('that says ttl 0 stores nothing and removes what was there', async () => {
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

    it('gets the stale value with its version and tags, and keeps it by notModified', async () => {
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

    it('that answers notModified keeps the tags of the value, whoever named them', async () => {
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

    it('R4 that answers notModified does not bring back a value whose tag was invalidated meanwhile', async () => {
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

    it('that answers notModified gives a null its own lifetime', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity, nullTtl: '5s' })
      await cache.getOrSet('k', async () => null)
      clock.advance(5000)
      expect(await cache.getOrSet('k', (load) => load.notModified())).toBe(null)
      expect(await cache.ttl('k')).toBe(5000)
    })

    it('may not return the notModified of another load where there is no stale value', async () => {
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

    it('may not say notModified where there is no stale value', async () => {
      const { cache } = open()
      expect(await codeOf(cache.getOrSet('k', (load) => load.notModified()))).toBe('INVALID_ARGUMENT')
    })

    it('may return a thenable, a plain value, or undefined, which is not stored', async () => {
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

    it('that throws at once rejects its caller with the very error', async () => {
      const { cache } = open()
      const failure = new Error('down')
      const loader = (): string => {
        throw failure
      }
      await expect(cache.getOrSet('k', loader)).rejects.toBe(failure)
    })

    it('may use the cache, and a set of its own key wins over its result', async () => {
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

    it('that asks for its own key is ended by the timeout', async () => {
      const { cache, clock } = open({ timeout: '1s' })
      const first = codeOf(cache.getOrSet('k', () => cache.getOrSet('k', () => 1)))
      await settled()
      clock.advance(1000)
      expect(await first).toBe('LOAD_TIMEOUT')
    })

    it('is shortened in its life by jitter, by up to that fraction', async () => {
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

    it('of null lives for nullTtl', async () => {
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
    it('is the longest that a caller waits, and the stale value takes the place of an error', async () => {
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

    it('of a caller who joins does not end the load of those who have longer', async () => {
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

    it('R22 of one caller keeps the load alive though a later one aborts: its late result is stored', async () => {
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
    it('that has been aborted rejects the call before anything is loaded', async () => {
      const { cache } = open()
      const { loader, runs } = counting()
      expect(await codeOf(cache.getOrSet('k', loader, { signal: AbortSignal.abort() }))).toBe('ABORTED')
      expect(runs()).toBe(0)
    })

    it('R24 that aborts between the look-up and the load rejects its caller', async () => {
      const { cache, clock } = open({ timeout: '1m' })
      const controller = new AbortController()
      const load = new GatedLoad<string>()
      // Aborted by the loader itself, in the very turn in which it starts.
      const loader = (): Promise<string> => {
        controller.abort()
        return load.loader()
      }
      const first = codeOf(cache.getOrSet('k', loader, { signal: controller.signal }))
      await settled()
      clock.advance(1)
      expect(await Promise.race([first, settled().then(() => 'waits')])).toBe('ABORTED')
    })

    it('R24 does not end the load of a caller who is still looking the key up', async () => {
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

    it('R23 does not stop a load that serves stale values behind', async () => {
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
    it('loads although a fresh value is there', async () => {
      const { cache } = open()
      await cache.set('k', 'old')
      expect(await cache.getOrSet('k', async () => 'new', { forceRefresh: true })).toBe('new')
      expect(await cache.get('k')).toBe('new')
    })

    it('serves the value that is there when the load fails', async () => {
      const { cache } = open()
      await cache.set('k', 'old')
      const failing = (): Promise<string> => Promise.reject(new Error('down'))
      expect(await cache.getOrSet('k', failing, { forceRefresh: true })).toBe('old')
    })

    it('loads also where another caller is just looking the key up', async () => {
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
  it('R18 is not made again for a caller whose look-up was answered when it had ended', async () => {
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

  it('R22 whose look-up never ends does not hold its key for ever', async () => {
    const { cache, clock, far } = twoProcesses({ timeout: '1s' })
    far.holdBefore('get')
    const first = codeOf(cache.getOrSet('k', async () => 1))
    await settled()
    clock.advance(1000)
    expect(await first).toBe('LOAD_TIMEOUT')
    clock.advance(1001)
    expect(await cache.getOrSet('k', async () => 2)).toBe(2)
  })

  it('R19 with lock takes what another process stored between the look-up and the lease', async () => {
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

  it('R19 with lock and a failing backend loads without the lease, and asks the backend no more', async () => {
    const { cache, far } = twoProcesses({ lock: true })
    far.broken = true
    expect(await cache.getOrSet('k', async () => 'value')).toBe('value')
    expect(far.calls.filter((call) => call.startsWith('get')).length).toBeLessThanOrEqual(3)
    expect(far.calls.filter((call) => call.startsWith('compareAndSet')).length).toBeLessThanOrEqual(3)
  })

  it('R19 with lock starts no loader when its caller left while it waited for the lease', async () => {
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

  it('R3 takes its placeholder back when its result became old, so that nothing of it stays', async () => {
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
    it(`R22 outlives ${title}: a placeholder takes its place a moment before it ends, and the result is stored`, async () => {
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

  it('R3 does not outlive a value that another process has deleted or set', async () => {
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

  it('R1 does not outlive a value that was deleted while the placeholder was on its way', async () => {
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

  it('that fails takes back the placeholder by which it outlived a value, also one that is still on its way', async () => {
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

  it('whose value was ended by a store that is ahead of its clock is not stored, and the next load is', async () => {
    const { cache, clock } = twoProcesses({ staleFor: '1s' })
    await cache.set('k', 'old')
    clock.advance(60_500)
    const load = new GatedLoad<string>()
    expect(await cache.getOrSet('k', load.loader)).toBe('old')
    await load.started()
    clock.advance(500) // At once: the placeholder comes when the value has ended.
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
    it(`${title} is for the look-up and the load together`, async () => {
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

  it('counts on for who looks again because another process made the load old', async () => {
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

  it('is never longer because the clock was set back', async () => {
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

describe('a look-up in a far store', () => {
  it('that takes longer than timeout rejects for all who wait; its result is stored all the same (R22)', async () => {
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

  it('that fails after timeout rejects nobody again', async () => {
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

  it('that comes too late goes on into a load, whose failure is told by an event alone', async () => {
    const { cache, far, clock } = twoProcesses({ timeout: '2s' })
    const failed: unknown[] = []
    cache.on('loadFailed', ({ key }) => failed.push(key))
    const held = far.holdBefore('get')
    const late = codeOf(cache.getOrSet('k', () => Promise.reject(new Error('down'))))
    await held.reached
    clock.advance(2000)
    expect(await late).toBe('LOAD_TIMEOUT')
    // A rejection that nobody handles would fail the test.
    held.open()
    await settled()
    expect(failed).toEqual(['k'])
  })

  it('has a time limit of its own, whoever asked just before', async () => {
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
  it('reaches its callers, is told as an error, and leaves the key to the next load', async () => {
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
  it('rejects, and does not throw, when its options are wrong', async () => {
    const { cache, clock } = oneProcess({ refreshAhead: 0.1 })
    await cache.set('k', 1)
    clock.advance(30_000)
    for (const options of [null, { ttl: -1 }, { earlyExpiry: 'often' }]) {
      expect(await codeOf(cache.getOrSet('k', async () => 2, options as never))).toBe('INVALID_ARGUMENT')
    }
  })
})
