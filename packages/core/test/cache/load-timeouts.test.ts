import { describe, expect, it } from 'vitest'
import type { LoadContext } from '../../src/index.ts'
import { counting } from './counting.ts'
import { bothStores, codeOf, GatedLoad, settled, twoProcesses } from './rig.ts'

for (const [name, open] of bothStores) {
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
