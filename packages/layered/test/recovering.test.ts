import { Cache } from '@cache/core'
import type { Item } from '@cache/core/backend'
import { describe, expect, it } from 'vitest'
import { Rig, settled } from './rig.ts'

describe('a far delete that fails', () => {
  it('R11: rejects without a recovery queue', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far)
    await cache.set(rig.item('k', 1))
    far.failing.add('delete')
    await expect(cache.delete('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect((await cache.get('k'))?.value).toBe(1)
  })

  it('R11: waits in the recovery queue, reads as missing, is retried with backoff, and is announced when it is done', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, events } = await rig.node(far, { recovery: { retryDelay: 100, maxRetryDelay: 400 } })
    const other = (await rig.node(rig.far())).cache
    await cache.setMany([rig.item('k', 1), rig.item('l', 2)])
    await other.get('k')
    far.failing.add('delete')
    far.failing.add('deleteMany')
    expect(await cache.delete('k')).toBe(true)
    expect(await cache.deleteMany(['l', 'm'])).toBe(1)
    expect(await cache.get('k')).toBe(undefined)
    expect(cache.near.get('k')).toBe(undefined)
    expect(await cache.getMany(['k', 'l'])).toEqual([undefined, undefined])
    const keys: string[] = []
    for await (const key of cache.keys?.() ?? []) keys.push(key)
    expect(keys).toEqual([])
    expect((await cache.stats()).pendingDeletes).toBe(3)
    expect(other.near.get('k')?.value).toBe(1)

    far.calls.splice(0)
    for (const wait of [100, 200, 400, 400]) {
      rig.clock.advance(wait - 1)
      await settled()
      expect(far.calls).toEqual([])
      rig.clock.advance(1)
      await settled()
      expect(far.calls.splice(0)).toEqual(['delete k'])
    }
    far.failing.clear()
    rig.clock.advance(400)
    await settled()
    expect(far.calls).toEqual(['delete k', 'delete l', 'delete m'])
    expect(await rig.store.get('k')).toBe(undefined)
    expect(await other.get('k')).toBe(undefined)
    expect(events.filter(({ type }) => type === 'recovery')).toEqual([
      { type: 'recovery', state: 'started', pending: 1 },
      { type: 'recovery', state: 'drained', pending: 0 },
    ])
    expect(rig.clock.timers).toBe(0)
  })

  it('R11: rejects when the queue is full, and the queue tells so', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, events } = await rig.node(far, { recovery: { maxPending: 2 } })
    far.failing.add('delete')
    far.failing.add('deleteMany')
    await cache.delete('a')
    await expect(cache.deleteMany(['b', 'c'])).rejects.toMatchObject({ code: 'QUEUE_FULL', operation: 'delete' })
    expect(await cache.deleteMany(['a', 'b'])).toBe(0)
    await expect(cache.delete('c')).rejects.toMatchObject({ code: 'QUEUE_FULL', cause: { code: 'UNAVAILABLE' } })
    expect(events.filter(({ type }) => type === 'recovery')).toEqual([
      { type: 'recovery', state: 'started', pending: 1 },
      { type: 'recovery', state: 'overflowed', pending: 1 },
      { type: 'recovery', state: 'overflowed', pending: 2 },
    ])
  })

  it('R11: a read of the old item that was under way is not promoted', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, near } = await rig.node(far, { recovery: {} })
    await rig.store.set(rig.item('k', 'old'))
    const held = far.holdAfter('get')
    const reading = cache.get('k')
    await held.reached
    far.failing.add('delete')
    expect(await cache.delete('k')).toBe(false)
    held.open()
    await reading
    expect(near.sync.get('k')).toBe(undefined)
    expect(await cache.get('k')).toBe(undefined)
  })

  it('a write over a delete that waits does the delete first, so that no late retry removes what was written', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far, { recovery: {} })
    await rig.store.set(rig.item('k', 'old'))
    far.failing.add('delete')
    await cache.delete('k')
    await expect(cache.set(rig.item('k', 'new'))).rejects.toMatchObject({ code: 'UNAVAILABLE', operation: 'delete' })
    far.failing.clear()
    far.calls.splice(0)
    const fresh = rig.item('k', 'new')
    expect(await cache.compareAndSet?.('k', undefined, fresh)).toBe(true)
    expect(far.calls).toEqual(['delete k', 'compareAndSet k'])
    rig.clock.advance(60_000)
    await settled()
    expect(await cache.get('k')).toEqual(fresh)
    expect(await rig.store.get('k')).toEqual(fresh)
  })

  it('a write waits for a retry that is under way', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far, { recovery: {} })
    await rig.store.set(rig.item('k', 'old'))
    far.failing.add('delete')
    await cache.delete('k')
    far.failing.clear()
    const held = far.holdBefore('delete')
    const recovering = cache.recover()
    await held.reached
    const fresh = rig.item('k', 'new')
    const setting = cache.set(fresh)
    await settled()
    held.open()
    await Promise.all([recovering, setting])
    expect(await rig.store.get('k')).toEqual(fresh)
  })

  it('a clear of the authority settles the deletes that wait there', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far, { recovery: {} })
    far.failing.add('delete')
    await cache.delete('a:1')
    await cache.delete('b:1')
    await cache.clear('a:')
    expect((await cache.stats()).pendingDeletes).toBe(1)
  })

  it('deletes that wait are tried once more by close, and lost ones are told', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, events } = await rig.node(far, { recovery: {}, closeParts: false })
    await rig.store.set(rig.item('k', 'old'))
    far.failing.add('delete')
    await cache.delete('k')
    await cache.close()
    expect(events.at(-1)).toMatchObject({ type: 'error', error: { operation: 'close' } })
    expect(rig.clock.timers).toBe(0)

    const again = await rig.node(far, { recovery: {}, closeParts: false })
    await again.cache.delete('k')
    far.failing.clear()
    await again.cache.close()
    expect(await rig.store.get('k')).toBe(undefined)
  })

  it('an argument that the far layer refuses is not queued', async () => {
    const rig = new Rig()
    const { cache } = await rig.node(rig.far(), { recovery: {} })
    await rig.store.close()
    await expect(cache.delete('k')).rejects.toMatchObject({ code: 'CLOSED' })
  })
})

