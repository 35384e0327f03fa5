import { describe, expect, it } from 'vitest'
import { getOrSetOptionNames } from '../../src/cache/options/get-or-set-options.ts'
import type { Cache, GetOrSetOptions } from '../../src/index.ts'
import { bothStores, codeOf, settled } from './rig.ts'

/** The effect of each option on a hit: the outcome of the call and the number of loads. */
const effects: {
  readonly [Name in keyof GetOrSetOptions]-?: readonly [value: unknown, outcome: unknown, loads: number]
} = {
  ttl: ['1s', 'kept', 0],
  expiresAt: [new Date(), 'kept', 0],
  staleFor: ['1s', 'kept', 0],
  tags: [['t'], 'kept', 0],
  cost: [5, 'kept', 0],
  timeout: ['1s', 'kept', 0],
  softTimeout: ['1s', 'kept', 0],
  refreshAhead: [0, 'kept', 1],
  earlyExpiry: [1e9, 'kept', 1],
  retryAfter: ['1s', 'kept', 0],
  nullTtl: ['1s', 'kept', 0],
  jitter: [0.5, 'kept', 0],
  lock: [true, 'kept', 0],
  readFailure: ['reject', 'kept', 0],
  waitUntil: [() => {}, 'kept', 0],
  signal: [AbortSignal.abort(), 'ABORTED', 0],
  forceRefresh: [true, 'loaded', 1],
}

for (const [name, open] of bothStores) {
  describe(`a hit of getOrSet, on ${name}`, () => {
    it('every option has an expected effect', () => {
      expect(Object.keys(effects).sort()).toEqual([...getOrSetOptionNames].sort())
    })

    for (const option of getOrSetOptionNames) {
      it(`the option ${option} is applied`, async () => {
        const { cache, clock } = open({ random: () => 0.5 })
        // A load before it gives `earlyExpiry` a mean load time.
        await cache.getOrSet('other', () => {
          clock.advance(10)
          return 'other'
        })
        await cache.set('k', 'kept')
        clock.advance(1000)
        const [value, outcome, loads] = effects[option as keyof GetOrSetOptions]
        let runs = 0
        const got = await outcomeOf(cache, { [option]: value }, () => {
          runs += 1
          return 'loaded'
        })
        await settled()
        expect([got, runs]).toEqual([outcome, loads])
      })
    }
  })
}

/** The value of the call, or the code of its error. */
async function outcomeOf(cache: Cache, options: GetOrSetOptions, loader: () => string): Promise<unknown> {
  const got = await codeOf(cache.getOrSet('k', loader, options))
  return typeof got === 'object' ? (got as { readonly resolved: unknown }).resolved : got
}
