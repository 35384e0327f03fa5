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
