import { describe, expect, it } from 'vitest'
import { SyncCache } from '../../src/index.ts'
import { SyncMapBackend } from '../conformance/sync-map-backend.ts'
import { bothStores, codeOf, collect, twoProcesses } from './rig.ts'

for (const [name, open] of bothStores) {
  describe(`calls with many keys, on ${name}`, () => {
    it('hasMany tells fresh values from stale, invalidated and missing ones, and counts nothing', async () => {
      const { cache, clock } = open({ staleFor: '1m' })
      await cache.set('stale', 1, { ttl: 10 })
      clock.advance(20)
      await cache.set('fresh', 1)
      await cache.set('tagged', 1, { tags: ['t'] })
      await cache.deleteByTag('t')
      expect(await cache.hasMany(['fresh', 'stale', 'tagged', 'absent', 'fresh'])).toEqual([
        true,
        false,
        false,
        false,
        true,
      ])
      expect(await cache.hasMany([])).toEqual([])
      const { hits, misses } = await cache.stats()
      expect([hits, misses]).toEqual([0, 0])
      expect(await codeOf(cache.hasMany(['a', 5 as never]))).toBe('INVALID_ARGUMENT')
    })

    it('deleteEach tells which keys had a value', async () => {
      const { cache } = open()
      const deleted: string[] = []
      cache.on('delete', ({ key }) => deleted.push(key))
      await cache.setMany({ a: 1, b: 2, c: 3 })
      expect(await cache.deleteEach(['a', 'x', 'b', 'a'])).toEqual([true, false, true, false])
      expect(await cache.hasMany(['a', 'b', 'c'])).toEqual([false, false, true])
      expect(deleted).toEqual(['a', 'x', 'b', 'a'])
      expect((await cache.stats()).deletes).toBe(2)
      expect(await cache.deleteEach([])).toEqual([])
      expect(await codeOf(cache.deleteEach([null as never]))).toBe('INVALID_ARGUMENT')
      expect(await codeOf((cache.deleteEach as (...args: unknown[]) => Promise<unknown>)(['c'], 'd'))).toBe(
        'INVALID_ARGUMENT',
      )
      expect(await cache.has('c')).toBe(true)
    })

    it('a load that runs during deleteEach does not bring the value back', async () => {
      const { cache } = open()
      await cache.getOrSet('k', async () => {
        await cache.deleteEach(['k'])
        return 'old'
      })
      expect(await cache.has('k')).toBe(false)
    })

    it('entries yields the fresh values of the namespace with their keys', async () => {
      const { cache, clock } = open({ staleFor: '1m' })
      const users = cache.namespace('users')
      const expected = Array.from({ length: 250 }, (_, index) => [`u${index}`, index] as const)
      await users.setMany(expected)
      await users.set('other', 1)
      await cache.set('u1', 'root')
      await users.set('u-stale', 1, { ttl: 10 })
      await users.set('u-tagged', 1, { tags: ['t'] })
      clock.advance(20)
      await users.deleteByTag('t')
      const found = await collect(users.entries('u'))
      expect(new Map(found)).toEqual(new Map(expected))
      expect(found).toHaveLength(250)
      expect((await cache.stats()).hits).toBe(0)
      await expect(cache.entries(5 as never).next()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    })

    it('entries goes by the changed keys where transformKey changes them', async () => {
      const { cache } = open({ transformKey: (key) => `x-${key}` })
      await cache.setMany({ a: 1, b: 2 })
      expect(new Map(await collect(cache.entries()))).toEqual(new Map(Object.entries({ 'x-a': 1, 'x-b': 2 })))
    })
  })
}

it('entries fails where the backend fails', async () => {
  const { cache, far } = twoProcesses()
  await cache.set('a', 1)
  far.failing.add('getMany')
  await expect(cache.entries().next()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

it('a SyncCache has hasMany, deleteEach and entries', () => {
  const cache = new SyncCache({ backend: new SyncMapBackend() })
  cache.setMany({ a: 1, b: 2 })
  expect([...cache.entries()]).toEqual([
    ['a', 1],
    ['b', 2],
  ])
  expect(cache.hasMany(['a', 'c'])).toEqual([true, false])
  expect(cache.deleteEach(['a', 'c'])).toEqual([true, false])
  expect([...cache.entries('a')]).toEqual([])
})
