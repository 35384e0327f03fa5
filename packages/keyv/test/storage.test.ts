import { Cache, SyncCache } from '@cache/core'
import { MemoryBackend } from '@cache/memory'
import { createCache } from 'cache-manager'
import { Cacheable } from 'cacheable'
import { Keyv } from 'keyv'
import { Keyv as Keyv5 } from 'keyv5'
import { describe, expect, it } from 'vitest'
import { Keyv5Storage, KeyvStorage, type StorageTarget } from '../src/index.ts'
import { openStore, storeNames } from './stores.ts'

const memory = () => new MemoryBackend({ maxEntries: 1000 })
const classes = { KeyvStorage, Keyv5Storage }

describe.each(storeNames)('libraries on Keyv 5, on %s', (store) => {
  it('cache-manager reads, writes, wraps and clears', async () => {
    const cache = createCache({ stores: [new Keyv5({ store: new Keyv5Storage(await openStore(store)) })] })
    await cache.set('a', { n: 1 }, 60_000)
    expect(await cache.get('a')).toEqual({ n: 1 })
    expect(await cache.mget(['a', 'missing'])).toEqual([{ n: 1 }, undefined])
    let loads = 0
    const load = async () => {
      loads += 1
      return 'loaded'
    }
    expect(await cache.wrap('w', load, 60_000)).toBe('loaded')
    expect(await cache.wrap('w', load, 60_000)).toBe('loaded')
    expect(loads).toBe(1)
    await cache.del('a')
    expect(await cache.get('a')).toBeUndefined()
    await cache.clear()
    expect(await cache.get('w')).toBeUndefined()
  })

  it('cacheable keeps its second layer', async () => {
    const backend = await openStore(store)
    const secondary = () => new Keyv5({ store: new Keyv5Storage(backend) })
    const one = new Cacheable({ secondary: secondary() })
    await one.set('a', [1, 2], '1h')
    // The first layer of another instance is empty, so the value comes from the store.
    const other = new Cacheable({ secondary: secondary() })
    expect(await other.get('a')).toEqual([1, 2])
    await other.delete('a')
    expect(await new Cacheable({ secondary: secondary() }).get('a')).toBeUndefined()
  })
})

describe.each(Object.entries(classes))('%s', (name, Storage) => {
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a Map', new Map()],
    ['an address', 'redis://localhost'],
    ['options', { backend: memory() }],
    ['a synchronous cache', new SyncCache({ backend: memory() })],
  ])('refuses %s as its target, and names the argument', (_, target) => {
    const error = expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('target') })
    expect(() => new Storage(target as unknown as StorageTarget)).toThrow(error)
    expect(() => new Storage(target as unknown as StorageTarget)).toThrow(name)
  })

  it('disconnect closes a backend that was passed', async () => {
    const storage = new Storage(memory())
    await storage.disconnect()
    await expect(storage.get('a')).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('disconnect leaves a cache open that was passed', async () => {
    const cache = new Cache({ backend: memory() })
    await new Storage(cache).disconnect()
    await cache.set('a', 1)
    expect(await cache.get('a')).toBe(1)
  })

  it('a namespace can be changed and removed', async () => {
    const storage = new Storage(memory())
    if (storage instanceof KeyvStorage) expect(storage.capabilities.expires).toBe(true)
    storage.namespace = 'one'
    await storage.set('a', 1)
    storage.namespace = 'two'
    expect(await storage.get('a')).toBeUndefined()
    storage.namespace = undefined
    expect(await storage.get('a')).toBeUndefined()
    storage.namespace = 'one'
    expect(await storage.get('a')).toBe(1)
  })
})

describe('KeyvStorage', () => {
  it('refuses a Keyv 5, whose lifetimes are no instants', async () => {
    const keyv = new Keyv5({ store: new KeyvStorage(memory()), throwOnErrors: true })
    await expect(keyv.set('a', 1, 1000)).rejects.toThrow(/Use Keyv5Storage/)
    const errors: unknown[] = []
    keyv.on('error', (error: unknown) => errors.push(error))
    await expect(keyv.setMany([{ key: 'a', value: 1 }])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(errors).toHaveLength(1)
  })

  it('is used by Keyv 6 directly, without a bridge', () => {
    const storage = new KeyvStorage(memory())
    expect(new Keyv({ store: storage }).store).toBe(storage)
  })

  it('an instant that has passed removes the earlier value', async () => {
    const keyv = new Keyv({ store: new KeyvStorage(memory()) })
    await keyv.set('a', 1)
    await keyv.setRaw('a', { value: 2, expires: 1 })
    expect(await keyv.has('a')).toBe(false)
  })

  it('a write that the store refuses is an error event of Keyv, and the result is false', async () => {
    const backend = memory()
    const keyv = new Keyv({ store: new KeyvStorage(backend) })
    const errors: unknown[] = []
    keyv.on('error', (error: unknown) => errors.push(error))
    await backend.close()
    expect(await keyv.set('a', 1)).toBe(false)
    expect(errors).toHaveLength(1)
  })
})

describe('Keyv5Storage', () => {
  it('works in Keyv 6 too, with its lifetimes and its namespace', async () => {
    const cache = new Cache({ backend: memory() })
    const keyv = new Keyv({ store: new Keyv5Storage(cache), namespace: 'app' })
    const before = Date.now()
    await keyv.setMany([
      { key: 'a', value: 1, ttl: 3_600_000 },
      { key: 'b', value: 2 },
    ])
    const end = (await cache.namespace('app').item('a'))?.expiresAt ?? 0
    // Keyv turns its instant into a lifetime, and the cache turns it back a moment later.
    expect(end).toBeGreaterThanOrEqual(before + 3_600_000)
    expect(end).toBeLessThanOrEqual(Date.now() + 3_600_001)
    expect(await keyv.getMany(['a', 'b', 'c'])).toEqual([1, 2, undefined])
    await cache.set('a', 'own')
    await keyv.clear()
    expect(await keyv.get('b')).toBeUndefined()
    expect(await cache.get('a')).toBe('own')
  })

  it.each([0, -5])('a lifetime of %d removes the earlier value', async (ttl) => {
    const storage = new Keyv5Storage(memory())
    await storage.set('a', 1)
    await storage.set('a', 2, ttl)
    expect(await storage.get('a')).toBeUndefined()
    await storage.set('a', 1)
    await storage.setMany([{ key: 'a', value: 2, ttl }])
    expect(await storage.get('a')).toBeUndefined()
  })

  it('refuses a lifetime that is not a number', async () => {
    const storage = new Keyv5Storage(memory())
    await expect(storage.set('a', 1, Number.NaN)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await storage.get('a')).toBeUndefined()
  })

  it('reports a deletion of several keys as true only if every key had a value', async () => {
    const keyv = new Keyv5({ store: new Keyv5Storage(memory()) })
    await keyv.setMany([
      { key: 'a', value: 1 },
      { key: 'b', value: 1 },
    ])
    expect(await keyv.deleteMany(['a', 'b'])).toBe(true)
    expect(await keyv.deleteMany(['a', 'b'])).toBe(false)
  })
})
