import { Cache } from '@cache/core'
import type { Item } from '@cache/core/backend'
import { describe, expect, it } from 'vitest'
import { type Node, Rig, settled } from './rig.ts'

const tag = '@#:t'
const lock = '@!:l'
const limit = '@~:r'

/** The record of the tag in this version, as the cache stores it. */
function record(rig: Rig, value: string): Item {
  return rig.item(tag, value)
}

async function tagged(rig: Rig, { cache }: Node): Promise<Item> {
  await cache.set(record(rig, 'v1'))
  const item = rig.item('k', 1, { tags: { [tag]: 'v1' } })
  await cache.set(item)
  return item
}

describe('records of the cache itself', () => {
  it('are never copied near', async () => {
    const rig = new Rig()
    const { cache, near } = await rig.node(rig.far())
    for (const key of [tag, lock, limit]) {
      await cache.set(rig.item(key, 'v'))
      await cache.get(key)
      await cache.getMany([key])
      await cache.setMany([rig.item(key, 'w')])
      expect(await cache.delete(key)).toBe(true)
      expect(await cache.deleteMany([key])).toBe(0)
    }
    expect((await near.stats()).items).toBe(0)
  })

  it('locks and rate limits are answered by the last layer every time, and announced to nobody', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far)
    for (const key of [lock, limit]) {
      await cache.compareAndSet?.(key, undefined, rig.item(key, 1))
      far.calls.splice(0)
      expect(cache.near.get(key)).toBe(undefined)
      await cache.get(key)
      await cache.get(key)
      await cache.increment?.(key, 1)
      await cache.delete(key)
      expect(far.calls).toEqual([`get ${key}`, `get ${key}`, `increment ${key}`, `delete ${key}`])
    }
    expect(rig.bus.published).toEqual([])
  })

  it('the record of a tag is remembered for the window and then asked for again', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far, { tagWindow: 500 })
    await rig.store.set(record(rig, 'v1'))
    expect((await cache.get(tag))?.value).toBe('v1')
    expect(cache.near.get(tag)?.value).toBe('v1')
    rig.clock.advance(499)
    expect(cache.near.get(tag)?.value).toBe('v1')
    expect((await cache.getMany([tag]))[0]?.value).toBe('v1')
    rig.clock.advance(1)
    expect(cache.near.get(tag)).toBe(undefined)
    await rig.store.set(record(rig, 'v2'))
    expect((await cache.get(tag))?.value).toBe('v2')
    expect(rig.clock.timers).toBe(1)
    rig.clock.advance(500)
    expect(rig.clock.timers).toBe(0)
  })

  it('the record of a tag is remembered no longer than it lives', async () => {
    const rig = new Rig()
    const { cache } = await rig.node(rig.far(), { tagWindow: 500 })
    await cache.set(rig.item(tag, 'v1', { expiresAt: rig.clock.now() + 200 }))
    expect(cache.near.get(tag)?.value).toBe('v1')
    rig.clock.advance(200)
    expect(cache.near.get(tag)).toBe(undefined)
    expect(await cache.get(tag)).toBe(undefined)
  })

  it('a tagWindow of 0 remembers nothing', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far, { tagWindow: 0 })
    await cache.set(record(rig, 'v1'))
    await cache.get(tag)
    await cache.get(tag)
    expect(cache.near.get(tag)).toBe(undefined)
    expect(far.calls.filter((call) => call.startsWith('get'))).toHaveLength(2)
  })

  it('a tag that this process changes is known at once, and one that another changes when the bus tells', async () => {
    const rig = new Rig()
    const one = (await rig.node(rig.far())).cache
    const two = (await rig.node(rig.far())).cache
    const change = {
      set: () => one.set(record(rig, 'v2')),
      setMany: () => one.setMany([record(rig, 'v2')]),
      compareAndSet: async () => one.compareAndSet?.(tag, (await rig.store.get(tag))?.version, record(rig, 'v2')),
      delete: () => one.delete(tag),
      clear: () => one.clear(),
    }
    for (const [name, run] of Object.entries(change)) {
      await one.set(record(rig, 'v1'))
      for (const node of [one, two]) expect((await node.get(tag))?.value).toBe('v1')
      await run()
      for (const node of [one, two]) {
        expect((await node.get(tag))?.value).toBe(name === 'delete' || name === 'clear' ? undefined : 'v2')
      }
    }
  })

  it('a record that was read before it changed is not remembered after', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far)
    await rig.store.set(record(rig, 'v1'))
    const held = far.holdAfter('getMany')
    const reading = cache.get(tag)
    await held.reached
    await cache.set(record(rig, 'v2'))
    held.open()
    expect((await reading)?.value).toBe('v1')
    expect((await cache.get(tag))?.value).toBe('v2')
  })

  it('of two changes of a record at once none is remembered', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far)
    const held = far.holdBefore('set')
    const setting = cache.set(record(rig, 'v1'))
    await held.reached
    await cache.set(record(rig, 'v2'))
    held.open()
    await setting
    expect(cache.near.get(tag)).toBe(undefined)
    expect((await cache.get(tag))?.value).toBe('v1')
  })
})

