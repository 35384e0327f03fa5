import { Cache } from '@cache/core'
import { inspect } from '@cache/core/inspect'
import { describe, expect, it } from 'vitest'
import { Rig } from './rig.ts'

describe('the inspection of a layered cache', () => {
  it('names the layer that has an entry, and the figures of every layer', async () => {
    const rig = new Rig()
    const { cache: backend, near } = await rig.node(rig.far())
    const cache = new Cache({ backend, clock: rig.clock })
    await cache.set('k', 1)
    expect(await inspect(cache).entry('k')).toMatchObject({ value: 1, layer: 'layered / memory' })
    await near.delete('k')
    expect((await inspect(cache).entry('k'))?.layer).toBe('layered / far')
    expect((await inspect(cache).figures()).layers).toEqual([
      expect.objectContaining({ layer: 'layered / memory', items: expect.any(Number) }),
      expect.objectContaining({ layer: 'layered / far', items: 1 }),
    ])
  })
})
