import { frame } from '@cache/codecs'
import { Cache } from '@cache/core'
import { type BackendEvent, type CacheError, cacheErrorCode, type Item } from '@cache/core/backend'
import { startRedis, waitUntil } from '@cache/workspace'
import type {} from '@cache/workspace/redis-setup'
import type { RedisOptions } from 'ioredis'
import { describe, expect, inject, it } from 'vitest'
import { RedisBackend, type RedisBackendOptions } from '../src/index.ts'
import { closeAfterTest, openBackend, openRedis, ownPrefix } from './resources.ts'

const url = inject('redisUrl')

function item(key: string, value: unknown, rest: Partial<Item> = {}): Item {
  return { key, value, version: 'v1', createdAt: 1, ...rest }
}

function open(options: Partial<RedisBackendOptions> = {}): { backend: RedisBackend; prefix: string; errors: Error[] } {
  const prefix = ownPrefix()
  const backend = openBackend({ ...(options.client ? {} : { url }), prefix, ...options })
  const errors: Error[] = []
  backend.listen((event: BackendEvent) => {
    if (event.type === 'error') errors.push(event.error)
  })
  return { backend, prefix, errors }
}

describe('a counter', () => {
  it('is a plain number of Redis with a native expiry, which redis-cli can read and change', async () => {
    const { backend, prefix } = open()
    const redis = openRedis(url)
    expect(await backend.increment?.('n', 5, Date.now() + 60_000)).toBe(5)
    expect(await redis.get(`${prefix}n`)).toBe('5')
    const left = await redis.pttl(`${prefix}n`)
    expect(left).toBeGreaterThan(59_000)
    expect(left).toBeLessThanOrEqual(60_000)
    expect(await redis.incr(`${prefix}n`)).toBe(6)
    expect(await backend.get('n')).toMatchObject({ key: 'n', value: 6, version: '=6', createdAt: 0 })
    await redis.set(`${prefix}foreign`, '-41')
    expect(await backend.increment?.('foreign', -1)).toBe(-42)
    expect(await redis.pttl(`${prefix}foreign`)).toBe(-1)
  })

  it('has its own expiry in a batch, and none where it was created without one', async () => {
    const { backend } = open()
    const expiresAt = Date.now() + 60_000
    await backend.increment?.('a', 1, expiresAt)
    await backend.increment?.('b', 2)
    const [a, b, again] = await backend.getMany(['a', 'b', 'a'])
    expect(Math.abs((a?.expiresAt ?? 0) - expiresAt)).toBeLessThan(1000)
    expect(b).toEqual({ key: 'b', value: 2, version: '=2', createdAt: 0 })
    expect(again?.value).toBe(1)
  })

  it('that began as an item keeps its tags, staleAt, cost and expiry, and changes its version', async () => {
    const { backend } = open()
    const rest = {
      tags: { t: 'version', ключ: 'x', 'lone \ud800': 'y' },
      staleAt: 2,
      cost: 1.5,
      expiresAt: Date.now() + 60_000,
    }
    for (const [key, part] of Object.entries({
      all: rest,
      tags: { tags: rest.tags },
      stale: { staleAt: -9e14 },
      cost: { cost: 12345 },
      old: { createdAt: -5, tags: { t: 'v' } },
    })) {
      await backend.set(item(key, 41, part))
      expect(await backend.increment?.(key, 1)).toBe(42)
      const found = await backend.get(key)
      expect(found).toEqual({ ...item(key, 42, part), version: found?.version })
      expect(found?.version).not.toBe('v1')
      expect(await backend.compareAndSet(key, 'v1', undefined)).toBe(false)
      expect(await backend.compareAndSet(key, found?.version, undefined)).toBe(true)
    }
  })

  it('is left to the cache with encryption, because Redis cannot add to an encrypted value', () => {
    const key = Buffer.alloc(32, 7)
    const sealed = openBackend({ url, prefix: ownPrefix(), encryption: { keys: [key] } })
    expect(sealed.increment).toBe(undefined)
  })

  it('beyond 2^53, written by another program, reads as a miss, and increment refuses it', async () => {
    const { backend, prefix, errors } = open()
    const redis = openRedis(url)
    await redis.set(`${prefix}n`, '9007199254740993')
    expect(await backend.get('n')).toBe(undefined)
    expect(errors.map(cacheErrorCode)).toEqual(['DAMAGED'])
    await expect(backend.increment?.('n', 1)).rejects.toMatchObject({ code: 'OUT_OF_RANGE' })
    expect(await redis.get(`${prefix}n`)).toBe('9007199254740993')
  })
})

