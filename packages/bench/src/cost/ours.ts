import type { Cache, SyncCache } from '@cache/core'
import type { Candidate } from '../harness/suite.ts'
import { contender } from './contender.ts'
import { capacity, keyOf, keys, neverLoad, tags, ttl, type User, users } from './workload.ts'

async function openMemory(): Promise<Cache<User>> {
  const [{ Cache }, { MemoryBackend }] = await Promise.all([import('@cache/core'), import('@cache/memory')])
  return new Cache<User>({ backend: new MemoryBackend({ maxEntries: capacity }), ttl })
}

async function openLayered(): Promise<Cache<User>> {
  const [{ Cache }, { MemoryBackend }, { LayeredBackend }] = await Promise.all([
    import('@cache/core'),
    import('@cache/memory'),
    import('@cache/layered'),
  ])
  const layers = [new MemoryBackend({ maxEntries: capacity }), new MemoryBackend({ maxEntries: capacity })]
  return new Cache<User>({ backend: new LayeredBackend({ layers }), ttl })
}

async function openSync(): Promise<SyncCache<User>> {
  const [{ SyncCache }, { MemoryBackend }] = await Promise.all([import('@cache/core'), import('@cache/memory')])
  const cache = new SyncCache<User>({ backend: new MemoryBackend({ maxEntries: capacity }), ttl })
  for (const [index, key] of keys.entries()) cache.set(key, users[index] as User)
  return cache
}

async function fill(cache: Cache<User>, options?: { readonly tags: readonly string[] }): Promise<Cache<User>> {
  for (const [index, key] of keys.entries()) await cache.set(key, users[index] as User, options)
  return cache
}

/** `Cache`, with every feature that it has. */
export const ours: Candidate = contender(
  '@cache',
  [],
  {
    get: async () => {
      const cache = await fill(await openMemory())
      return (index) => cache.get(keyOf(index))
    },
    getOrSet: async () => {
      const cache = await fill(await openMemory())
      return (index) => cache.getOrSet(keyOf(index), neverLoad)
    },
    'getOrSet, three tags': async () => {
      const options = { tags }
      const cache = await fill(await openMemory(), options)
      return (index) => cache.getOrSet(keyOf(index), neverLoad, options)
    },
    'getOrSet, three tags, others invalidated': async () => {
      const options = { tags }
      const cache = await fill(await openMemory(), options)
      return (index) => {
        // Once for every pass over the keys, so that remembered tags are out of date.
        if (index % keys.length === 0) void cache.deleteByTag('others')
        return cache.getOrSet(keyOf(index), neverLoad, options)
      }
    },
    'near hit, get': async () => {
      const cache = await fill(await openLayered())
      return (index) => cache.get(keyOf(index))
    },
    'near hit, getOrSet': async () => {
      const cache = await fill(await openLayered())
      return (index) => cache.getOrSet(keyOf(index), neverLoad)
    },
    'near hit, three tags': async () => {
      const options = { tags }
      const cache = await fill(await openLayered(), options)
      return (index) => cache.getOrSet(keyOf(index), neverLoad, options)
    },
  },
  {
    'sync get': async () => {
      const cache = await openSync()
      return (index) => cache.get(keyOf(index))
    },
    'sync getOrSet': async () => {
      const cache = await openSync()
      return (index) => cache.getOrSet(keyOf(index), neverLoad)
    },
  },
)
