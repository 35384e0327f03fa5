import { describe, expect, it } from 'vitest'
import { BreakpointBackend } from '../../../src/conformance/index.ts'
import { Cache } from '../../../src/index.ts'
import { MapBackend } from '../../conformance/map-backend.ts'
import { GatedLoad, settled } from '../rig.ts'

describe('R1 R4 R5 a change while a result is on its way to a store without compare-and-set', () => {
  for (const [title, change, left] of [
    ['a delete', (cache: Cache) => cache.delete('k'), undefined],
    ['a deleteMany', (cache: Cache) => cache.deleteMany(['k', 'x']), undefined],
    ['a clear', (cache: Cache) => cache.clear(), undefined],
    ['a set', (cache: Cache) => cache.set('k', 'set'), 'set'],
    ['a setMany', (cache: Cache) => cache.setMany({ k: 'set' }), 'set'],
  ] as const) {
    it(`${title} is applied after the result, in whichever order the store would take them`, async () => {
      const far = new BreakpointBackend(new MapBackend())
      Object.assign(far, { compareAndSet: undefined })
      const cache = new Cache({ backend: far })
      const storing = far.holdBefore('set')
      const first = cache.getOrSet('k', async () => 'old')
      await storing.reached
      const changed = change(cache)
      await settled()
      storing.open()
      await changed
      expect([await first, await cache.get('k')]).toEqual(['old', left])
    })
  }
})

describe('R1 R4 R5 a change that is slow in a store without compare-and-set', () => {
  for (const [title, operation, change, left] of [
    ['a delete', 'delete', (cache: Cache) => cache.delete('k'), undefined],
    ['a deleteMany', 'deleteMany', (cache: Cache) => cache.deleteMany(['k', 'x']), undefined],
    ['a clear', 'clear', (cache: Cache) => cache.clear(), undefined],
    ['a deleteByPrefix', 'clear', (cache: Cache) => cache.deleteByPrefix('k'), undefined],
    ['a set', 'set', (cache: Cache) => cache.set('k', 'set'), 'set'],
    ['a setMany', 'setMany', (cache: Cache) => cache.setMany({ k: 'set' }), 'set'],
    ['an increment', 'increment', (cache: Cache) => cache.increment('k'), 1],
  ] as const) {
    function opened(): { far: BreakpointBackend; cache: Cache } {
      const far = new BreakpointBackend(new MapBackend())
      Object.assign(far, { compareAndSet: undefined })
      return { far, cache: new Cache({ backend: far }) }
    }

    it(`${title} is not undone by a result that comes while the answer to the change is on its way`, async () => {
      const { far, cache } = opened()
      const load = new GatedLoad<string>()
      const first = cache.getOrSet('k', load.loader)
      await load.started()
      const answer = far.holdAfter(operation)
      const changed = change(cache)
      await answer.reached
      load.end('old')
      expect(await first).toBe('old')
      answer.open()
      await changed
      expect(await cache.get('k')).toBe(left)
    })

    it(`${title} is not undone by a load that began while the change was on its way`, async () => {
      const { far, cache } = opened()
      const asked = far.holdBefore(operation)
      const changed = change(cache)
      await asked.reached
      const load = new GatedLoad<string>()
      const first = cache.getOrSet('k', load.loader)
      await load.started()
      asked.open()
      await changed
      load.end('old')
      expect([await first, await cache.get('k')]).toEqual(['old', left])
    })
  }
})