describe('a foreign value under a key of the cache', () => {
  const foreign: Readonly<Record<string, (redis: ReturnType<typeof openRedis>, key: string) => Promise<unknown>>> = {
    'a text': (redis, key) => redis.set(key, 'text'),
    'an empty text': (redis, key) => redis.set(key, ''),
    'a number with a sign': (redis, key) => redis.set(key, '+5'),
    'a fraction': (redis, key) => redis.set(key, '1.5'),
    'a number with a zero in front': (redis, key) => redis.set(key, '007'),
    JSON: (redis, key) => redis.set(key, '{"value":1}'),
    'the first byte of a frame': (redis, key) => redis.set(key, '\u0001'),
    'a frame of nothing': (redis, key) => redis.set(key, Buffer.from([frame.formatVersion, 48, 64, 2, 65])),
    'a hash': (redis, key) => redis.hset(key, 'a', 1),
    'a list': (redis, key) => redis.rpush(key, 'a'),
    'a set': (redis, key) => redis.sadd(key, 'a'),
    'a stream': (redis, key) => redis.xadd(key, '*', 'a', 'b'),
  }

  it('is reported by the load that replaces it after a batched get missed it', async () => {
    const { backend, prefix, errors } = open()
    const redis = openRedis(url)
    const cache = new Cache({ backend })
    await redis.rpush(`${prefix}list`, 'a')
    await redis.hset(`${prefix}hash`, 'a', 1)
    await backend.set(item('ours', 1))
    // One MGET reads all three. It cannot tell a value of another type from an absent key.
    expect(await cache.getMany(['list', 'hash', 'ours'])).toEqual([undefined, undefined, 1])
    expect(errors).toEqual([])
    const load = (key: string): Promise<string> => cache.getOrSet(key, () => `loaded ${key}`)
    expect(await Promise.all([load('none'), load('hash'), load('list')])).toEqual([
      'loaded none',
      'loaded hash',
      'loaded list',
    ])
    expect(errors.map((error) => [cacheErrorCode(error), (error as CacheError).key]).sort()).toEqual([
      ['DAMAGED', 'hash'],
      ['DAMAGED', 'list'],
    ])
    expect((await backend.get('list'))?.value).toBe('loaded list')
    await cache.close()
  })

  for (const [name, make] of Object.entries(foreign)) {
    it(`reads as a miss with an error event, and every write replaces it: ${name}`, async () => {
      const { backend, prefix, errors } = open()
      const redis = openRedis(url)
      await make(redis, `${prefix}k`)
      expect(await backend.get('k')).toBe(undefined)
      expect(errors.map(cacheErrorCode)).toEqual(['DAMAGED'])
      expect(errors[0]).toMatchObject({ key: 'k', operation: 'get', backend: 'redis' })
      await backend.set(item('other', 1))
      expect(await backend.getMany(['k', 'other'])).toEqual([undefined, item('other', 1)])
      await expect(backend.increment?.('k', 1)).rejects.toMatchObject({ code: 'NOT_A_NUMBER' })
      expect(await backend.compareAndSet('k', 'v1', undefined)).toBe(false)
      expect(await backend.compareAndSet('k', undefined, item('k', 'ours'))).toBe(true)
      expect(await backend.get('k')).toEqual(item('k', 'ours'))

      await redis.del(`${prefix}k`)
      await make(redis, `${prefix}k`)
      await backend.set(item('k', 'set'))
      expect(await backend.get('k')).toEqual(item('k', 'set'))

      await redis.del(`${prefix}k`)
      await make(redis, `${prefix}k`)
      await backend.delete('k')
      expect(await redis.exists(`${prefix}k`)).toBe(0)

      await make(redis, `${prefix}k`)
      await backend.clear()
      expect(await redis.exists(`${prefix}k`)).toBe(0)
    })
  }
})