describe('a removal that the authority fails to do, with recovery', () => {
  it('deleteByTag resolves, its items read as missing here, and later in every process', async () => {
    const rig = new Rig()
    const far = rig.far()
    const node = await rig.node(far, { recovery: {} })
    const other = new Cache({ backend: (await rig.node(rig.far())).cache, ttl: '1h', clock: rig.clock })
    const cache = new Cache({ backend: node.cache, ttl: '1h', clock: rig.clock })
    await cache.set('k', 1, { tags: ['t'] })
    await cache.set('l', 1, { tags: ['u'] })
    expect(await other.get('k')).toBe(1)
    far.failing.add('set')
    far.failing.add('delete')
    await cache.deleteByTag('t')
    expect(await cache.get('k')).toBe(undefined)
    expect(await cache.getMany(['k'])).toEqual([undefined])
    expect(await other.get('k')).toBe(1)
    // The record of the namespace and that of the tag.
    expect((await node.cache.stats()).pendingDeletes).toBe(2)
    await cache.deleteByTag('t')
    expect((await node.cache.stats()).pendingDeletes).toBe(2)
    far.failing.clear()
    rig.clock.advance(1000)
    await settled()
    expect((await node.cache.stats()).pendingDeletes).toBe(0)
    expect(await other.get('k')).toBe(undefined)
    expect(await other.get('l')).toBe(1)
    expect(await cache.get('l')).toBe(1)
    await cache.set('k', 2, { tags: ['t'] })
    expect(await other.get('k')).toBe(2)
    expect(rig.clock.timers).toBeLessThanOrEqual(2)
  })

  it('a tag whose invalidation is pending is minted anew only after the invalidation', async () => {
    const rig = new Rig()
    const far = rig.far()
    const cache = new Cache({ backend: (await rig.node(far, { recovery: {} })).cache, ttl: '1h', clock: rig.clock })
    await cache.set('k', 1, { tags: ['t'] })
    far.failing.add('set')
    far.failing.add('delete')
    await cache.deleteByTag('t')
    far.failing.delete('set')
    await expect(cache.set('l', 2, { tags: ['t'] })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    far.failing.clear()
    await cache.set('l', 2, { tags: ['t'] })
    rig.clock.advance(60_000)
    await settled()
    expect(await cache.get('l')).toBe(2)
    expect(await cache.get('k')).toBe(undefined)
  })

  it.each([
    ['clear', 'clear ', (cache: Cache) => cache.clear()],
    ['deleteByPrefix', 'clear a:', (cache: Cache) => cache.deleteByPrefix('a:')],
  ] as const)('%s resolves, its keys read as missing, and it is done and announced later', async (_, call, run) => {
    const rig = new Rig()
    const far = rig.far()
    const { cache: backend, events } = await rig.node(far, { recovery: {} })
    const other = (await rig.node(rig.far())).cache
    const cache = new Cache({ backend, ttl: '1h', clock: rig.clock })
    await cache.setMany({ 'a:1': 1, 'a:2': 2 })
    await other.get('a:1')
    far.failing.add('clear')
    await run(cache)
    expect(await cache.get('a:1')).toBe(undefined)
    expect(await cache.getMany(['a:1', 'a:2'])).toEqual([undefined, undefined])
    expect(backend.near.get('a:1')).toBe(undefined)
    const keys: string[] = []
    for await (const key of backend.keys?.() ?? []) keys.push(key)
    expect(keys).toEqual([])
    expect((await other.get('a:1'))?.value).toBe(1)

    far.calls.splice(0)
    rig.clock.advance(100)
    await settled()
    expect(far.calls.splice(0)).toEqual([call])
    far.failing.clear()
    rig.clock.advance(200)
    await settled()
    expect(far.calls).toEqual([call])
    expect(await rig.store.get('a:1')).toBe(undefined)
    expect(await other.get('a:1')).toBe(undefined)
    expect(events.filter(({ type }) => type === 'recovery')).toEqual([
      { type: 'recovery', state: 'started', pending: 1 },
      { type: 'recovery', state: 'drained', pending: 0 },
    ])
    expect(rig.clock.timers).toBe(0)
  })

  it('a write under a pending clear does the clear first, so that no late clear removes what was written', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far, { recovery: {} })
    await cache.set(rig.item('a:1', 'old'))
    far.failing.add('clear')
    await cache.clear('a:')
    for (const write of [
      () => cache.set(rig.item('a:1', 'new')),
      () => cache.setMany([rig.item('b', 1), rig.item('a:2', 'new')]),
      async () => cache.compareAndSet?.('a:1', undefined, rig.item('a:1', 'new')),
      async () => cache.increment?.('a:n', 1),
    ]) {
      await expect(write()).rejects.toMatchObject({ code: 'UNAVAILABLE', operation: 'clear' })
    }
    expect(await rig.store.get('b')).toBe(undefined)
    far.failing.clear()
    far.calls.splice(0)
    const fresh = rig.item('a:1', 'new')
    await cache.set(fresh)
    expect(far.calls[0]).toBe('clear a:')
    rig.clock.advance(60_000)
    await settled()
    expect(await cache.get('a:1')).toEqual(fresh)
    expect(await rig.store.get('a:1')).toEqual(fresh)
  })

  it('a lock taken under a pending clear is not removed by it', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far, { recovery: {} })
    far.failing.add('clear')
    await cache.clear()
    const lock = rig.item('@!:nightly', 'token')
    await expect(cache.compareAndSet?.(lock.key, undefined, lock)).rejects.toMatchObject({ operation: 'clear' })
    far.failing.clear()
    expect(await cache.compareAndSet?.(lock.key, undefined, lock)).toBe(true)
    rig.clock.advance(60_000)
    await settled()
    expect(await cache.get(lock.key)).toEqual(lock)
  })

  it('a delete of a lock that fails rejects: done late, it would end the lock of another process', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far, { recovery: {} })
    far.failing.add('delete')
    await expect(cache.delete('@!:nightly')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect((await cache.stats()).pendingDeletes).toBe(0)
  })

  it('a pending clear takes the place of pending deletes under its prefix', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far, { recovery: { maxPending: 2 } })
    far.failing.add('delete')
    far.failing.add('clear')
    await cache.delete('a:1')
    await cache.delete('b:1')
    await expect(cache.clear('c:')).rejects.toMatchObject({ code: 'QUEUE_FULL', operation: 'clear' })
    await cache.clear('a:')
    expect((await cache.stats()).pendingDeletes).toBe(2)
    await cache.clear('a:b')
    expect((await cache.stats()).pendingDeletes).toBe(2)
    expect(await cache.delete('a:1')).toBe(false)
    await cache.clear()
    expect((await cache.stats()).pendingDeletes).toBe(1)
  })

  it.each([
    ['set', (rig: Rig) => [rig.item('k', 'new')]],
    ['setMany', (rig: Rig) => [rig.item('k', 'new'), rig.item('l', 'new')]],
  ] as const)('a failed %s rejects, and the old item is deleted everywhere later', async (method, itemsOf) => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far, { recovery: {} })
    const other = (await rig.node(rig.far())).cache
    await cache.set(rig.item('k', 'old'))
    await other.get('k')
    far.failing.add('set')
    far.failing.add('setMany')
    const items = itemsOf(rig)
    const writing = method === 'set' ? cache.set(items[0] as Item) : cache.setMany(items)
    await expect(writing).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await cache.get('k')).toBe(undefined)
    rig.clock.advance(100)
    await settled()
    expect(await rig.store.get('k')).toBe(undefined)
    expect(await other.get('k')).toBe(undefined)
    far.failing.clear()
    const fresh = rig.item('k', 'newer')
    await cache.set(fresh)
    expect(await other.get('k')).toEqual(fresh)
  })

  it('a refused value leaves the old item', async () => {
    const rig = new Rig()
    const { cache } = await rig.node(rig.far(), { recovery: {} })
    await rig.store.close()
    await expect(cache.set(rig.item('k', 1))).rejects.toMatchObject({ code: 'CLOSED' })
    expect((await cache.stats().catch(() => ({ pendingDeletes: 0 }))).pendingDeletes).toBe(0)
  })

  it('a delete takes the place of a failed set in a full queue, because no caller relies on that one', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far, { recovery: { maxPending: 2 } })
    far.failing.add('set')
    far.failing.add('delete')
    for (const key of ['a', 'b', 'c']) await expect(cache.set(rig.item(key, 1))).rejects.toMatchObject({})
    expect((await cache.stats()).pendingDeletes).toBe(2)
    expect(await cache.delete('b')).toBe(false)
    expect(await cache.delete('d')).toBe(false)
    await expect(cache.delete('e')).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    expect((await cache.stats()).pendingDeletes).toBe(2)
  })

  it('a delete does not join a retry that may have ended before another process wrote the key', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far, { recovery: {} })
    await rig.store.set(rig.item('k', 'old'))
    far.failing.add('delete')
    await cache.delete('k')
    far.failing.clear()
    for (const remove of [() => cache.delete('k'), async () => (await cache.deleteMany(['k'])) === 1]) {
      const held = far.holdAfter('delete')
      const recovering = cache.recover()
      await held.reached
      await rig.store.set(rig.item('k', 'of another process'))
      const deleting = remove()
      await settled()
      held.open()
      await recovering
      expect(await deleting).toBe(true)
      expect(await rig.store.get('k')).toBe(undefined)
      far.failing.add('delete')
      far.failing.add('deleteMany')
      await cache.delete('k')
      far.failing.clear()
    }
  })

  it('a clear does not join a retry that may have ended before another process wrote a key', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far, { recovery: {} })
    far.failing.add('clear')
    await cache.clear('a:')
    far.failing.clear()
    const held = far.holdAfter('clear')
    const recovering = cache.recover()
    await held.reached
    await rig.store.set(rig.item('a:1', 'of another process'))
    far.failing.add('clear')
    await cache.clear('a:')
    far.failing.clear()
    held.open()
    await recovering
    expect(await cache.get('a:1')).toBe(undefined)
    rig.clock.advance(60_000)
    await settled()
    expect(await rig.store.get('a:1')).toBe(undefined)
    expect((await cache.stats()).pendingDeletes).toBe(0)
  })

  it('a read that was under way when a clear failed leaves no copy', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, near } = await rig.node(far, { recovery: {} })
    await rig.store.set(rig.item('k', 'old'))
    const held = far.holdAfter('get')
    const reading = cache.get('k')
    await held.reached
    far.failing.add('clear')
    await cache.clear()
    held.open()
    await reading
    expect(near.sync.get('k')).toBe(undefined)
    expect(await cache.get('k')).toBe(undefined)
  })
})