describe('a near hit with tags', () => {
  const load = { a: (): string => 'loaded again' }

  async function hitTwice(rig: Rig, { cache: backend }: Node): Promise<Cache> {
    const cache = new Cache({ backend, ttl: '1h', clock: rig.clock })
    await cache.set('k', 'first', { tags: ['t', 'u'] })
    // The second is served by what the first remembered of the tags.
    for (let hit = 0; hit < 2; hit += 1) expect(await cache.getOrSet('k', load.a)).toBe('first')
    return cache
  }

  it('looks its tags up once for as long as they are remembered', async () => {
    const rig = new Rig()
    const node = await rig.node(rig.far())
    const { near } = node.cache
    let asked = 0
    Object.defineProperty(node.cache, 'near', {
      value: {
        get: (key: string) => {
          if (key.startsWith('@')) asked += 1
          return near.get(key)
        },
        generation: () => near.generation?.(),
      },
    })
    const cache = await hitTwice(rig, node)
    expect(asked).toBe(2)
    // The first brings records that were not there, the second changes them.
    for (const expected of [2, 4]) {
      await cache.deleteByTag('unrelated')
      expect(await cache.get('k')).toBe('first')
      expect(asked).toBe(expected)
    }
  })

  it('R31 does not believe what a near layer holds under the key of a record', async () => {
    const rig = new Rig()
    const node = await rig.node(rig.far())
    const cache = await hitTwice(rig, node)
    const old = await node.cache.get('@#:u')
    await cache.deleteByTag('u')
    await node.near.set(old as Item)
    expect(node.cache.near.get('@#:u')?.value).not.toBe(old?.value)
    expect(await cache.get('k')).toBe(undefined)
  })

  it('R4 R14 does not outlive a change of a tag, the window, or the connection', async () => {
    const rig = new Rig()
    const changes: Record<string, (one: Node, other: Cache) => unknown> = {
      'this process invalidates': (one) => new Cache({ backend: one.cache, clock: rig.clock }).deleteByTag('u'),
      'another process invalidates': (_one, other) => other.deleteByTag('u'),
      'the record is lost': async () => {
        await rig.store.delete('@#:u')
        rig.clock.advance(1000)
      },
    }
    for (const [name, change] of Object.entries(changes)) {
      const one = await rig.node(rig.far())
      const other = new Cache({ backend: (await rig.node(rig.far())).cache, clock: rig.clock })
      const cache = await hitTwice(rig, one)
      await change(one, other)
      await settled()
      expect(await cache.get('k'), name).toBe(undefined)
    }
  })
})

