import { describe, expect, it } from 'vitest'
import type { Cache } from '../../src/index.ts'
import { counting } from './counting.ts'
import { codeOf, GatedLoad, settled, twoProcesses } from './rig.ts'

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
