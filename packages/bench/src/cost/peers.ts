import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Candidate } from '../harness/suite.ts'
import { contender } from './contender.ts'
import { capacity, keyOf, keys, neverLoad, tags, ttl, type User, users } from './workload.ts'

/** Fills a cache by its own `set`, one key after the other. */
async function fill(set: (key: string, user: User) => unknown): Promise<void> {
  for (const [index, key] of keys.entries()) await set(key, users[index] as User)
}

/** A new folder that goes with this process. */
async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-bento-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function openBento(layered: boolean) {
  const [{ BentoCache, bentostore }, { memoryDriver }, { fileDriver }] = await Promise.all([
    import('bentocache'),
    import('bentocache/drivers/memory'),
    import('bentocache/drivers/file'),
  ])
  const memory = bentostore().useL1Layer(memoryDriver({ maxItems: capacity, serialize: false }))
  const store = layered
    ? memory.useL2Layer(fileDriver({ directory: await temporaryFolder(), pruneInterval: false }))
    : memory
  return new BentoCache({ default: 'store', ttl, stores: { store } })
}

const bentocache = contender('bentocache', ['bentocache'], {
  get: async () => {
    const cache = await openBento(false)
    await fill((key, value) => cache.set({ key, value }))
    return (index) => cache.get<User>({ key: keyOf(index) })
  },
  getOrSet: async () => {
    const cache = await openBento(false)
    await fill((key, value) => cache.set({ key, value }))
    return (index) => cache.getOrSet<User>({ key: keyOf(index), factory: neverLoad })
  },
  'getOrSet, three tags': async () => {
    const cache = await openBento(false)
    const all = [...tags]
    await fill((key, value) => cache.set({ key, value, tags: all }))
    return (index) => cache.getOrSet<User>({ key: keyOf(index), factory: neverLoad, tags: all })
  },
  'near hit, get': async () => {
    const cache = await openBento(true)
    await fill((key, value) => cache.set({ key, value }))
    return (index) => cache.get<User>({ key: keyOf(index) })
  },
  'near hit, getOrSet': async () => {
    const cache = await openBento(true)
    await fill((key, value) => cache.set({ key, value }))
    return (index) => cache.getOrSet<User>({ key: keyOf(index), factory: neverLoad })
  },
  'near hit, three tags': async () => {
    const cache = await openBento(true)
    const all = [...tags]
    await fill((key, value) => cache.set({ key, value, tags: all }))
    return (index) => cache.getOrSet<User>({ key: keyOf(index), factory: neverLoad, tags: all })
  },
})

async function openCacheable(options: { readonly layered?: boolean; readonly tags?: boolean }) {
  const { Cacheable, Keyv } = await import('cacheable')
  const cache = new Cacheable({ ttl, tags: options.tags === true })
  if (options.layered === true) cache.secondary = new Keyv()
  return cache
}

const cacheable = contender('cacheable', ['cacheable'], {
  get: async () => {
    const cache = await openCacheable({})
    await fill((key, value) => cache.set(key, value))
    return (index) => cache.get<User>(keyOf(index))
  },
  getOrSet: async () => {
    const cache = await openCacheable({})
    await fill((key, value) => cache.set(key, value))
    return (index) => cache.getOrSet<User>(keyOf(index), neverLoad)
  },
  'getOrSet, three tags': async () => {
    const cache = await openCacheable({ tags: true })
    // Its getOrSet takes no tags; a hit checks those that `set` gave.
    await fill((key, value) => cache.set(key, value, { tags: [...tags] }))
    return (index) => cache.getOrSet<User>(keyOf(index), neverLoad)
  },
  'near hit, get': async () => {
    const cache = await openCacheable({ layered: true })
    await fill((key, value) => cache.set(key, value))
    return (index) => cache.get<User>(keyOf(index))
  },
  'near hit, getOrSet': async () => {
    const cache = await openCacheable({ layered: true })
    await fill((key, value) => cache.set(key, value))
    return (index) => cache.getOrSet<User>(keyOf(index), neverLoad)
  },
})

async function openCacheManager(layers: number) {
  // cache-manager 7 takes stores of Keyv 5, which cacheable brings.
  const [{ createCache }, { Keyv }] = await Promise.all([import('cache-manager'), import('cacheable')])
  return createCache({ ttl, stores: Array.from({ length: layers }, () => new Keyv()) })
}