describe('a prefix or key', () => {
  it('with any characters clears only its own keys, by SCAN and without KEYS', async () => {
    const server = closeAfterTest(await startRedis())
    const redis = openRedis(server.url)
    const prefixes = ['a*', 'a?', 'a[b]', 'a\\', 'a^', 'a{x}', 'a%', 'ä', 'a b', 'ab', '*']
    const backends = prefixes.map((prefix) => openBackend({ url: server.url, prefix: `${prefix}|` }))
    for (const backend of backends) await backend.setMany(['x', 'y*', 'yz'].map((key) => item(key, 1)))
    await redis.set('a*', 'foreign')
    for (const [index, backend] of backends.entries()) {
      await backend.clear('y*')
      expect((await backend.getMany(['x', 'y*', 'yz'])).map((one) => one?.value)).toEqual([1, undefined, 1])
      await backend.clear()
      for (const [other, rest] of backends.entries()) {
        const left = (await rest.getMany(['x', 'yz'])).filter((one) => one !== undefined).length
        expect([prefixes[other], left]).toEqual([prefixes[other], other <= index ? 0 : 2])
      }
    }
    expect(await redis.keys('*')).toEqual(['a*'])
    const stats = await redis.info('commandstats')
    expect(stats).toMatch(/cmdstat_scan:/)
    // This test itself calls KEYS once, in the line above.
    expect(stats).toMatch(/cmdstat_keys:calls=1,/)
  })

  it('that ends in half a surrogate pair lists and clears the keys that continue it', async () => {
    const { backend } = open()
    for (const key of ['😀1', '😁2', '\ud83d', '\ud83e3']) await backend.set(item(key, key))
    const found: string[] = []
    for await (const key of backend.keys('\ud83d')) found.push(key)
    expect(found.sort()).toEqual(['\ud83d', '😀1', '😁2'].sort())
    await backend.clear('\ud83d')
    expect(await backend.getMany(['😀1', '😁2', '\ud83d'])).toEqual([undefined, undefined, undefined])
    expect((await backend.get('\ud83e3'))?.value).toBe('\ud83e3')
  })

  it('with a lone surrogate stays distinct from one with the replacement character U+FFFD', async () => {
    const { backend } = open()
    const keys = ['\ufffd', '\ud800', '\udfff', '\ud800\ud800', '\udc00\ud800', 'a\ufffdb', 'a\ud800b', '\ud800\udc00']
    for (const key of keys) await backend.set(item(key, key.length))
    expect((await backend.getMany(keys)).map((one) => one?.key)).toEqual(keys)
    const found: string[] = []
    for await (const key of backend.keys()) found.push(key)
    expect(found.sort()).toEqual([...keys].sort())
  })
})

describe('the clock of a machine', () => {
  it('R16: may be wrong by an hour, because Redis alone counts lifetimes down', async () => {
    const prefix = ownPrefix()
    const skewed = (by: number): RedisBackend => openBackend({ url, prefix, clock: { now: () => Date.now() + by } })
    const [early, late] = [skewed(-3_600_000), skewed(3_600_000)]
    await early.set(item('k', 1, { expiresAt: Date.now() - 3_600_000 + 300 }))
    expect((await late.get('k'))?.value).toBe(1)
    await waitUntil('the end of the lifetime', async () => (await late.get('k')) === undefined)
    expect(await early.get('k')).toBe(undefined)
  })
})

describe('a script', () => {
  it('runs again after SCRIPT FLUSH', async () => {
    const server = closeAfterTest(await startRedis())
    const backend = openBackend({ url: server.url })
    expect(await backend.increment?.('n', 1)).toBe(1)
    expect(await backend.delete('k')).toBe(false)
    await openRedis(server.url).script('FLUSH')
    expect(await backend.increment?.('n', 1)).toBe(2)
    await backend.set(item('k', 1))
    expect(await backend.compareAndSet('k', 'v1', item('k', 2))).toBe(true)
    expect(await backend.delete('k')).toBe(true)
  })
})

describe('a value', () => {
  it('of ten megabytes is read whole, beside a small value of the same tick', async () => {
    const { backend } = open({ timeout: 5000 })
    const large = Buffer.alloc(10_000_000, 'ab')
    await backend.set(item('large', large))
    await backend.set(item('small', 1))
    const [found, small] = await Promise.all([backend.get('large'), backend.get('small')])
    expect(Buffer.compare(found?.value as Buffer, large)).toBe(0)
    expect(small?.value).toBe(1)
  })

  it('that is compressed or encrypted is read back, and is not legible in Redis', async () => {
    const key = Buffer.alloc(32, 7)
    const secret = 'a secret that repeats, a secret that repeats, '.repeat(100)
    const compressed = open({ compression: { algorithm: 'gzip' } })
    await compressed.backend.set(item('k', secret))
    expect((await compressed.backend.get('k'))?.value).toBe(secret)
    const redis = openRedis(url)
    expect(await redis.strlen(`${compressed.prefix}k`)).toBeLessThan(secret.length / 4)
    const sealed = open({ encryption: { keys: [key] } })
    await sealed.backend.set(item('k', secret))
    expect((await sealed.backend.get('k'))?.value).toBe(secret)
    expect(String(await redis.getBuffer(`${sealed.prefix}k`))).not.toContain('secret')
    // A plain number of another program is foreign here.
    await redis.set(`${sealed.prefix}n`, '5')
    expect(await sealed.backend.get('n')).toBe(undefined)
    expect(await sealed.backend.compareAndSet('n', undefined, item('n', 6))).toBe(true)
    expect((await sealed.backend.get('n'))?.value).toBe(6)
  })
})

