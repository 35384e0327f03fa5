import { describe, expect, it } from 'vitest'
import { createRandom } from '../../src/conformance/samples/random.ts'
import { Cache } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { bothStores, codeOf, oneProcess, twoProcesses } from './rig.ts'
import { StoreOfItsOwnTime } from './store-of-its-own-time.ts'

describe('rateLimit', () => {
  it('exactly the limit is allowed, however many calls run concurrently in two processes', async () => {
    const { cache, other } = twoProcesses()
    const options = { limit: 50, window: '1m' } as const
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? cache : other).rateLimit('login', options)),
    )
    expect(answers.filter(({ allowed }) => allowed).length).toBe(50)
  })

  it('exactly the limit is allowed, over several namespace objects and caches on one backend', async () => {
    const { cache, far, clock } = twoProcesses()
    const second = new Cache({ backend: far, clock })
    const asking = [cache.namespace('a'), cache.namespace('a'), second.namespace('a')]
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, index) => asking[index % 3]?.rateLimit('login', { limit: 50, window: '1m' })),
    )
    expect(answers.filter((answer) => answer?.allowed).length).toBe(50)
    expect((await cache.namespace('b').rateLimit('login', { limit: 50, window: '1m' })).remaining).toBe(49)
  })

  it('concurrent calls need only a few calls of the backend', async () => {
    const { cache, far } = twoProcesses()
    await Promise.all(Array.from({ length: 500 }, () => cache.rateLimit('login', { limit: 400, window: '1m' })))
    expect(far.calls.length).toBeLessThanOrEqual(4)
  })

  it('a failing backend rejects all waiting calls, and later calls work', async () => {
    const { cache, far } = twoProcesses()
    far.broken = true
    const options = { limit: 5, window: '1m' } as const
    const failed = await Promise.all([1, 2, 3].map(() => codeOf(cache.rateLimit('k', options))))
    expect(failed).toEqual(['UNAVAILABLE', 'UNAVAILABLE', 'UNAVAILABLE'])
    far.broken = false
    expect((await cache.rateLimit('k', options)).remaining).toBe(4)
  })

  it('a call is allowed at the instant resetAt, and none before (seeded)', async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
    const random = createRandom(seed)
    for (let round = 0; round < 300; round += 1) {
      const { cache, clock } = oneProcess()
      const options = { limit: 1 + random.below(7), window: 1 + random.below(5000) }
      let answer = await cache.rateLimit('k', options)
      for (let call = 0; call < 20; call += 1) {
        clock.advance(random.below(Math.ceil(options.window * 0.3)))
        answer = await cache.rateLimit('k', options)
      }
      const wait = answer.resetAt - clock.now()
      if (answer.remaining > 0 || wait <= 0) continue
      clock.advance(wait - 1)
      const where = `SEED=${seed}, round ${round}`
      expect(await cache.rateLimit('k', options), where).toEqual({ ...answer, allowed: false })
      clock.advance(1)
      expect((await cache.rateLimit('k', options)).allowed, where).toBe(true)
    }
  })

  it('a sliding counter gives the remaining calls and the instant of the next allowed call', async () => {
    const { cache, clock } = oneProcess()
    const options = { limit: 2, window: 1000, algorithm: 'sliding-counter' } as const
    const start = clock.now()
    expect(await cache.rateLimit('k', options)).toEqual({ allowed: true, remaining: 1, resetAt: start })
    expect(await cache.rateLimit('k', options)).toEqual({ allowed: true, remaining: 0, resetAt: start + 1500 })
    expect(await cache.rateLimit('k', options)).toEqual({ allowed: false, remaining: 0, resetAt: start + 1500 })
    clock.advance(1499)
    expect((await cache.rateLimit('k', options)).allowed).toBe(false)
    clock.advance(1)
    expect((await cache.rateLimit('k', options)).allowed).toBe(true)
  })

  it('each window of a key is counted separately, such as a minute and a day', async () => {
    const { cache, clock } = oneProcess()
    const minute = { limit: 2, window: '1m' } as const
    const day = { limit: 3, window: '1d' } as const
    const allowed: boolean[] = []
    for (let call = 0; call < 5; call += 1) {
      allowed.push((await cache.rateLimit('k', day)).allowed && (await cache.rateLimit('k', minute)).allowed)
      clock.advance(120_000)
    }
    expect(allowed).toEqual([true, true, true, false, false])
  })

  it('the count restarts once two windows have passed', async () => {
    const { cache, clock } = oneProcess()
    const options = { limit: 1, window: 1000 } as const
    await cache.rateLimit('k', options)
    clock.advance(2000)
    expect((await cache.rateLimit('k', options)).allowed).toBe(true)
  })

  it('R16 a clock that lags behind the one that wrote the record neither frees nor blocks a key', async () => {
    const { cache, other, clock } = twoProcesses()
    const options = { limit: 2, window: 1000 } as const
    clock.advance(1000)
    await cache.rateLimit('k', options)
    clock.advance(-500)
    expect((await other.rateLimit('k', options)).allowed).toBe(true)
    expect((await other.rateLimit('k', options)).allowed).toBe(false)
  })

  it('R16 a sliding counter is blocked by a process whose clock is an hour ahead for two windows, and no longer', async () => {
    const { other, clock, items } = twoProcesses()
    const ahead = new Cache({
      backend: new StoreOfItsOwnTime(new MapBackend({ clock, items }), 3_600_000),
      clock: { now: () => clock.now() + 3_600_000 },
    })
    const options = { limit: 2, window: 1000, algorithm: 'sliding-counter' } as const
    await ahead.rateLimit('k', options)
    expect((await other.rateLimit('k', options)).allowed).toBe(true)
    expect((await other.rateLimit('k', options)).allowed).toBe(false)
    clock.advance(1999)
    expect((await other.rateLimit('k', options)).allowed).toBe(false)
    clock.advance(1)
    expect((await other.rateLimit('k', options)).remaining).toBe(1)
  })

  it('R16 a sliding counter is blocked by a clock that is set back an hour for two windows, and no longer', async () => {
    for (const [, open] of bothStores) {
      const { cache, clock } = open()
      const options = { limit: 1, window: 1000, algorithm: 'sliding-counter' } as const
      await cache.rateLimit('k', options)
      clock.advance(-3_600_000)
      expect((await cache.rateLimit('k', options)).allowed).toBe(false)
      clock.advance(1999)
      expect((await cache.rateLimit('k', options)).allowed).toBe(false)
      clock.advance(1)
      expect((await cache.rateLimit('k', options)).allowed).toBe(true)
    }
  })

  it('invalid options are refused', async () => {
    const { cache } = oneProcess()
    for (const options of [
      { limit: 0, window: 1 },
      { limit: 1, window: 0 },
      { limit: 1.5, window: 1 },
      { limit: 1, window: Infinity },
      {},
    ]) {
      expect(await codeOf(cache.rateLimit('k', options as never))).toBe('INVALID_ARGUMENT')
    }
  })
})
