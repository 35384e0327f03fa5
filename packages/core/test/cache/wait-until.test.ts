import { describe, expect, it } from 'vitest'
import { Cache } from '../../src/index.ts'
import { bothStores, codeOf, GatedLoad, oneProcess, settled } from './rig.ts'

for (const [name, open] of bothStores) {
  describe(`waitUntil, on ${name}`, () => {
    it('it gets the work of a refresh behind a stale value, which ends after the result is stored', async () => {
      const work: Promise<unknown>[] = []
      const { cache, clock } = open({ staleFor: '1m', waitUntil: (one) => work.push(one) })
      await cache.set('k', 'old', { ttl: 10 })
      clock.advance(20)
      const gate = new GatedLoad<string>()
      expect(await cache.getOrSet('k', gate.loader)).toBe('old')
      expect(work).toHaveLength(1)
      await gate.started()
      gate.end('new')
      await work[0]
      expect(await cache.get('k')).toBe('new')
    })

    it('it gets the work of an early renewal, by the option of the call', async () => {
      const work: Promise<unknown>[] = []
      const { cache } = open()
      await cache.set('k', 'old')
      const options = { refreshAhead: 0, waitUntil: (one: Promise<unknown>) => work.push(one) }
      expect(await cache.getOrSet('k', async () => 'new', options)).toBe('old')
      await settled()
      await Promise.all(work)
      expect(work).toHaveLength(1)
      expect(await cache.get('k')).toBe('new')
    })

    it('its work never rejects, and an error that it throws is an event', async () => {
      const work: Promise<unknown>[] = []
      const errors: unknown[] = []
      const { cache } = open({ waitUntil: (one) => work.push(one) })
      cache.on('error', ({ error }) => errors.push(error.message))
      await expect(cache.getOrSet('k', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
      await Promise.all(work)
      const waitUntil = (): never => {
        throw new Error('outside a request')
      }
      expect(await cache.getOrSet('k', () => 1, { waitUntil })).toBe(1)
      expect(errors).toEqual([expect.stringContaining('outside a request')])
    })
  })
}

it('a waitUntil that is no function is refused', async () => {
  const { cache, backend } = oneProcess()
  expect(await codeOf(cache.getOrSet('k', () => 1, { waitUntil: true as never }))).toBe('INVALID_ARGUMENT')
  expect(() => new Cache({ backend, waitUntil: 5 as never })).toThrow('waitUntil must be a function, but was 5')
})
