import { describe, expect, it } from 'vitest'
import { createRandom } from '../../src/conformance/samples/random.ts'
import type { Item } from '../../src/index.ts'
import { bothStores, codeOf, twoProcesses } from './rig.ts'

/** The largest number of allowed calls in any window of this length. */
function mostInAWindow(instants: readonly number[], window: number): number {
  return Math.max(0, ...instants.map((start) => instants.filter((at) => at >= start && at < start + window).length))
}

for (const [name, open] of bothStores) {
  describe(`a sliding log, on ${name}`, () => {
    it('no window holds more allowed calls than the limit (seeded)', async () => {
      const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
      const random = createRandom(seed)
      for (let round = 0; round < 30; round += 1) {
        const { cache, clock } = open()
        const options = { limit: 1 + random.below(20), window: 1000 }
        const allowed: number[] = []
        for (let call = 0; call < 150; call += 1) {
          if ((await cache.rateLimit('k', options)).allowed) allowed.push(clock.now())
          clock.advance(random.below(4) === 0 ? random.below(900) : random.below(20))
        }
        expect(mostInAWindow(allowed, 1000), `SEED=${seed}, round ${round}`).toBeLessThanOrEqual(options.limit)
      }
    })

    it('no second hundred calls are allowed around the end of a fixed window', async () => {
      const { cache, clock } = open()
      const options = { limit: 100, window: 1000 } as const
      const ask = async (times: number): Promise<number> => {
        let allowed = 0
        for (let call = 0; call < times; call += 1) if ((await cache.rateLimit('k', options)).allowed) allowed += 1
        return allowed
      }
      clock.advance(999 - (clock.now() % 1000))
      const before = await ask(100)
      clock.advance(990)
      expect([before, await ask(100)]).toEqual([100, 0])
      clock.advance(10)
      expect(await ask(150)).toBe(100)
    })

    it('resetAt is the instant at which one more call is allowed', async () => {
      const { cache, clock } = open()
      const options = { limit: 2, window: 1000 } as const
      const start = clock.now()
      expect(await cache.rateLimit('k', options)).toEqual({ allowed: true, remaining: 1, resetAt: start })
      clock.advance(400)
      expect(await cache.rateLimit('k', options)).toEqual({ allowed: true, remaining: 0, resetAt: start + 1000 })
      expect(await cache.rateLimit('k', options)).toEqual({ allowed: false, remaining: 0, resetAt: start + 1000 })
      clock.advance(599)
      expect((await cache.rateLimit('k', options)).allowed).toBe(false)
      clock.advance(1)
      expect(await cache.rateLimit('k', options)).toEqual({ allowed: true, remaining: 0, resetAt: start + 1400 })
    })

    it('a limit above its maximum is refused, and the sliding counter accepts it', async () => {
      const { cache } = open()
      expect(await codeOf(cache.rateLimit('k', { limit: 1001, window: 1000 }))).toBe('INVALID_ARGUMENT')
      expect((await cache.rateLimit('k', { limit: 1000, window: 1000 })).remaining).toBe(999)
      const counted = await cache.rateLimit('k', { limit: 1_000_000, window: 1000, algorithm: 'sliding-counter' })
      expect(counted.remaining).toBe(999_999)
      expect(await codeOf(cache.rateLimit('k', { limit: 1, window: 1, algorithm: 'exact' as never }))).toBe(
        'INVALID_ARGUMENT',
      )
    })
  })

  describe(`a sliding counter, on ${name}`, () => {
    it('every window holds less than twice the limit (seeded)', async () => {
      const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
      const random = createRandom(seed)
      for (let round = 0; round < 30; round += 1) {
        const { cache, clock } = open()
        const limit = 1 + random.below(20)
        const allowed: number[] = []
        for (let call = 0; call < 150; call += 1) {
          const { allowed: is } = await cache.rateLimit('k', { limit, window: 1000, algorithm: 'sliding-counter' })
          if (is) allowed.push(clock.now())
          clock.advance(random.below(4) === 0 ? random.below(900) : random.below(20))
        }
        expect(mostInAWindow(allowed, 1000), `SEED=${seed}, round ${round}`).toBeLessThan(2 * limit)
      }
    })
  })
}

describe('a sliding log between processes', () => {
  it('R16 a clock that is an hour ahead blocks the other processes for one window, and no longer', async () => {
    const { other, clock, items } = twoProcesses()
    const options = { limit: 2, window: 1000 } as const
    await other.rateLimit('k', options)
    const [record] = [...items.values()] as [Item]
    const ahead = (record.value as number[]).map((at) => at + 3_600_000)
    items.set(record.key, { ...record, value: ahead })
    expect((await other.rateLimit('k', options)).allowed).toBe(true)
    expect((await other.rateLimit('k', options)).allowed).toBe(false)
    clock.advance(999)
    expect((await other.rateLimit('k', options)).allowed).toBe(false)
    clock.advance(1)
    expect((await other.rateLimit('k', options)).remaining).toBe(1)
  })
})
