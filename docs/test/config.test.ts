import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Cache, cacheErrorCode, type Item } from '@cache/core'
import { type BackendConfig, type CacheConfig, openBackend, openCache } from '@cache/core/config'
import { failover } from '@cache/resilient'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { freshFolder, freshPrefix, postgresUrl, redisUrl, startServers, stopServers } from './real-backends.ts'

beforeAll(startServers)
afterAll(stopServers)

const caches: Cache[] = []
afterEach(async () => {
  for (const cache of caches.splice(0)) await cache.close()
})

/** Imports of this file's packages, and records their names. */
const imported: string[] = []
const options = {
  import: (name: string) => {
    imported.push(name)
    return import(/* @vite-ignore */ name)
  },
}

async function open(config: string | CacheConfig): Promise<Cache> {
  const cache = await openCache(config, options)
  caches.push(cache)
  return cache
}

async function refusal(config: unknown): Promise<string> {
  const error = await openCache(config as CacheConfig, options).then(
    (cache) => cache.close().then(() => new Error('opened')),
    (reason: Error) => reason,
  )
  expect(cacheErrorCode(error), error.stack).toBe('INVALID_ARGUMENT')
  return error.message
}

/** The address of a cache in each store, as a URL. */
const urls = {
  memory: () => 'memory:?maxEntries=100&ttl=1h',
  file: () => `file:${freshFolder()}?maxBytes=100000000&file.syncInterval=Infinity&serialization=json`,
  redis: () => `${redisUrl()}/0?prefix=${encodeURIComponent(freshPrefix())}&ttl=10m&redis.connectTimeout=5s`,
  postgres: () =>
    `${postgresUrl()}?prefix=${encodeURIComponent(freshPrefix())}&application_name=config&compression=gzip`,
}

describe.each(Object.entries(urls))('a URL of %s', (provider, url) => {
  it('opens a cache that keeps values', async () => {
    const cache = await open(url())
    await cache.set('k', { a: 1 }, { ttl: '1m' })
    expect(await cache.get('k')).toEqual({ a: 1 })
  })

  it('opens a backend', async () => {
    const given = url().replace(/&?ttl=\w+/, '')
    const backend = await openBackend(given, options)
    expect(await backend.get('k')).toBe(undefined)
    expect(backend.name).toBe(provider)
    await backend.close?.()
  })
})

it('two caches of one prefix share their values, and another prefix has values of its own', async () => {
  const url = `${redisUrl()}?prefix=${encodeURIComponent(freshPrefix())}`
  const [one, two, other] = [await open(url), await open({ url }), await open({ url, prefix: freshPrefix() })]
  await one.set('k', 1)
  expect(await two.get('k')).toBe(1)
  expect(await other.get('k')).toBe(undefined)
})

it('an object describes the same caches with sections', async () => {
  const { hostname, port } = new URL(redisUrl())
  const prefix = freshPrefix()
  const cache = await open({
    provider: 'redis',
    name: 'users',
    ttl: '10m',
    serialization: 'json',
    compression: { algorithm: 'brotli', threshold: 10 },
    redis: { host: hostname, port: Number(port), db: 1, prefix, connectTimeout: '5s' },
  })
  await cache.set('k', 'x'.repeat(1000))
  const same = await open({ redis: { url: `${redisUrl()}/1`, prefix } })
  expect(await same.get('k')).toBe('x'.repeat(1000))
  expect(cache.name).toBe('users')
})

it('a memory backend without a limit has one of 10,000 entries', async () => {
  const backend = await openBackend('memory:', options)
  for (let n = 0; n < 10_050; n += 1) await backend.set({ key: `k${n}`, value: n, version: `v${n}` } as Item)
  expect((await backend.stats?.())?.items).toBe(10_000)
  await backend.close?.()
})

it('packages are found from the main file, from the working directory, and are those that the application imports', async () => {
  const program = `
    import { openBackend } from '@cache/core/config'
    import { MemoryBackend } from '@cache/memory'
    const backend = await openBackend('memory:')
    process.stdout.write(String(backend instanceof MemoryBackend))
    await backend.close()`
  const run = promisify(execFile)
  const directory = join(import.meta.dirname, '..')
  const main = join(directory, `config-${process.pid}.mjs`)
  try {
    await writeFile(main, program)
    const fromMain = await run(process.execPath, [main], { cwd: tmpdir() })
    const fromDirectory = await run(process.execPath, ['--input-type=module', '-e', program], { cwd: directory })
    expect([fromMain.stdout, fromDirectory.stdout]).toEqual(['true', 'true'])
  } finally {
    await rm(main, { force: true })
  }
})

it('the null provider stores nothing', async () => {
  const cache = await open('null:?ttl=1h')
  await cache.set('k', 1)
  expect(await cache.get('k')).toBe(undefined)
})

