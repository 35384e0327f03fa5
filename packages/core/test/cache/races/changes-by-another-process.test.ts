import { describe, expect, it } from 'vitest'
import { GatedLoad, settled, twoProcesses } from '../rig.ts'
import { duringLoad } from './during-load.ts'

describe('a change by another process while a load runs', () => {
  it('R3 a delete keeps the late result out', async () => {
    const { cache, other } = twoProcesses()
    expect(await duringLoad(cache, () => other.delete('k'))).toBe('old')
    expect(await cache.get('k')).toBe(undefined)
    expect(await other.get('k')).toBe(undefined)
  })

  it('R3 a delete keeps the late result of a background refresh out', async () => {
    const { cache, other, clock } = twoProcesses({ staleFor: '1h' })
    await cache.set('k', 'first')
    clock.advance(60_000)
    const load = new GatedLoad<string>()
    expect(await cache.getOrSet('k', load.loader)).toBe('first')
    await load.started()
    await other.delete('k')
    load.end('old')
    await settled()
    expect(await cache.get('k', { stale: true })).toBe(undefined)
  })

  it('R3 a delete that reaches the store while the fill is on its way keeps the result out', async () => {
    const { cache, other, far } = twoProcesses()
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    const fill = far.holdBefore('compareAndSet')
    load.end('old')
    await fill.reached
    await other.delete('k')
    fill.open()
    expect(await first).toBe('old')
    expect(await other.get('k')).toBe(undefined)
  })

  it('R3 after the delete the next load is stored at once', async () => {
    const { cache, other } = twoProcesses()
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    await other.delete('k')
    expect(await other.getOrSet('k', async () => 'new')).toBe('new')
    load.end('old')
    expect(await first).toBe('old')
    expect(await cache.get('k')).toBe('new')
  })

  it('R4 a clear keeps the late result out', async () => {
    const { cache, other } = twoProcesses()
    expect(await duringLoad(cache, () => other.clear())).toBe('old')
    expect(await cache.get('k')).toBe(undefined)
  })

  it('R4 an invalidated tag that only the load can name keeps the late result out', async () => {
    const { cache, other } = twoProcesses()
    await other.set('x', 1, { tags: ['late'] })
    expect(await duringLoad(cache, () => other.deleteByTag('late'), { namedTags: ['late'] })).toBe('old')
    expect(await cache.get('k')).toBe(undefined)
  })

  it('R5 an explicit set wins', async () => {
    const { cache, other } = twoProcesses()
    await duringLoad(cache, () => other.set('k', 'set'))
    expect(await cache.get('k')).toBe('set')
  })
})

describe('a store that loses tag records', () => {
  it('R31 the loss of a tag record makes its items misses, and none becomes valid again', async () => {
    const { cache, items } = twoProcesses()
    await cache.set('k', 1, { tags: ['t'] })
    expect(await cache.get('k')).toBe(1)
    for (const key of items.keys()) if (key.startsWith('@#')) items.delete(key)
    expect(await cache.get('k')).toBe(undefined)
    await cache.set('new', 2, { tags: ['t'] })
    expect(await cache.get('k')).toBe(undefined)
    expect(await cache.get('new')).toBe(2)
  })
})