describe('a near copy with tags', () => {
  it('is served near without asking while its tags are remembered', async () => {
    const rig = new Rig()
    const far = rig.far()
    const node = await rig.node(far)
    const item = await tagged(rig, node)
    far.calls.splice(0)
    expect(node.cache.near.get('k')).toEqual(item)
    expect(node.cache.near.get(tag)?.value).toBe('v1')
    expect(await node.cache.get('k')).toEqual(item)
    expect(await node.cache.getMany(['k', 'k'])).toEqual([item, item])
    expect(far.calls).toEqual([])
  })

  it('is served near after one question for its tags when they are not remembered', async () => {
    const rig = new Rig()
    const far = rig.far()
    const node = await rig.node(far, { tagWindow: 100 })
    const item = await tagged(rig, node)
    const other = { ...item, key: 'l' }
    await node.cache.set(other)
    rig.clock.advance(100)
    far.calls.splice(0)
    expect(await node.cache.getMany(['k', 'l'])).toEqual([item, other])
    expect(far.calls).toEqual([`getMany ${tag}`])
  })

  it('is not served when its tag changed, and the newer far item is', async () => {
    const rig = new Rig()
    const far = rig.far()
    const node = await rig.node(far, { tagWindow: 100 })
    await tagged(rig, node)
    await rig.store.set(record(rig, 'v2'))
    const newer = rig.item('k', 2, { tags: { [tag]: 'v2' } })
    await rig.store.set(newer)
    rig.clock.advance(100)
    expect(await node.cache.get('k')).toEqual(newer)
    expect(node.cache.near.get('k')).toEqual(newer)
    expect(node.cache.near.get(tag)?.value).toBe('v2')
  })

  it('R31: reads as invalid when the record of its tag is lost, near as well as far', async () => {
    const rig = new Rig()
    const cache = new Cache({ backend: (await rig.node(rig.far(), { tagWindow: 100 })).cache, clock: rig.clock })
    await cache.set('k', 1, { tags: ['t'] })
    expect(await cache.get('k')).toBe(1)
    for await (const key of rig.store.keys('@#')) await rig.store.delete(key)
    rig.clock.advance(100)
    expect(await cache.get('k')).toBe(undefined)
    await cache.close()
  })

  it('whose tag is known to have changed is dropped rather than read in vain every time', async () => {
    const rig = new Rig()
    const node = await rig.node(rig.far())
    const item = await tagged(rig, node)
    await node.cache.set(record(rig, 'v2'))
    expect(await node.cache.get('k')).toEqual(item)
    expect(node.near.sync.get('k')).toBe(undefined)
    expect(await node.cache.get('k')).toEqual(item)
    expect(node.near.sync.get('k')).toBe(undefined)
  })

  it('a remembered record that contradicts a newer far item is asked for again before the item counts as invalid', async () => {
    const rig = new Rig()
    const node = await rig.node(rig.far(), { tagWindow: '1m' })
    await node.cache.set(record(rig, 'v1'))
    await rig.store.set(record(rig, 'v2'))
    const item = rig.item('k', 2, { tags: { [tag]: 'v2' } })
    await rig.store.set(item)
    expect(await node.cache.get('k')).toEqual(item)
    expect(node.cache.near.get(tag)?.value).toBe('v2')
    expect(node.cache.near.get('k')).toEqual(item)
  })

  it('R14: while the subscriber is disconnected an invalidation by another process is seen at once', async () => {
    const rig = new Rig()
    const [one, two] = [await rig.node(rig.far()), await rig.node(rig.far(), { tagWindow: '1h' })]
    const [first, second] = [one, two].map(({ cache }) => new Cache({ backend: cache, clock: rig.clock })) as [
      Cache,
      Cache,
    ]
    for (const [value, connected] of [
      [1, false],
      [2, false],
      [3, true],
    ] as const) {
      await first.set('k', value, { tags: ['t'] })
      expect(await second.get('k')).toBe(value)
      expect(await second.get('k')).toBe(value)
      if (!connected) rig.bus.disconnect(1)
      await first.deleteByTag('t')
      expect(await second.get('k')).toBe(undefined)
      await first.set('k', value, { tags: ['t'] })
      // What is read meanwhile is not remembered either.
      expect(await second.get('k')).toBe(value)
      await first.deleteByTag('t')
      expect(await second.get('k')).toBe(undefined)
      if (!connected) rig.bus.reconnect(1)
    }
  })

  it('R14: no record is remembered before the first subscription stands', async () => {
    const rig = new Rig()
    rig.bus.subscribing = 'fails'
    const node = await rig.node(rig.far(), { tagWindow: '1h' })
    await rig.store.set(record(rig, 'v1'))
    expect((await node.cache.get(tag))?.value).toBe('v1')
    expect(node.cache.near.get(tag)).toBe(undefined)
    await node.cache.close()
  })

  it('an invalidation by one process is seen by the other at once over the bus, and without it after the window', async () => {
    const rig = new Rig()
    const [one, two] = [await rig.node(rig.far()), await rig.node(rig.far())]
    const caches = [one, two].map(({ cache }) => new Cache({ backend: cache, clock: rig.clock }))
    const [first, second] = caches as [Cache, Cache]
    await first.set('k', 1, { tags: ['t'] })
    expect(await second.get('k')).toBe(1)
    expect(await second.get('k')).toBe(1)
    await first.deleteByTag('t')
    expect(await first.get('k')).toBe(undefined)
    expect(await second.get('k')).toBe(undefined)

    await first.set('k', 2, { tags: ['t'] })
    expect(await second.get('k')).toBe(2)
    rig.bus.holding = true
    await first.deleteByTag('t')
    expect(await second.get('k')).toBe(2)
    rig.clock.advance(1000)
    expect(await second.get('k')).toBe(undefined)
    for (const cache of caches) await cache.close()
    await settled()
  })
})