const cacheManager = contender('cache-manager', ['cache-manager'], {
  get: async () => {
    const cache = await openCacheManager(1)
    await fill((key, value) => cache.set(key, value))
    return (index) => cache.get<User>(keyOf(index))
  },
  getOrSet: async () => {
    const cache = await openCacheManager(1)
    await fill((key, value) => cache.set(key, value))
    return (index) => cache.wrap<User>(keyOf(index), neverLoad)
  },
  'near hit, get': async () => {
    const cache = await openCacheManager(2)
    await fill((key, value) => cache.set(key, value))
    return (index) => cache.get<User>(keyOf(index))
  },
  'near hit, getOrSet': async () => {
    const cache = await openCacheManager(2)
    await fill((key, value) => cache.set(key, value))
    return (index) => cache.wrap<User>(keyOf(index), neverLoad)
  },
})

const keyv = contender('keyv', ['keyv'], {
  get: async () => {
    const { Keyv } = await import('keyv')
    const cache = new Keyv<User>({ ttl })
    await fill((key, value) => cache.set(key, value))
    return (index) => cache.get(keyOf(index))
  },
})

/** The result of the loader while a cache without `set` is filled. Later calls of the loader are misses. */
function fillingLoader(): { load(key: string): Promise<User>; done(): void } {
  let filled = false
  return {
    load: async (key) => (filled ? neverLoad() : (users[keys.indexOf(key)] as User)),
    done: () => {
      filled = true
    },
  }
}

async function openAsyncCacheDedupe(references: readonly string[] | undefined) {
  const { createCache } = await import('async-cache-dedupe')
  const loader = fillingLoader()
  const options = { size: capacity, invalidation: references !== undefined }
  const cache = createCache({ ttl: ttl / 1000, storage: { type: 'memory', options } }).define(
    'user',
    references === undefined ? {} : { references: () => [...references] },
    (key: string) => loader.load(key),
  )
  await fill((key) => cache.user(key))
  loader.done()
  return (index: number) => cache.user(keyOf(index))
}

const asyncCacheDedupe = contender('async-cache-dedupe', ['async-cache-dedupe'], {
  getOrSet: () => openAsyncCacheDedupe(undefined),
  'getOrSet, three tags': () => openAsyncCacheDedupe(tags),
})

const cachified = contender('cachified', ['@epic-web/cachified'], {
  getOrSet: async () => {
    const [{ cachified, totalTtl }, { LRUCache }] = await Promise.all([
      import('@epic-web/cachified'),
      import('lru-cache'),
    ])
    type Entry = import('@epic-web/cachified').CacheEntry
    const lru = new LRUCache<string, Entry>({ max: capacity })
    const cache: import('@epic-web/cachified').Cache = {
      // As its documentation connects the two.
      set: (key, entry) =>
        lru.set(key, entry as Entry, { ttl: totalTtl(entry.metadata), start: entry.metadata.createdTime }),
      get: (key) => lru.get(key),
      delete: (key) => lru.delete(key),
    }
    await fill((key, user) => cachified<User>({ key, cache, ttl, getFreshValue: () => user }))
    return (index) => cachified<User>({ key: keyOf(index), cache, ttl, getFreshValue: neverLoad })
  },
})

/** Stands behind layered-loader's memory; a near hit never asks it. */
function asyncCache(): object {
  const map = new Map<string, User>()
  return {
    get: async (key: string) => map.get(key),
    set: async (key: string, user: User) => void map.set(key, user),
    close: async () => {},
  }
}

async function openLayeredLoader(layered: boolean) {
  const { Loader } = await import('layered-loader/core')
  const loader = fillingLoader()
  const cache = new Loader<User>({
    inMemoryCache: { ttlInMsecs: ttl, maxItems: capacity },
    ...(layered ? { asyncCache: asyncCache() as never } : {}),
    dataSourceGetOneFn: (key: string) => loader.load(key),
  })
  await fill((key) => cache.get(key))
  loader.done()
  return (index: number) => cache.get(keyOf(index))
}

const layeredLoader = contender('layered-loader', ['layered-loader'], {
  getOrSet: () => openLayeredLoader(false),
  'near hit, getOrSet': () => openLayeredLoader(true),
})

export const peers: readonly Candidate[] = [
  bentocache,
  cacheable,
  cacheManager,
  keyv,
  asyncCacheDedupe,
  cachified,
  layeredLoader,
]