describe('layers', () => {
  it('a near layer has copies, and the bus of Redis announces changes to other processes', async () => {
    const prefix = freshPrefix()
    const url = `${redisUrl()}?prefix=${encodeURIComponent(prefix)}&near=memory:`
    const [one, two] = [await open(url), await open({ layers: ['memory:?maxEntries=50', { url: redisUrl(), prefix }] })]
    await one.set('k', 1)
    expect(await two.get('k')).toBe(1)
    await one.set('k', 2)
    await vi.waitFor(async () => expect(await two.get('k')).toBe(2), 30_000)
  })

  it('the bus of PostgreSQL is used too', async () => {
    const prefix = freshPrefix()
    const config: CacheConfig = { url: postgresUrl(), prefix, near: { memory: { maxEntries: 10 } } }
    const [one, two] = [await open(config), await open(config)]
    await one.set('k', 1)
    expect(await two.get('k')).toBe(1)
    await one.set('k', 2)
    await vi.waitFor(async () => expect(await two.get('k')).toBe(2), 30_000)
  })

  it('layers of files have no bus unless one is demanded', async () => {
    const cache = await open({ url: `file:${freshFolder()}`, near: 'memory:', layered: { nearTtl: '1s' } })
    await cache.set('k', 1)
    expect(await cache.get('k')).toBe(1)
    expect(await refusal({ url: `file:${freshFolder()}`, near: 'memory:', bus: true })).toContain(
      "the last layer ('file') has no bus",
    )
  })
})

it('`fallback` takes over while the store cannot be reached', async () => {
  const cache = await open('redis://127.0.0.1:1?fallback=memory:&redis.connectTimeout=200ms')
  cache.on('error', () => {})
  await cache.set('k', 1)
  expect(await cache.get('k')).toBe(1)
})

describe('a package by name', () => {
  const name = 'cache-of-a-third-party'
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cache-config-'))
    for (const [one, content] of [
      [
        name,
        `exports.openBackend = (options) => new Map([['options', options]]) && {
        name: 'third', options, get: async () => undefined, set: async () => {}, delete: async () => false, clear: async () => {} }`,
      ],
      ['cache-without-the-function', 'exports.other = 1'],
      ['cache-with-a-missing-dependency', "require('a-missing-dependency')"],
    ] as const) {
      const directory = join(folder, 'node_modules', one)
      await mkdir(directory, { recursive: true })
      await writeFile(
        join(directory, 'package.json'),
        JSON.stringify({ name: one, version: '1.0.0', main: 'index.js' }),
      )
      await writeFile(join(directory, 'index.js'), content)
    }
    vi.spyOn(process, 'cwd').mockReturnValue(folder)
  })
  afterAll(async () => {
    vi.restoreAllMocks()
    await rm(folder, { recursive: true })
  })

  it('is found from the working directory and gets the fields', async () => {
    const config: BackendConfig = { provider: name, url: 'third://host', prefix: 'p:', options: { speed: 3 } }
    const backend = (await openBackend(config)) as unknown as { readonly options: unknown }
    expect(backend.options).toEqual({ url: 'third://host', prefix: 'p:', speed: 3 })
  })

  it('is refused when it is missing, has no `openBackend`, or misses a dependency', async () => {
    await expect(openCache({ provider: 'cache-that-is-missing' })).rejects.toThrow(
      "openCache: the provider is 'cache-that-is-missing', which needs the package cache-that-is-missing: npm install cache-that-is-missing",
    )
    await expect(openCache({ provider: 'cache-without-the-function' })).rejects.toThrow(
      "provider must be a package that exports the function 'openBackend'",
    )
    await expect(openCache({ provider: 'cache-with-a-missing-dependency' })).rejects.toThrow('a-missing-dependency')
    await expect(openCache({ provider: 'cache-with-a-missing-dependency' })).rejects.not.toThrow('npm install')
  })
})

it('a package of this family that is not installed is named with the command that installs it', async () => {
  const missing = (name: string): never => {
    throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' })
  }
  await expect(openCache('redis://h', { import: missing })).rejects.toThrow(
    "openCache: the provider is 'redis', which needs the package @cache/redis: npm install @cache/redis",
  )
})

it('only the packages that a configuration needs are imported', async () => {
  imported.length = 0
  await open('memory:?ttl=1m')
  expect(imported).toEqual(['@cache/memory'])
})

it('the parts that are open are closed when a later part is refused', async () => {
  const closed: string[] = []
  const closing = {
    import: async (name: string) => {
      if (name === 'mine') {
        return {
          openBackend: () => ({
            name: 'mine',
            get: async () => undefined,
            set: async () => {},
            delete: async () => false,
            clear: async () => {},
            close: async () => void closed.push('mine'),
          }),
        }
      }
      return name === '@cache/resilient' ? { failover } : import(/* @vite-ignore */ name)
    },
  }
  await expect(openCache({ layers: [{ provider: 'mine' }, 'redis://h?redis.x=1'] }, closing)).rejects.toThrow(
    "unknown option 'x'",
  )
  await expect(openCache({ provider: 'mine', ttl: -1 }, closing)).rejects.toThrow('ttl')
  expect(closed).toEqual(['mine', 'mine'])
})

