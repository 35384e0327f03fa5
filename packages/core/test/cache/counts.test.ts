import { describe, expect, it } from 'vitest'
import { SyncCache } from '../../src/index.ts'
import { SyncMapBackend } from '../conformance/sync-map-backend.ts'
import { bothStores, codeOf, twoProcesses } from './rig.ts'

for (const [name, open] of bothStores) {
  describe(`count, on ${name}`, () => {
    it('the value and the deadline of a counter come in one answer, and the deadline stays', async () => {
      const { cache, clock } = open()
      const expiresAt = clock.now() + 1000
      expect(await cache.count('n', 2, { ttl: 1000 })).toEqual({ value: 2, expiresAt })
      clock.advance(400)
      expect(await cache.count('n')).toEqual({ value: 3, expiresAt })
      expect(await cache.increment('n')).toBe(4)
      clock.advance(600)
      expect(await cache.count('n', 1, { ttl: Infinity })).toEqual({ value: 1 })
    })

    it('the result stays within its bounds', async () => {
      const { cache } = open()
      expect((await cache.count('n', 5, { most: 3 })).value).toBe(3)
      expect((await cache.count('n', -9, { least: 0 })).value).toBe(0)
      expect((await cache.count('n', -1, { least: -5, most: 5 })).value).toBe(-1)
      expect(await cache.get('n')).toBe(-1)
    })

    it('invalid arguments are refused before anything is written', async () => {
      const { cache } = open()
      await cache.set('text', 'a')
      const wrong = [
        cache.count('n', 1.5),
        cache.count('n', '1' as never),
        cache.count('n', 1, { least: 2, most: 1 }),
        cache.count('n', 1, { least: Number.NaN }),
        cache.count('n', 1, { most: Infinity }),
        cache.count('n', 1, { ttl: 0 }),
        cache.count('n', 1, { tags: [] } as never),
        cache.count('n', 1, 5 as never),
      ]
      for (const call of wrong) expect(await codeOf(call)).toBe('INVALID_ARGUMENT')
      expect(await codeOf(cache.count('text'))).toBe('NOT_A_NUMBER')
      expect(await cache.has('n')).toBe(false)
      expect(await codeOf(cache.increment('n', 1, { most: 5 } as never))).toBe('INVALID_ARGUMENT')
    })
  })
}

it('counts of two processes are exact, and never leave their bounds', async () => {
  const { cache, other } = twoProcesses()
  const calls = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? cache : other).count('n', 1, { most: 30 }))
  const values = (await Promise.all(calls)).map(({ value }) => value)
  expect(values.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => Math.min(index + 1, 30)))
})

it('a load that runs while a counter changes does not overwrite it', async () => {
  const { cache } = twoProcesses()
  const loading = cache.getOrSet('n', async () => {
    await cache.count('n', 5)
    return 1
  })
  expect(await loading).toBe(1)
  expect(await cache.get('n')).toBe(5)
})

it('a SyncCache counts within bounds', () => {
  const cache = new SyncCache({ backend: new SyncMapBackend() })
  expect(cache.count('n', 5, { most: 3, ttl: Infinity })).toEqual({ value: 3 })
  expect(cache.count('n', -5, { least: 0 })).toEqual({ value: 0 })
})
