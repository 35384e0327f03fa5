import { describe, expect, it } from 'vitest'
import { SyncCache } from '../../src/index.ts'
import { SyncMapBackend } from '../conformance/sync-map-backend.ts'
import { bothStores, codeOf } from './rig.ts'

for (const [name, open] of bothStores) {
  describe(`the last invalidation of a tag, on ${name}`, () => {
    it('its instant is that of deleteByTag, and undefined before the first', async () => {
      const { cache, clock } = open()
      expect(await cache.tagInvalidatedAt('t')).toBe(undefined)
      await cache.set('k', 1, { tags: ['t'] })
      expect(await cache.tagInvalidatedAt('t')).toBe(undefined)
      clock.advance(1000)
      const first = clock.now()
      await cache.deleteByTag('t', 'other')
      clock.advance(1000)
      await cache.set('k', 1, { tags: ['t'] })
      expect(await cache.tagInvalidatedAt('t')).toBe(first)
      expect(await cache.namespace('n').tagInvalidatedAt('t')).toBe(undefined)
      await cache.deleteByTag('t')
      expect(await cache.tagInvalidatedAt('t')).toBe(first + 1000)
      expect(await cache.tagInvalidatedAt('other')).toBe(first)
    })

    it('it stays while the record of the tag is renewed, and goes with the record', async () => {
      const { cache, clock } = open({ tagTtl: 10_000 })
      const at = clock.now()
      await cache.deleteByTag('t')
      for (let round = 0; round < 4; round += 1) {
        clock.advance(6000)
        await cache.set('k', round, { tags: ['t'] })
        expect(await cache.tagInvalidatedAt('t')).toBe(at)
      }
      expect(await cache.get('k')).toBe(3)
      clock.advance(10_001)
      expect(await cache.tagInvalidatedAt('t')).toBe(undefined)
    })

    it('an invalid tag is refused', async () => {
      const { cache } = open()
      for (const tag of ['', 5, null, ['t']])
        expect(await codeOf(cache.tagInvalidatedAt(tag as never)), String(tag)).toBe('INVALID_ARGUMENT')
    })
  })
}

it('a SyncCache knows the last invalidation', () => {
  const now = Date.now()
  const cache = new SyncCache({ backend: new SyncMapBackend(), clock: { now: () => now } })
  cache.deleteByTag('t')
  expect([cache.tagInvalidatedAt('t'), cache.tagInvalidatedAt('u')]).toEqual([now, undefined])
})
