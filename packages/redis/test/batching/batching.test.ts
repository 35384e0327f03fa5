import { cacheErrorCode, type Item } from '@cache/core/backend'
import { startRedis } from '@cache/workspace'
import type {} from '@cache/workspace/redis-setup'
import { describe, expect, inject, it } from 'vitest'
import type { RedisBackend } from '../../src/index.ts'
import { closeAfterTest, openBackend, openRedis, ownPrefix } from '../resources.ts'

const url = inject('redisUrl')

function item(key: string, value: unknown, rest: Partial<Item> = {}): Item {
  return { key, value, version: 'v1', createdAt: 1, ...rest }
}

function open(): { backend: RedisBackend; prefix: string } {
  const prefix = ownPrefix()
  return { backend: openBackend({ url, prefix }), prefix }
}

describe('the operations of one tick', () => {
  it('take effect in the order of their calls without an await in between', async () => {
    const { backend } = open()
    const results = await Promise.all([
      backend.set(item('a', 1)),
      backend.get('a'),
      backend.delete('a'),
      backend.set(item('b', 1)),
      backend.set(item('b', 2, { version: 'v2' })),
      backend.compareAndSet('b', 'v2', item('b', 3)),
      backend.set(item('c', 'x'.repeat(10_000))),
      backend.set(item('c', 'small')),
      backend.set(item('d', 'small')),
      backend.set(item('d', 'x'.repeat(10_000))),
      backend.set(item('e', 1)),
      backend.deleteMany(['e']),
      backend.set(item('f', 1)),
      backend.increment?.('f', 1),
      backend.setMany([item('g', 1)]),
      backend.set(item('g', 2)),
      backend.increment?.('h', 1),
      backend.increment?.('h', 2),
      backend.set(item('h', 10)),
      backend.increment?.('h', 5),
      backend.get('h'),
    ])
    expect(results[2]).toBe(true)
    expect(results[5]).toBe(true)
    expect(results[11]).toBe(1)
    expect(results[13]).toBe(2)
    expect([results[16], results[17], results[19]]).toEqual([1, 3, 15])
    expect((results[20] as Item).value).toBe(15)
    const found = await backend.getMany(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
    expect(found.map((one) => one?.value)).toEqual([undefined, 3, 'small', 'x'.repeat(10_000), undefined, 2, 2, 15])
  })

  it('request each key once, in one command after the first, and give each caller its own value', async () => {
    const server = closeAfterTest(await startRedis())
    const backend = openBackend({ url: server.url })
    const redis = openRedis(server.url)
    await backend.set(item('a', { list: [1] }))
    await backend.set(item('b', { list: [2] }))
    await redis.config('RESETSTAT')
    const ask = (keys: readonly string[]): Promise<(Item | undefined)[]> =>
      Promise.all(keys.map((key) => backend.get(key)))
    // The first get leaves unbatched.
    const [first, second, third] = await ask(['a', 'a', 'b', 'c', 'b'])
    const before = await redis.info('commandstats')
    expect(before).toMatch(/cmdstat_get:calls=1,/)
    expect(before).toMatch(/cmdstat_mget:calls=1,/)
    // After several gets in one tick, all gets of the next tick share one command.
    await ask(['a', 'b', 'a'])
    const stats = await redis.info('commandstats')
    expect(stats).toMatch(/cmdstat_mget:calls=2,/)
    expect(stats).toMatch(/cmdstat_get:calls=1,/)
    const list = (first?.value as { list: number[] } | undefined)?.list
    list?.push(9)
    expect(list).toEqual([1, 9])
    expect(second?.value).toEqual({ list: [1] })
    expect(third?.value).toEqual({ list: [2] })
  })

  it('never return a value from before a write that precedes the get', async () => {
    const { backend } = open()
    await backend.set(item('a', 1))
    const [old, , current] = await Promise.all([backend.get('a'), backend.set(item('a', 2)), backend.get('a')])
    expect([old?.value, current?.value]).toEqual([1, 2])
    const [, , deleted] = await Promise.all([backend.get('a'), backend.delete('a'), backend.get('a')])
    expect(deleted).toBe(undefined)
  })

  it('return to a single caller the result of each kind of write that precedes the get', async () => {
    const writes: Readonly<Record<string, (backend: RedisBackend) => unknown>> = {
      set: (backend) => backend.set(item('a', 2)),
      setMany: (backend) => backend.setMany([item('a', 2)]),
      compareAndSet: (backend) => backend.compareAndSet('a', 'v1', item('a', 2)),
      increment: (backend) => backend.increment?.('a', 1),
      delete: (backend) => backend.delete('a'),
      deleteMany: (backend) => backend.deleteMany(['a']),
    }
    const removing = ['delete', 'deleteMany']
    for (const [name, write] of Object.entries(writes)) {
      const expected = removing.includes(name) ? undefined : 2
      const { backend } = open()
      // No tick has had more than one request, so the first get of the next tick leaves unbatched.
      await backend.set(item('a', 1))
      const [before, , after] = await Promise.all([backend.get('a'), write(backend), backend.get('a')])
      expect([name, before?.value, after?.value]).toEqual([name, 1, expected])
      const { backend: other } = open()
      await other.set(item('a', 1))
      const [, found] = await Promise.all([write(other), other.get('a')])
      expect([name, found?.value]).toEqual([name, expected])
    }
  })

  it('leave before the end of the tick when they are many, after the sets that precede them', async () => {
    const { backend } = open()
    const keys = Array.from({ length: 300 }, (_, index) => `k${index}`)
    await backend.setMany(keys.map((key) => item(key, 'old')))
    const calls = keys.flatMap((key) => [backend.set(item(key, 'new')), backend.get(key)])
    const found = (await Promise.all(calls)).filter((_, index) => index % 2 === 1)
    expect(new Set(found.map((one) => (one as Item | undefined)?.value))).toEqual(new Set(['new']))
  })

  it('store many items in one script, each with its own lifetime', async () => {
    const server = closeAfterTest(await startRedis())
    const backend = openBackend({ url: server.url })
    const redis = openRedis(server.url)
    await backend.set(item('warm', 1))
    await redis.config('RESETSTAT')
    const now = Date.now()
    await Promise.all([
      backend.set(item('forever', 1)),
      backend.set(item('minute', 1, { expiresAt: now + 60_000 })),
      backend.set(item('hour', 1, { expiresAt: now + 3_600_000 })),
      backend.set(item('over', 1, { expiresAt: now - 1 })),
    ])
    const stats = await redis.info('commandstats')
    expect(stats).toMatch(/cmdstat_eval(sha)?:calls=1,/)
    expect(await redis.pttl('cache:forever')).toBe(-1)
    expect(Math.round((await redis.pttl('cache:minute')) / 60_000)).toBe(1)
    expect(Math.round((await redis.pttl('cache:hour')) / 3_600_000)).toBe(1)
    expect(await redis.exists('cache:over')).toBe(0)
  })

  it('store the lifetime that is left when they leave', async () => {
    const redis = openRedis(url)
    const writes: Readonly<Record<string, (backend: RedisBackend, one: Item) => unknown>> = {
      set: (backend, one) => backend.set(one),
      sets: (backend, one) =>
        Promise.all([backend.set(item('other', 1)), backend.set(item('more', 1)), backend.set(one)]),
      setMany: (backend, one) => backend.setMany([item('other', 1), one]),
      compareAndSet: (backend, one) => backend.compareAndSet(one.key, undefined, one),
      increment: (backend, one) => backend.increment?.(one.key, 1, one.expiresAt),
    }
    for (const [name, write] of Object.entries(writes)) {
      let now = 1000
      const prefix = ownPrefix()
      const backend = openBackend({ url, prefix, clock: { now: () => now } })
      // The commands wait for the connection, which does not exist yet.
      const done = write(backend, item('k', 1, { expiresAt: 121_000 }))
      now = 61_000
      await done
      expect([name, Math.round((await redis.pttl(`${prefix}k`)) / 10_000)]).toEqual([name, 6])
    }
  })

  it('fail one by one: a value that cannot be encoded fails only its own set', async () => {
    const { backend } = open()
    const outcomes = await Promise.allSettled([
      backend.set(item('a', 1)),
      backend.set(item('b', () => 1)),
      backend.set(item('c', 3)),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect((await backend.getMany(['a', 'b', 'c'])).map((one) => one?.value)).toEqual([1, undefined, 3])
  })

  it('increment many counters in one script, each with its own outcome and lifetime', async () => {
    const { backend, prefix } = open()
    const redis = openRedis(url)
    await backend.set(item('text', 'text'))
    await backend.set(item('max', Number.MAX_SAFE_INTEGER))
    const outcomes = await Promise.allSettled([
      backend.increment?.('a', 1),
      backend.increment?.('text', 1),
      backend.increment?.('max', 1),
      backend.increment?.('a', 1, Date.now() + 60_000),
      backend.increment?.('b', -7, Date.now() + 60_000),
    ])
    expect(
      outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : cacheErrorCode(outcome.reason))),
    ).toEqual([1, 'NOT_A_NUMBER', 'OUT_OF_RANGE', 2, -7])
    expect(await redis.pttl(`${prefix}a`)).toBe(-1)
    expect(Math.round((await redis.pttl(`${prefix}b`)) / 60_000)).toBe(1)
  })

  it('share a command again after huge values are followed by small ones', async () => {
    const server = closeAfterTest(await startRedis())
    const backend = openBackend({ url: server.url, timeout: 10_000 })
    const redis = openRedis(server.url)
    const huge = ['a', 'b', 'c', 'd']
    for (const key of huge) await backend.set(item(key, 'x'.repeat(3_000_000)))
    for (let count = 0; count < 4; count++) await backend.getMany(huge)
    const small = Array.from({ length: 20 }, (_, index) => `small ${index}`)
    const ask = (): Promise<unknown> => Promise.all(small.map((key) => backend.get(key)))
    for (let count = 0; count < 10; count++) await ask()
    await redis.config('RESETSTAT')
    await ask()
    const stats = await redis.info('commandstats')
    expect(Number(/cmdstat_mget:calls=(\d+),/.exec(stats)?.[1] ?? 0)).toBe(1)
  })

  it('may be many: 1,500 gets and sets at once', async () => {
    const { backend } = open()
    const keys = Array.from({ length: 1500 }, (_, index) => `k${index}`)
    await Promise.all(keys.map((key, index) => backend.set(item(key, index))))
    const found = await Promise.all(keys.map((key) => backend.get(key)))
    expect(found.map((one) => one?.value)).toEqual(keys.map((_, index) => index))
  })
})
