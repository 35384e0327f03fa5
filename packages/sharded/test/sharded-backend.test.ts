import { type CacheBackend, createVersion, type Item } from '@cache/core/backend'
import { BreakpointBackend } from '@cache/core/conformance'
import { MemoryBackend } from '@cache/memory'
import { describe, expect, it } from 'vitest'
import { ShardedBackend, type ShardedOptions } from '../src/index.ts'
import { Placement } from '../src/placement.ts'

const keys = Array.from({ length: 30_000 }, (_, index) => `user:${index}`)

function store(): BreakpointBackend {
  return new BreakpointBackend(new MemoryBackend({ maxEntries: 100_000 }))
}

function item(key: string, value: unknown): Item {
  return { key, value, version: createVersion(), createdAt: 0 }
}

/** The names of the shards that hold these keys. */
function placed(names: readonly string[]): string[] {
  const placement = new Placement(names)
  return keys.map((key) => names[placement.of(key)] as string)
}

describe('the placement of keys', () => {
  it('is the same in every process and every release', () => {
    const placement = new Placement(['a', 'b', 'c', 'd'])
    const some = ['', 'a', 'user:1', 'user:2', 'é', '\ud800', '@#:tag', 'x'.repeat(300)]
    expect(some.map((key) => placement.of(key))).toEqual([3, 2, 1, 2, 2, 1, 2, 1])
  })

  it('gives each shard its share, within a twentieth', () => {
    for (const count of [2, 3, 8]) {
      const held = placed(Array.from({ length: count }, (_, index) => `redis-${index}`))
      const share = keys.length / count
      for (const name of new Set(held))
        expect(Math.abs(held.filter((one) => one === name).length - share) / share, name).toBeLessThan(0.05)
    }
  })

  it('moves keys to a shard that is added, and no other key; and back when it is removed', () => {
    const before = placed(['a', 'b', 'c'])
    const after = placed(['a', 'b', 'c', 'd'])
    const moved = keys.filter((_, index) => before[index] !== after[index])
    expect(after.filter((name) => name === 'd').length).toBe(moved.length)
    expect(Math.abs(moved.length / keys.length - 1 / 4)).toBeLessThan(0.01)
  })

  it('goes by names, in whatever order they are given', async () => {
    const [a, b] = [store(), store()]
    const one = new ShardedBackend({ shards: { a, b } })
    const other = new ShardedBackend({ shards: { b, a } })
    for (const key of keys.slice(0, 100)) await one.set(item(key, 1))
    expect((await other.getMany(keys.slice(0, 100))).every((found) => found?.value === 1)).toBe(true)
  })
})

describe('a shard that fails', () => {
  it('costs its own keys alone; calls that need it reject, and do all that can be done', async () => {
    const [a, b] = [store(), store()]
    const backend = new ShardedBackend({ shards: { a, b } })
    const placement = new Placement(['a', 'b'])
    const inA = keys.filter((key) => placement.of(key) === 0).slice(0, 3)
    const inB = keys.filter((key) => placement.of(key) === 1).slice(0, 3)
    await backend.setMany([...inA, ...inB].map((key) => item(key, 1)))
    b.broken = true
    expect((await backend.getMany(inA)).map((found) => found?.value)).toEqual([1, 1, 1])
    const [alive, dead] = [inA[0] as string, inB[0] as string]
    expect(await backend.delete(alive)).toBe(true)
    await expect(backend.get(dead)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(backend.getMany([alive, dead])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(backend.deleteMany([inA[1] as string, dead])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(backend.clear()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await a.get(inA[2] as string)).toBe(undefined)
    b.broken = false
    expect((await backend.get(dead))?.value).toBe(1)
  })
})

describe('ShardedBackend', () => {
  it('has compareAndSet, increment, keys and near only where all shards have them', () => {
    const four: CacheBackend = {
      name: 'four',
      get: async () => undefined,
      set: async () => {},
      delete: async () => false,
      clear: async () => {},
    }
    const backend = new ShardedBackend({ shards: { a: store(), b: four } })
    expect([backend.compareAndSet, backend.increment, backend.keys, backend.near]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  })

  it('R33 R36 waits at close for calls in flight, and closes the shards unless closeParts is false', async () => {
    for (const closeParts of [false, true]) {
      const [a, b] = [store(), store()]
      const backend = new ShardedBackend({ shards: { a, b }, closeParts })
      const held = [a.holdBefore('set'), b.holdBefore('set')]
      let done = false
      const setting = backend.set(item('k', 1)).then(() => {
        done = true
      })
      const closing = backend.close().then(() => expect(done).toBe(true))
      for (const one of held) one.open()
      await Promise.all([setting, closing])
      const shards = await Promise.allSettled([a.get('k'), b.get('k')])
      expect(shards.every(({ status }) => status === (closeParts ? 'rejected' : 'fulfilled'))).toBe(true)
      await expect(backend.get('k')).rejects.toMatchObject({ code: 'CLOSED', operation: 'get', key: 'k' })
    }
  })

  const one = store()

  it.each([
    [{}, /shards must be an object of two backends or more/],
    [{ shards: [one, store()] }, /shards must be an object of two backends or more/],
    [{ shards: { a: one } }, /shards must be an object of two backends or more/],
    [{ shards: { a: one, b: one } }, /shards must be different backends/],
    [{ shards: { a: one, b: {} } }, /shards.b must be a backend/],
    [{ shards: { a: one, b: store() }, closeParts: 1 }, /closeParts must be true or false/],
    [{ shards: { a: one, b: store() }, replicas: 2 }, /unknown option 'replicas'/],
  ])('refuses %o', (options, message) => {
    const make = (): ShardedBackend => new ShardedBackend(options as unknown as ShardedOptions)
    expect(make).toThrow(message)
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})
