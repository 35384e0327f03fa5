import type { Bounded, Maker } from './bounded.ts'

type Options = { readonly ttl?: boolean; readonly evicts?: boolean; readonly numbers?: boolean }

function maker(name: string, packageName: string, options: Options, make: Maker['make']): Maker {
  const { ttl = false, evicts = true, numbers = true } = options
  return { name, packages: [packageName], ttl, evicts, numbers, make }
}

function ours(policy: 'adaptive' | 'lru'): Maker {
  return maker(`@cache/memory, ${policy}`, '@cache/memory', { ttl: true }, async (maxEntries, ttl) => {
    const { BoundedMap } = await import('@cache/memory')
    return new BoundedMap<string | number, unknown>({ maxEntries, policy, ...(ttl === undefined ? {} : { ttl }) })
  })
}

/** The names of the policies that stand for this project. */
export const own: readonly string[] = ['@cache/memory, adaptive', '@cache/memory, lru']

/** All packages. The first is the baseline of the ratios. */
export const makers: readonly Maker[] = [
  maker('lru-cache', 'lru-cache', { ttl: true }, async (max, ttl) => {
    const { LRUCache } = await import('lru-cache')
    return new LRUCache<string | number, object>({ max, ...(ttl === undefined ? {} : { ttl }) }) as Bounded
  }),
  ours('adaptive'),
  ours('lru'),
  maker('quick-lru', 'quick-lru', { ttl: true }, async (maxSize, maxAge) => {
    const { default: QuickLRU } = await import('quick-lru')
    return new QuickLRU<string | number, unknown>({ maxSize, ...(maxAge === undefined ? {} : { maxAge }) })
  }),
  maker('tiny-lru', 'tiny-lru', { ttl: true, numbers: false }, async (max, ttl = 0) => {
    const { lru } = await import('tiny-lru')
    return lru(max, ttl) as Bounded
  }),
  maker('mnemonist LRUCache', 'mnemonist', { numbers: false }, async (max) => {
    const { LRUCache } = await import('mnemonist')
    return new LRUCache<string | number, unknown>(max)
  }),
  maker('toad-cache FifoMap', 'toad-cache', { ttl: true }, async (max, ttl = 0) => {
    const { FifoMap } = await import('toad-cache')
    return new FifoMap<unknown>(max, ttl) as Bounded
  }),
  maker('lru.min', 'lru.min', {}, async (max) => {
    const { createLRU } = await import('lru.min')
    return createLRU<string | number, unknown>({ max })
  }),
  maker('flru', 'flru', { numbers: false }, async (max) => {
    // Its types describe a CommonJS module.
    const { default: make } = (await import('flru')) as unknown as { default(max: number): Bounded }
    return make(max)
  }),
  maker('hashlru', 'hashlru', { numbers: false }, async (max) => {
    // Its types describe a CommonJS module.
    const { default: make } = (await import('hashlru')) as unknown as { default(max: number): Bounded }
    return make(max)
  }),
  maker('lru_map', 'lru_map', {}, async (max) => {
    const { default: lruMap } = await import('lru_map')
    return new lruMap.LRUMap<string | number, unknown>(max)
  }),
  // For each entry that it pushes out it enumerates all deadlines: minutes for the rows where much is pushed out.
  maker('@isaacs/ttlcache', '@isaacs/ttlcache', { ttl: true, evicts: false }, async (max, ttl = 86_400_000) => {
    const { TTLCache } = await import('@isaacs/ttlcache')
    return new TTLCache<string | number, unknown>({ max, ttl })
  }),
  maker('node-cache', 'node-cache', { ttl: true, evicts: false, numbers: false }, async (_max, ttl) => {
    const { default: NodeCache } = await import('node-cache')
    return new NodeCache({ useClones: false, checkperiod: 0, ...(ttl === undefined ? {} : { stdTTL: ttl / 1000 }) })
  }),
  maker('@neophi/sieve-cache', '@neophi/sieve-cache', {}, async (max) => {
    const { SieveCache } = await import('@neophi/sieve-cache')
    return new SieveCache<string | number, object>(max) as Bounded
  }),
  maker('transitory', 'transitory', { ttl: true }, async (max, ttl) => {
    const { newCache } = await import('transitory')
    const builder = newCache<string | number, object>().maxSize(max)
    const cache = ttl === undefined ? builder.build() : builder.expireAfterWrite(ttl).build()
    return {
      // Its answer to a miss is null.
      get: (key) => cache.getIfPresent(key) ?? undefined,
      set: (key, value) => cache.set(key, value as object),
    }
  }),
]
