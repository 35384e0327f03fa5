import type { Candidate } from '../harness/suite.ts'
import type { Contestant } from '../server/workload.ts'
import { contender } from './contender.ts'

const ttl = 600_000

/** Plain texts: the baseline has no codec. */
function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The results of plain clients. */
function plainText(value: unknown): unknown {
  return text(value)
}

export async function openIoredis(url: string, enableAutoPipelining: boolean): Promise<Contestant> {
  const { Redis } = await import('ioredis')
  const redis = new Redis(url, { enableAutoPipelining })
  await redis.ping()
  return {
    stored: plainText,
    get: (key) => redis.get(key),
    set: (key, value) => redis.set(key, text(value), 'PX', ttl),
    increment: (key) => redis.incr(`counter:${key}`),
    getMany: (keys) => redis.mget([...keys]),
    setMany: async (entries) => {
      const pipeline = redis.pipeline()
      for (const [key, value] of entries) pipeline.set(key, text(value), 'PX', ttl)
      await pipeline.exec()
    },
    close: () => redis.disconnect(),
  }
}

async function openNodeRedis(url: string): Promise<Contestant> {
  const { createClient } = await import('redis')
  const client = createClient({ url })
  await client.connect()
  return {
    stored: plainText,
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, text(value), { expiration: { type: 'PX', value: ttl } }),
    increment: (key) => client.incr(`counter:${key}`),
    getMany: (keys) => client.mGet([...keys]),
    setMany: (entries) =>
      Promise.all(
        entries.map(([key, value]) => client.set(key, text(value), { expiration: { type: 'PX', value: ttl } })),
      ),
    close: () => client.destroy(),
  }
}

export async function openBento(url: string): Promise<Contestant> {
  const [{ BentoCache, bentostore }, { redisDriver }, { Redis }] = await Promise.all([
    import('bentocache'),
    import('bentocache/drivers/redis'),
    import('ioredis'),
  ])
  const connection = new Redis(url)
  const store = bentostore().useL2Layer(redisDriver({ connection: connection as never }))
  const cache = new BentoCache({ default: 'store', ttl, stores: { store } })
  return {
    get: (key) => cache.get({ key }),
    set: (key, value) => cache.set({ key, value }),
    close: () => cache.disconnectAll(),
  }
}

async function openKeyvStore(url: string) {
  // The adapter is made for Keyv 5, which cacheable brings.
  const [{ Keyv }, { default: KeyvRedis }] = await Promise.all([import('cacheable'), import('@keyv/redis')])
  return new Keyv({ store: new KeyvRedis(url), ttl, namespace: 'keyv' })
}

export async function openKeyv(url: string): Promise<Contestant> {
  const keyv = await openKeyvStore(url)
  return {
    get: (key) => keyv.get(key),
    set: (key, value) => keyv.set(key, value),
    getMany: (keys) => keyv.get([...keys]) as Promise<unknown[]>,
    setMany: (entries) => keyv.setMany(entries.map(([key, value]) => ({ key, value }))),
    close: () => keyv.disconnect(),
  }
}

async function openCacheManager(url: string): Promise<Contestant> {
  const { createCache } = await import('cache-manager')
  const keyv = await openKeyvStore(url)
  const cache = createCache({ stores: [keyv], ttl })
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    getMany: (keys) => cache.mget([...keys]),
    setMany: (entries) => cache.mset(entries.map(([key, value]) => ({ key, value }))),
    close: () => keyv.disconnect(),
  }
}

/** The plain clients, and other caches on them. */
export const peers: readonly Candidate[] = [
  contender('ioredis', ['ioredis'], (url) => openIoredis(url, false)),
  contender('ioredis, auto-pipelining', ['ioredis'], (url) => openIoredis(url, true)),
  contender('node-redis', ['redis'], openNodeRedis),
  contender('bentocache', ['bentocache'], openBento, ['get', 'set']),
  contender('keyv', ['@keyv/redis'], openKeyv, ['get', 'set', 'getMany', 'setMany']),
  contender('cache-manager', ['cache-manager', '@keyv/redis'], openCacheManager, ['get', 'set', 'getMany', 'setMany']),
]
