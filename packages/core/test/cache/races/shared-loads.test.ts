import { describe, expect, it } from 'vitest'
import { bothStores, codeOf, GatedLoad, settled, twoProcesses } from '../rig.ts'
import { duringLoad } from './during-load.ts'

for (const [name, open] of bothStores) {
  describe(`a load with several callers, on ${name}`, () => {
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
      expect(await duringLoad(cache, () => cache.close())).toBe('old')
      expect(await codeOf(cache.get('k'))).toBe('CLOSED')
      expect(await codeOf(cache.set('k', 1))).toBe('CLOSED')
    })
  })
}

describe('a load with lock in two processes', () => {
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
})
