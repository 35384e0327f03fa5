import type { BackendEvent, Item } from '@cache/core/backend'
import type {} from '@cache/workspace/redis-setup'
import { describe, expect, inject, it } from 'vitest'
import type { RedisBackend, RedisBackendOptions } from '../src/index.ts'
import { openBackend, openRedis, ownPrefix } from './resources.ts'

const url = inject('redisUrl')
const encryption = { keys: [Buffer.alloc(32, 7)] }
const minute = 60_000

function item(key: string, value: unknown, rest: Partial<Item> = {}): Item {
  return { key, value, version: 'v1', createdAt: 1, ...rest }
}

function open(options: Omit<RedisBackendOptions, 'client'>): { backend: RedisBackend; damaged: () => number } {
  const backend = openBackend({ url, encryption, ...options })
  const events: BackendEvent[] = []
  backend.listen((event) => events.push(event))
  return { backend, damaged: () => events.filter((one) => one.type === 'error' && one.error.code === 'DAMAGED').length }
}

/** What each kind of read finds. */
async function found(backend: RedisBackend, key: string): Promise<unknown[]> {
  const [one] = await backend.getMany([key, 'none'])
  const [gathered] = await Promise.all([backend.get('none'), backend.get(key)].reverse())
  return [(await backend.get(key))?.value, one?.value, gathered?.value]
}

describe('a sealed item', () => {
  it('is not served after its sealed lifetime and the clock tolerance, whatever the expiry in Redis', async () => {
    const prefix = ownPrefix()
    const redis = openRedis(url)
    const start = Date.now()
    let now = start
    const clock = { now: () => now }
    const { backend, damaged } = open({ prefix, clock })
    const strict = open({ prefix, clock, encryption: { ...encryption, clockTolerance: 0 } })
    await backend.set(item('k', 'sealed', { expiresAt: start + minute }))
    const bytes = (await redis.getBuffer(`${prefix}k`)) as Buffer
    expect(await redis.persist(`${prefix}k`)).toBe(1)
    now = start + minute
    expect(await found(backend, 'k')).toEqual(['sealed', 'sealed', 'sealed'])
    expect(await found(strict.backend, 'k')).toEqual([undefined, undefined, undefined])
    now = start + 2 * minute - 1
    expect(await found(backend, 'k')).toEqual(['sealed', 'sealed', 'sealed'])
    expect(damaged()).toBe(0)
    now = start + 2 * minute
    expect(await found(backend, 'k')).toEqual([undefined, undefined, undefined])
    await redis.unlink(`${prefix}k`)
    await redis.set(`${prefix}k`, bytes)
    expect(await found(backend, 'k')).toEqual([undefined, undefined, undefined])
    expect(damaged()).toBe(6)
    // The bytes count as absent for a conditional write.
    expect(await backend.compareAndSet('k', undefined, item('k', 'next'))).toBe(true)
    expect(await found(backend, 'k')).toEqual(['next', 'next', 'next'])
  })

  it('cannot be moved to another prefix, database or context', async () => {
    const [prefix, other] = [ownPrefix(), ownPrefix()]
    const { backend } = open({ prefix })
    await backend.set(item('k', 'sealed'))
    const bytes = (await openRedis(url).getBuffer(`${prefix}k`)) as Buffer
    const places = [
      [0, { prefix: other }],
      [1, { prefix, options: { db: 1 } }],
      [0, { prefix, encryption: { ...encryption, context: 'staging' } }],
    ] as const
    for (const [db, options] of places) {
      await openRedis(url, { db }).set(`${options.prefix}k`, bytes)
      const moved = open(options)
      expect(await found(moved.backend, 'k')).toEqual([undefined, undefined, undefined])
      expect(moved.damaged()).toBe(3)
    }
    // The same place by other names of it.
    const { hostname, port } = new URL(url)
    for (const options of [{ url: `${url}/0` }, { url: `${url}?db=0` }, { options: { db: 0 } }]) {
      expect(await found(open({ prefix, ...options }).backend, 'k')).toEqual(['sealed', 'sealed', 'sealed'])
    }
    const client = openRedis(`redis://${hostname}:${port}`)
    expect((await openBackend({ client, prefix, encryption }).get('k'))?.value).toBe('sealed')
    const inDatabase1 = openRedis(`redis://${hostname}:${port}/1`)
    expect(await openBackend({ client: inDatabase1, prefix, encryption }).get('k')).toBe(undefined)
  })
})