describe('refused configurations', () => {
  it.each<[unknown, string]>([
    [undefined, 'a URL or an object'],
    [null, 'a URL or an object, not null'],
    [[], 'a URL or an object, not an array'],
    [{}, "give 'url', or 'provider'"],
    ['', 'must be a URL that begins with memory:'],
    ['http://h', "begins with 'http:'"],
    ['localhost:6379', "begins with 'localhost:'"],
    ['memory:x', "'memory:' takes no address"],
    ['file:', "'file:' needs the path of a directory"],
    ['file:%zz', "the path of 'file:' has a '%'"],
    ['memory:?tll=1m', "unknown parameter 'tll'"],
    ['memory:?ttl=1m&ttl=2m', "parameter 'ttl' is given twice"],
    ['memory:?maxEntries=many', 'maxEntries must be a number'],
    ['memory:?lock=yes', "lock must be 'true' or 'false'"],
    ['memory:?ttl=soon', 'ttl must be milliseconds'],
    ['memory:?policy=best', 'openCache.memory: policy must be'],
    ['memory:?prefix=a:', "'prefix' has no effect with the provider 'memory'"],
    ['memory:?layers=a', "unknown parameter 'layers'"],
    ['memory:?memory.a.b=1', "unknown parameter 'memory.a.b'"],
    ['memory:?bus=true', "bus must be absent without 'layers' or 'near'"],
    ['redis://h?maxEntries=5', "'maxEntries' has no effect with the provider 'redis'"],
    ['redis://h?redis.conectTimeout=1', "openCache.redis: RedisBackend: unknown option 'conectTimeout'"],
    ['redis://h?serialization=xml', "serialization must be one of 'msgpack'"],
    ['redis://h?compression=rar', "compression must be one of 'gzip'"],
    ['redis://h?near=redis', 'openCache.near must be a URL'],
    ['redis://h?near=memory:%3Fttl=1', "openCache.near: 'ttl' is an option of the cache"],
    ['redis://h?fallback=nothing:', 'openCache.fallback must be a URL'],
    [{ provider: 'redis', url: 'memory:' }, "provider must be 'memory', the provider of the URL"],
    [{ provider: 5 }, "provider must be 'memory'"],
    [{ provider: 'memory', redis: {} }, "'redis' has no effect with the provider 'memory'"],
    [{ provider: 'memory', memory: [] }, 'memory must be an object'],
    [{ memory: {}, redis: {} }, 'found the sections memory, redis'],
    [{ provider: 'memory', ttl: null }, 'ttl must be a value of its kind'],
    [{ provider: 'memory', backend: {} }, "unknown option 'backend'"],
    [{ provider: 'file' }, 'file.dir must be the path of a directory'],
    [{ provider: 'redis', redis: { cluster: [] } }, 'redis.cluster must be addresses'],
    [{ provider: 'redis', redis: { cluster: 'h:99999' } }, 'redis.cluster must have addresses'],
    [{ provider: 'redis', redis: { cluster: ['h'], db: 1 } }, 'redis.cluster allows neither'],
    [{ provider: 'redis', redis: { tls: 'yes', host: 'h' } }, 'redis.tls must be true or false'],
    [{ layers: ['memory:'] }, 'layers must be an array of two or more'],
    [{ layers: ['memory:', 'null:'], maxEntries: 5 }, "maxEntries must be in a member of 'layers'"],
    [{ layers: ['memory:', 'null:'], near: 'memory:' }, "near must be absent beside 'layers'"],
    [{ layers: ['memory:', {}] }, "openCache.layers[1]: give 'url'"],
    [{ provider: 'memory', failover: {} }, "failover must be absent without 'fallback'"],
    [{ provider: 'memory', fallback: 'memory:', failover: { failures: -1 } }, 'openCache.failover: failover: failures'],
  ])('%j is refused', async (config, message) => {
    expect(await refusal(config)).toContain(message)
  })

  it('no message contains a password', async () => {
    const secret = 'pa55word'
    const given = [
      `redis://u:${secret}@h:port`,
      `rediss://u:${secret}@h?tll=1`,
      `rediss://u:${secret}@h?${secret}://x=1`,
      `http://u:${secret}@h`,
      `redis://u:${secret}@h#x`,
      `postgres://u:${secret}@h:port/db`,
      { provider: 'memory', url: `redis://u:${secret}@h` },
      { redis: { cluster: `u:${secret}@h:1`, db: 1 } },
      { redis: { cluster: `redis://u:${secret}@h:1` } },
      { layers: ['memory:', `redis://u:${secret}@h`], url: `redis://u:${secret}@h` },
    ]
    for (const config of given) expect(await refusal(config)).not.toContain(secret)
  })
})