describe('a reply option of ioredis', () => {
  const ways: Readonly<Record<string, RedisOptions>> = {
    RESP2: { protocol: 2 },
    'RESP3 as it is': { protocol: 3, replyMapping: 'resp3' },
    'numbers as texts': { stringNumbers: true },
  }
  for (const [name, options] of Object.entries(ways)) {
    for (const from of ['an own connection', 'a client of the application']) {
      it(`changes no result: ${name}, ${from}`, async () => {
        const { backend } = from === 'an own connection' ? open({ options }) : open({ client: openRedis(url, options) })
        await backend.set(item('k', 1))
        expect(await backend.compareAndSet('k', 'another', item('k', 2))).toBe(false)
        expect(await backend.compareAndSet('k', undefined, item('k', 2))).toBe(false)
        expect(await backend.compareAndSet('k', 'v1', item('k', 2))).toBe(true)
        expect(await backend.increment?.('n', 1, Date.now() + 60_000)).toBe(1)
        expect((await backend.get('n'))?.expiresAt).toBeGreaterThan(Date.now())
        await backend.setMany(['a', 'b'].map((key) => item(key, key)))
        expect((await backend.getMany(['a', 'b', 'none'])).map((one) => one?.value)).toEqual(['a', 'b', undefined])
        const keys: string[] = []
        for await (const key of backend.keys()) keys.push(key)
        expect(keys.sort()).toEqual(['a', 'b', 'k', 'n'])
        expect(await backend.delete('a')).toBe(true)
        expect(await backend.deleteMany(['b', 'none'])).toBe(1)
      })
    }
  }
})

describe('stats', () => {
  it('omits the number of items beyond 10,000 keys', async () => {
    const server = closeAfterTest(await startRedis())
    const backend = openBackend({ url: server.url })
    await backend.setMany(Array.from({ length: 10_001 }, (_, index) => item(`k${index}`, index)))
    expect(await backend.stats()).toEqual({})
    await backend.delete('k0')
    expect(await backend.stats()).toEqual({ items: 10_000 })
  })
})

describe('an invalid option', () => {
  const client = { sendCommand: () => {}, duplicate: () => {}, options: {} }
  const refused: Readonly<Record<string, unknown>> = {
    'no options': undefined,
    'no address': {},
    'two addresses': { url, client },
    'a client with options': { client, options: { host: 'x' } },
    'a URL of another protocol': { url: 'postgres://host' },
    'an unknown option': { url, prefxi: 'typo' },
    'a prefix that is not a string': { url, prefix: 5 },
    'a prefix with a lone surrogate': { url, prefix: '\ud800' },
    'a timeout of zero': { url, timeout: 0 },
    'an infinite timeout': { url, timeout: Number.POSITIVE_INFINITY },
    'an unreadable timeout': { url, timeout: '5 minutes' },
    'a clock without now': { url, clock: {} },
    'a Cluster without nodes': { cluster: { nodes: [] } },
    'a client of another library': { client: { get: () => {} } },
    'keyPrefix of ioredis': { options: { keyPrefix: 'x' } },
    'a client with keyPrefix': { client: { ...client, options: { keyPrefix: 'x' } } },
    'a codec without its methods': { url, codec: {} },
    'reading from replicas': { cluster: { nodes: [{ host: 'x' }], options: { scaleReads: 'slave' } } },
    'a client that reads from replicas': { client: { ...client, options: { scaleReads: 'all' } } },
  }
  for (const [name, options] of Object.entries(refused)) {
    it(`is refused before a connection opens: ${name}`, () => {
      expect(() => new RedisBackend(options as RedisBackendOptions)).toThrow(
        expect.objectContaining({ name: 'CacheError', code: 'INVALID_ARGUMENT' }),
      )
    })
  }

  it('never puts the password of a URL into the message', () => {
    expect(() => new RedisBackend({ url: 'http://user:s3cret@host' })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('s3cret') }),
    )
  })
})
