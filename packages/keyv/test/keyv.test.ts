import { Cache, type CacheBackend } from '@cache/core'
import { Keyv } from 'keyv'
import { Keyv as Keyv5 } from 'keyv5'
import { describe, expect, it } from 'vitest'
import { Keyv5Storage, KeyvStorage } from '../src/index.ts'
import { openStore, storeNames } from './stores.ts'

const hour = 3_600_000

/** The methods that both versions of Keyv have. */
interface EitherKeyv {
  get(key: string): Promise<unknown>
  getMany(keys: string[]): Promise<unknown[]>
  set(key: string, value: unknown, ttl?: number): Promise<boolean>
  setMany(entries: { key: string; value: unknown; ttl?: number }[]): Promise<unknown>
  has(key: string): Promise<boolean>
  hasMany(keys: string[]): Promise<boolean[]>
  delete(key: string): Promise<boolean>
  deleteMany(keys: string[]): Promise<boolean | boolean[]>
  clear(): Promise<void>
}
const versions = {
  'Keyv 5': (target: CacheBackend | Cache, namespace = 'app') =>
    new Keyv5({ store: new Keyv5Storage(target), namespace, throwOnErrors: true }),
  'Keyv 6': (target: CacheBackend | Cache, namespace = 'app') => {
    const keyv = new Keyv({ store: new KeyvStorage(target), namespace })
    keyv.on('error', (error: unknown) => {
      throw error
    })
    return keyv
  },
} as const
const names = Object.keys(versions) as (keyof typeof versions)[]

describe.each(storeNames)('a store on %s', (store) => {
  describe.each(names)('with %s', (version) => {
    const open: (target: CacheBackend | Cache, namespace?: string) => EitherKeyv = versions[version]

    it('a value of each kind comes back, and a missing key is undefined', async () => {
      const keyv = open(await openStore(store))
      const values = { text: 'grüße', none: null, zero: 0, empty: '', no: false, list: [1, { a: ['b'] }] }
      for (const [key, value] of Object.entries(values)) expect(await keyv.set(key, value)).toBe(true)
      for (const [key, value] of Object.entries(values)) expect(await keyv.get(key)).toEqual(value)
      expect(await keyv.get('missing')).toBeUndefined()
      expect(await keyv.has('none')).toBe(true)
      expect(await keyv.has('missing')).toBe(false)
    })

    it('batches keep the order of their keys', async () => {
      const keyv = open(await openStore(store))
      await keyv.setMany([
        { key: 'a', value: 1 },
        { key: 'b', value: 2, ttl: hour },
      ])
      expect(await keyv.getMany(['b', 'missing', 'a'])).toEqual([2, undefined, 1])
      expect(await keyv.hasMany(['b', 'missing', 'a'])).toEqual([true, false, true])
      const deleted = await keyv.deleteMany(['a', 'missing'])
      expect(deleted).toEqual(version === 'Keyv 5' ? false : [true, false])
      expect(await keyv.getMany(['a', 'b'])).toEqual([undefined, 2])
    })

    it('the store keeps the lifetime that Keyv was given, and no lifetime means no end', async () => {
      const cache = new Cache({ backend: await openStore(store), ttl: 1000, staleFor: '1h' })
      const keyv = open(cache)
      const before = Date.now()
      await keyv.set('one', 1, hour)
      await keyv.setMany([{ key: 'many', value: 1, ttl: hour }])
      await keyv.set('forever', 1)
      const prefix = version === 'Keyv 5' ? 'app:' : ''
      const own = cache.namespace('app')
      for (const key of ['one', 'many']) {
        const { staleAt, expiresAt } = (await own.item(`${prefix}${key}`)) ?? {}
        const end = staleAt ?? expiresAt ?? 0
        expect(end).toBeGreaterThanOrEqual(before + hour)
        expect(end).toBeLessThanOrEqual(Date.now() + hour + 1)
        // A stale period of the cache does not outlive the lifetime.
        expect(expiresAt).toBe(end)
      }
      expect((await own.item(`${prefix}forever`))?.expiresAt).toBeUndefined()
    })

    it('a delete removes one value and says whether there was one', async () => {
      const keyv = open(await openStore(store))
      await keyv.set('a', 1)
      expect(await keyv.delete('a')).toBe(true)
      expect(await keyv.delete('a')).toBe(false)
      expect(await keyv.get('a')).toBeUndefined()
    })

    it('a clear removes the values of its own namespace only', async () => {
      const cache = new Cache({ backend: await openStore(store) })
      const one = open(cache, 'one')
      const longer = open(cache, 'one:more')
      await one.set('a', 1)
      await longer.set('a', 2)
      await cache.set('a', 3)
      await one.clear()
      expect(await one.get('a')).toBeUndefined()
      expect(await longer.get('a')).toBe(2)
      expect(await cache.get('a')).toBe(3)
    })
  })

  it('an iteration of Keyv 6 yields the values of its namespace', async () => {
    const cache = new Cache({ backend: await openStore(store) })
    const keyv = versions['Keyv 6'](cache)
    await versions['Keyv 6'](cache, 'other').set('c', 3)
    await keyv.set('a', 1)
    await keyv.set('b', 2, hour)
    const found: unknown[] = []
    for await (const entry of keyv.iterator()) found.push(entry)
    expect(found.sort()).toEqual([
      ['a', 1],
      ['b', 2],
    ])
  })

  it('a value without serialization comes back (Keyv 6)', async () => {
    const keyv = new Keyv({ store: new KeyvStorage(await openStore(store)), serialization: false })
    keyv.on('error', (error: unknown) => {
      throw error
    })
    const value = { at: new Date(0), set: new Set([1]) }
    await keyv.set('a', value, hour)
    expect(await keyv.get('a')).toEqual(value)
  })
})
