import { describe, expect, it } from 'vitest'
import { SyncCache } from '../../src/index.ts'
import { SyncMapBackend } from '../conformance/sync-map-backend.ts'
import { bothStores, codeOf, GatedLoad, settled, twoProcesses } from './rig.ts'

for (const [name, open] of bothStores) {
  describe(`expireByTag, on ${name}`, () => {
    it('the values of the tag are stale: get misses them, and getOrSet serves them while it loads', async () => {
      const { cache } = open()
      const events: unknown[] = []
      cache.on('expireTag', ({ tag }) => events.push(tag))
      await cache.set('k', 'old', { tags: ['t'] })
      await cache.set('other', 1, { tags: ['u'] })
      await cache.expireByTag('t')
      expect(events).toEqual(['t'])
      expect([await cache.get('k'), await cache.has('k'), await cache.ttl('k')]).toEqual([undefined, false, undefined])
      expect(await cache.getMany(['k', 'other'])).toEqual([undefined, 1])
      expect(await cache.get('k', { stale: true })).toBe('old')
      const gate = new GatedLoad<string>()
      expect(await cache.getOrSet('k', gate.loader, { tags: ['t'] })).toBe('old')
      await gate.started()
      gate.end('new')
      await settled()
      expect(await cache.get('k')).toBe('new')
      expect(gate.runs).toBe(1)
    })

    it('a value that is stored afterwards is fresh until the next expiry', async () => {
      const { cache } = open()
      await cache.set('k', 1, { tags: ['t'] })
      for (let round = 0; round < 3; round += 1) {
        await cache.expireByTag('t')
        expect(await cache.get('k')).toBe(undefined)
        await cache.set('k', round, { tags: ['t'] })
        expect(await cache.get('k')).toBe(round)
      }
      expect(await cache.getOrSetMany(['k'], () => ['loaded'])).toEqual([2])
    })

    it('deleteByTag makes stale values of the tag invalid, before and after the expiry', async () => {
      const { cache } = open()
      await cache.set('k', 1, { tags: ['t', 'u'] })
      await cache.expireByTag('t')
      await cache.deleteByTag('t')
      expect(await cache.get('k', { stale: true })).toBe(undefined)
      await cache.set('k', 1, { tags: ['t', 'u'] })
      await cache.deleteByTag('u')
      await cache.expireByTag('t', 'u')
      expect(await cache.get('k', { stale: true })).toBe(undefined)
      expect(await cache.getMany(['k'], { stale: true })).toEqual([undefined])
    })

    it('a stale value of the tag goes when its lifetime is over', async () => {
      const { cache, clock } = open({ staleFor: 1000 })
      await cache.set('k', 1, { tags: ['t'], ttl: 1000 })
      await cache.expireByTag('t')
      clock.advance(1999)
      expect(await cache.get('k', { stale: true })).toBe(1)
      clock.advance(1)
      expect(await cache.get('k', { stale: true })).toBe(undefined)
    })

    it('a load that began before the expiry is not stored', async () => {
      const { cache } = open()
      const value = await cache.getOrSet(
        'k',
        async () => {
          await cache.expireByTag('t')
          return 'old'
        },
        { tags: ['t'] },
      )
      expect(value).toBe('old')
      expect(await cache.get('k')).toBe(undefined)
    })

    it('the instant of the expiry is the last invalidation of the tag', async () => {
      const { cache, clock } = open()
      await cache.set('k', 1, { tags: ['t'] })
      clock.advance(500)
      await cache.expireByTag('t')
      expect(await cache.tagInvalidatedAt('t')).toBe(clock.now())
    })

    it('invalid tags are refused', async () => {
      const { cache } = open()
      expect(await codeOf(cache.expireByTag('' as never))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(cache.expireByTag(5 as never))).toBe('INVALID_ARGUMENT')
    })
  })

  describe(`expire with keepStale, on ${name}`, () => {
    it('the value is stale at once, for its own stale period or that of the cache', async () => {
      const { cache, clock } = open({ staleFor: 3000 })
      await cache.set('own', 1, { staleFor: 1000 })
      await cache.set('never stale', 1, { staleFor: 0 })
      for (const key of ['own', 'never stale']) {
        expect(await cache.expire(key, 0, { keepStale: true })).toBe(true)
        expect([await cache.get(key), await cache.get(key, { stale: true })]).toEqual([undefined, 1])
      }
      clock.advance(1000)
      expect(await cache.get('own', { stale: true })).toBe(undefined)
      clock.advance(1999)
      expect(await cache.get('never stale', { stale: true })).toBe(1)
      clock.advance(1)
      expect(await cache.get('never stale', { stale: true })).toBe(undefined)
    })

    it('without it a ttl of 0 removes the value', async () => {
      const { cache } = open({ staleFor: 3000 })
      await cache.set('k', 1)
      expect(await cache.expire('k', 0)).toBe(true)
      expect(await cache.get('k', { stale: true })).toBe(undefined)
      expect(await cache.expire('k', 5, { keepStale: true })).toBe(false)
      expect(await codeOf(cache.expire('k', 5, { keepStale: 1 as never }))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(cache.expire('k', 5, { stale: true } as never))).toBe('INVALID_ARGUMENT')
    })
  })
}

it('an expiry of a tag in another process makes the value stale here', async () => {
  const { cache, other } = twoProcesses()
  await cache.set('k', 1, { tags: ['t'] })
  await other.expireByTag('t')
  expect([await cache.get('k'), await cache.get('k', { stale: true })]).toEqual([undefined, 1])
})

it('an expiry never undoes an invalidation of another process that runs at the same time', async () => {
  const { cache, other, far } = twoProcesses()
  await cache.set('k', 1, { tags: ['t'] })
  const held = far.holdBefore('compareAndSet')
  const expiring = cache.expireByTag('t')
  await held.reached
  await other.deleteByTag('t')
  held.open()
  await expiring
  expect(await cache.get('k', { stale: true })).toBe(undefined)
})

it('expireByTag needs compareAndSet', async () => {
  const { cache, far } = twoProcesses()
  Object.defineProperty(far, 'compareAndSet', { value: undefined })
  expect(await codeOf(cache.expireByTag('t'))).toBe('UNSUPPORTED')
})

it('a SyncCache expires values by tag and keeps stale ones', () => {
  const cache = new SyncCache({ backend: new SyncMapBackend(), staleFor: '1m' })
  cache.set('k', 1, { tags: ['t'] })
  cache.expireByTag('t')
  expect([cache.get('k'), cache.get('k', { stale: true })]).toEqual([undefined, 1])
  cache.set('k', 2)
  cache.expire('k', 0, { keepStale: true })
  expect([cache.get('k'), cache.get('k', { stale: true })]).toEqual([undefined, 2])
})
