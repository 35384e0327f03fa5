import { BreakpointBackend } from '@cache/core/conformance'
import { describe, expect, it } from 'vitest'
import { LayeredBackend } from '../src/index.ts'
import { Rig, settled } from './rig.ts'

describe('promotion', () => {
  it('an item that is found far is served near from then on', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far)
    const item = rig.item('k', 1)
    await rig.store.set(item)
    expect(cache.near.get('k')).toBe(undefined)
    expect(await cache.get('k')).toEqual(item)
    expect(cache.near.get('k')).toEqual(item)
    expect(await cache.get('k')).toEqual(item)
    expect(far.calls).toEqual(['get k'])
  })

  it('R6: a delete while the old far item is on its way makes the promotion bounce', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, near } = await rig.node(far)
    const item = rig.item('k', 'old')
    await rig.store.set(item)
    const read = far.holdAfter('get')
    const reading = cache.get('k')
    await read.reached
    expect(await cache.delete('k')).toBe(true)
    read.open()
    expect(await reading).toEqual(item)
    expect(near.sync.get('k')).toBe(undefined)
    expect(await cache.get('k')).toBe(undefined)
  })

  it('R6: an old item that is promoted while the far delete runs is gone when the delete is done', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, near } = await rig.node(far)
    const item = rig.item('k', 'old')
    await rig.store.set(item)
    const remove = far.holdBefore('delete')
    const deleting = cache.delete('k')
    await remove.reached
    expect(await cache.get('k')).toEqual(item)
    expect(near.sync.get('k')).toEqual(item)
    remove.open()
    expect(await deleting).toBe(true)
    expect(near.sync.get('k')).toBe(undefined)
  })

  it('R6: an old item that was read while the far delete was on its way, and arrives after it, is not promoted', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, near } = await rig.node(far)
    await rig.store.set(rig.item('k', 'old'))
    const remove = far.holdBefore('delete')
    const deleting = cache.delete('k')
    await remove.reached
    const read = far.holdAfter('get')
    const reading = cache.get('k')
    await read.reached
    remove.open()
    await deleting
    read.open()
    expect((await reading)?.value).toBe('old')
    expect(near.sync.get('k')).toBe(undefined)
  })

  it('R6: an old item that a middle layer still held while it was deleted there is not promoted', async () => {
    const rig = new Rig()
    const far = rig.far()
    const [near, middle] = [rig.memory(), new BreakpointBackend(rig.memory(), 'middle')]
    const cache = new LayeredBackend({ layers: [near, middle, far], clock: rig.clock })
    for (const operation of ['delete', 'clear'] as const) {
      await cache.set(rig.item('k', 'old'))
      near.sync.delete('k')
      const remove = middle.holdBefore(operation)
      const changing = cache[operation]('k')
      await remove.reached
      // Before a delete there the middle layer still answers; while it is cleared it is not asked.
      const read = operation === 'delete' ? middle.holdAfter('get') : far.holdAfter('get')
      const reading = cache.get('k')
      await read.reached
      remove.open()
      await changing
      read.open()
      await reading
      expect(near.sync.get('k')).toBe(undefined)
    }
  })

  it('R6: a near layer that takes its time never ends with an item that was deleted while it was written', async () => {
    const rig = new Rig()
    const far = rig.far()
    const near = new BreakpointBackend(rig.memory(), 'near')
    const cache = new LayeredBackend({ layers: [near, far], clock: rig.clock })
    await rig.store.set(rig.item('k', 'old'))
    const promote = near.holdBefore('compareAndSet')
    const reading = cache.get('k')
    await promote.reached
    const deleting = cache.delete('k')
    await settled()
    promote.open()
    await Promise.all([reading, deleting])
    expect(await near.inner.get('k')).toBe(undefined)
    expect(await cache.get('k')).toBe(undefined)
  })

  it('R6: a clear while an item is on its way makes its promotion bounce, other prefixes do not', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, near } = await rig.node(far)
    for (const key of ['a:1', 'b:1']) await rig.store.set(rig.item(key, 'old'))
    const reads = [far.holdAfter('get'), far.holdAfter('get')]
    const reading = [cache.get('a:1'), cache.get('b:1')]
    for (const read of reads) await read.reached
    await cache.clear('a:')
    for (const read of reads) read.open()
    await Promise.all(reading)
    expect(near.sync.get('a:1')).toBe(undefined)
    expect(near.sync.get('b:1')?.value).toBe('old')
  })

  it('R6: an announcement while an item is on its way makes its promotion bounce', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, near } = await rig.node(far)
    const other = await rig.node(rig.far())
    await rig.store.set(rig.item('k', 'old'))
    const read = far.holdAfter('get')
    const reading = cache.get('k')
    await read.reached
    await other.cache.delete('k')
    read.open()
    await reading
    expect(near.sync.get('k')).toBe(undefined)
  })

  it('R7: an older far item never replaces a newer near one', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far)
    await rig.store.set(rig.item('k', 'old'))
    const read = far.holdAfter('get')
    const reading = cache.get('k')
    await read.reached
    const newer = rig.item('k', 'new')
    await cache.set(newer)
    read.open()
    expect((await reading)?.value).toBe('old')
    expect(cache.near.get('k')).toEqual(newer)
  })

  it('R7: what somebody else put into the near layer meanwhile is not replaced by what was read far', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, near } = await rig.node(far)
    await rig.store.set(rig.item('k', 'old'))
    const read = far.holdAfter('get')
    const reading = cache.get('k')
    await read.reached
    near.sync.set(rig.item('k', 'new'))
    read.open()
    await reading
    expect(near.sync.get('k')?.value).toBe('new')
  })

  it('R7: two sets at once leave no near copy, since which of them the authority took last is not known', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, near } = await rig.node(far)
    const [first, second] = [rig.item('k', 1), rig.item('k', 2)]
    const held = far.holdAfter('set')
    const setting = cache.set(first)
    await held.reached
    await cache.set(second)
    held.open()
    await setting
    expect(near.sync.get('k')).toBe(undefined)
    expect(await cache.get('k')).toEqual(second)
    expect(cache.near.get('k')).toEqual(second)
  })

  it('R8: a promoted item keeps its absolute deadline', async () => {
    const rig = new Rig()
    const { cache } = await rig.node(rig.far())
    const item = rig.item('k', 1, { expiresAt: rig.clock.now() + 1000 })
    await rig.store.set(item)
    rig.clock.advance(600)
    expect(await cache.get('k')).toEqual(item)
    rig.clock.advance(399)
    expect(cache.near.get('k')).toEqual(item)
    rig.clock.advance(1)
    expect(cache.near.get('k')).toBe(undefined)
    expect(await cache.get('k')).toBe(undefined)
  })

  for (const [title, options] of [
    ['', {}],
    [' with nearTtl', { nearTtl: '1s' }],
  ] as const) {
    it(`R9: an item that expires on the way is not written near${title}`, async () => {
      const rig = new Rig()
      const far = rig.far()
      const near = new BreakpointBackend(rig.memory(), 'near')
      const cache = new LayeredBackend({ layers: [near, far], clock: rig.clock, ...options })
      await rig.store.set(rig.item('k', 1, { expiresAt: rig.clock.now() + 1000 }))
      const read = far.holdAfter('get')
      const reading = cache.get('k')
      await read.reached
      rig.clock.advance(1000)
      read.open()
      await reading
      expect(near.calls).toEqual(['get k'])
    })
  }

  it('a near copy ends after nearTtl, and the item read from it has its own deadline', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far, { nearTtl: '1s' })
    const item = rig.item('k', { a: 1 }, { expiresAt: rig.clock.now() + 60_000, cost: 7 })
    await cache.set(item)
    expect(cache.near.get('k')).toBe(item)
    expect(await cache.get('k')).toEqual(item)
    expect(far.calls).toEqual(['set k'])
    rig.clock.advance(1000)
    expect(cache.near.get('k')).toBe(undefined)
    expect(await cache.get('k')).toEqual(item)
    expect(far.calls).toEqual(['set k', 'get k'])
  })

  it('a near copy never outlives an item whose life is shorter than nearTtl', async () => {
    const rig = new Rig()
    const { cache } = await rig.node(rig.far(), { nearTtl: '1m' })
    await cache.set(rig.item('k', 1, { expiresAt: rig.clock.now() + 1000 }))
    rig.clock.advance(999)
    expect(cache.near.get('k')?.value).toBe(1)
    rig.clock.advance(1)
    expect(cache.near.get('k')).toBe(undefined)
  })

  it('copies that were made under another setting of nearTtl are not served', async () => {
    const rig = new Rig()
    const near = rig.memory()
    const far = rig.far()
    const item = rig.item('k', 1)
    const wrapping = new LayeredBackend({ layers: [near, far], nearTtl: '1m', clock: rig.clock })
    const plain = new LayeredBackend({ layers: [near, far], clock: rig.clock })
    await wrapping.set(item)
    expect(plain.near.get('k')).toBe(undefined)
    expect(await plain.get('k')).toEqual(item)
    await plain.set(item)
    expect(wrapping.near.get('k')).toBe(undefined)
    expect(await wrapping.get('k')).toEqual(item)
  })

  it('R25: values that look like nothing are hits from the far layer, alone and in batches', async () => {
    const rig = new Rig()
    const { cache } = await rig.node(rig.far())
    const items = [null, 0, '', false, Number.NaN].map((value, index) => rig.item(`k${index}`, value))
    for (const item of items) await rig.store.set(item)
    const keys = items.map(({ key }) => key)
    expect(await cache.getMany(keys)).toEqual(items)
    expect(keys.map((key) => cache.near.get(key))).toEqual(items)
    for (const item of items) expect(await cache.get(item.key)).toEqual(item)
  })

  it('a placeholder is answered and never copied', async () => {
    const rig = new Rig()
    const { cache, near } = await rig.node(rig.far())
    const placeholder = rig.item('k', undefined)
    expect(await cache.compareAndSet?.('k', undefined, placeholder)).toBe(true)
    expect(await cache.get('k')).toEqual(placeholder)
    expect((await near.stats()).items).toBe(0)
    const result = rig.item('k', 'loaded')
    expect(await cache.compareAndSet?.('k', placeholder.version, result)).toBe(true)
    expect(cache.near.get('k')).toEqual(result)
  })

  it('a hit in the middle layer fills the nearer one only', async () => {
    const rig = new Rig()
    const far = rig.far()
    const [near, middle] = [rig.memory(), rig.memory()]
    const cache = new LayeredBackend({ layers: [near, middle, far], clock: rig.clock })
    const item = rig.item('k', 1)
    await cache.set(item)
    near.sync.delete('k')
    expect(await cache.get('k')).toEqual(item)
    expect(near.sync.get('k')).toEqual(item)
    expect(far.calls).toEqual(['set k'])
    expect((await cache.stats()).layers.map(({ reads }) => reads)).toEqual([0, 1, 0])
  })

  it('a near layer without compareAndSet takes promotions', async () => {
    const rig = new Rig()
    const { sync } = rig.memory()
    const four = {
      name: 'four',
      get: async (key: string) => sync.get(key),
      set: async (item: ReturnType<typeof rig.item>) => sync.set(item),
      delete: async (key: string) => sync.delete(key),
      clear: async (prefix?: string) => sync.clear(prefix),
    }
    const far = rig.far()
    const cache = new LayeredBackend({ layers: [four, far], clock: rig.clock })
    const item = rig.item('k', 1)
    await rig.store.set(item)
    await cache.get('k')
    expect(sync.get('k')).toEqual(item)
    expect(await cache.getMany(['k', 'x'])).toEqual([item, undefined])
  })

  it('a compareAndSet that fails takes the copy away from which its version may have come', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far, { bus: undefined } as never)
    const old = rig.item('k', 'old')
    await cache.set(old)
    const now = rig.item('k', 'now')
    await rig.store.set(now)
    expect(await cache.compareAndSet?.('k', old.version, rig.item('k', 'mine'))).toBe(false)
    expect(await cache.get('k')).toEqual(now)
  })
})
