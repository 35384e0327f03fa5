import { describe, expect, it } from 'vitest'
import { type LoadContext, SyncCache } from '../../src/index.ts'
import { SyncMapBackend } from '../conformance/sync-map-backend.ts'
import { bothStores, codeOf, twoProcesses } from './rig.ts'

for (const [name, open] of bothStores) {
  describe(`an absolute expiry, on ${name}`, () => {
    it('every write accepts an instant or a date instead of a ttl', async () => {
      const { cache, clock } = open({ jitter: 1, random: () => 0.99 })
      const expiresAt = clock.now() + 5000
      await cache.set('number', 1, { expiresAt })
      await cache.set('date', 1, { expiresAt: new Date(expiresAt) })
      await cache.setMany([['many', 1]], { expiresAt })
      await cache.add('added', 1, { expiresAt })
      await cache.replace('added', 2, { expiresAt: expiresAt + 1 })
      await cache.update('updated', () => 1, { expiresAt })
      await cache.getOrSet('loaded', () => 1, { expiresAt })
      await cache.set('touched', 1)
      await cache.touch('touched', { expiresAt })
      const lives: Record<string, unknown> = {}
      for (const key of ['number', 'date', 'many', 'added', 'updated', 'loaded', 'touched'])
        lives[key] = await cache.ttl(key)
      const ms = 5000
      expect(lives).toEqual({ number: ms, date: ms, many: ms, added: ms + 1, updated: ms, loaded: ms, touched: ms })
      clock.advance(5000)
      expect(await cache.getMany(['number', 'date', 'many', 'updated', 'loaded', 'touched'])).toEqual(
        Array(6).fill(undefined),
      )
    })

    it('the instant counts from the end of a load, not from its start', async () => {
      const { cache, clock } = open({ staleFor: '1m' })
      const expiresAt = clock.now() + 5000
      const loader = (): number => {
        clock.advance(2000)
        return 1
      }
      await cache.getOrSet('k', loader, { expiresAt })
      expect(await cache.ttl('k')).toBe(3000)
      expect((await cache.item('k'))?.expiresAt).toBe(expiresAt + 60_000)
    })

    it('a loader may decide the instant', async () => {
      const { cache, clock } = open({ nullTtl: 10 })
      const expiresAt = clock.now() + 5000
      const loader = (load: LoadContext): null => {
        load.expiresAt = new Date(expiresAt)
        return null
      }
      expect(await cache.getOrSet('k', loader, { ttl: '1s' })).toBe(null)
      expect(await cache.ttl('k')).toBe(5000)
      const both = (load: LoadContext): number => {
        load.ttl = 5
        load.expiresAt = expiresAt
        return 1
      }
      expect(await codeOf(cache.getOrSet('both', both))).toBe('INVALID_ARGUMENT')
      const wrong = (load: LoadContext): number => {
        load.expiresAt = -1
        return 1
      }
      expect(await codeOf(cache.getOrSet('wrong', wrong))).toBe('INVALID_ARGUMENT')
      expect(await cache.hasMany(['both', 'wrong'])).toEqual([false, false])
    })

    it('an instant that has passed stores nothing and removes the earlier value', async () => {
      const { cache, clock } = open({ staleFor: '1m' })
      await cache.set('k', 1)
      await cache.set('k', 2, { expiresAt: clock.now() })
      expect(await cache.item('k')).toBe(undefined)
      expect(await cache.getOrSet('k', () => 3, { expiresAt: 0 })).toBe(3)
      expect(await cache.item('k')).toBe(undefined)
    })

    it('an invalid instant is refused before anything is written', async () => {
      const { cache, clock } = open()
      for (const expiresAt of [-1, Number.NaN, Infinity, new Date(Number.NaN), '5m', null, 8.64e15 + 1, {}])
        expect(await codeOf(cache.set('k', 1, { expiresAt: expiresAt as never })), String(expiresAt)).toBe(
          'INVALID_ARGUMENT',
        )
      expect(await codeOf(cache.set('k', 1, { expiresAt: clock.now() + 1, ttl: '1m' }))).toBe('INVALID_ARGUMENT')
      expect(await cache.has('k')).toBe(false)
    })
  })

  describe(`keepTtl, on ${name}`, () => {
    it('set, replace, compareAndSet and update keep the remaining lifetime', async () => {
      const { cache, clock } = open({ staleFor: '1m' })
      const writes: Record<string, (key: string) => Promise<unknown>> = {
        set: (key) => cache.set(key, 2, { keepTtl: true }),
        replace: (key) => cache.replace(key, 2, { keepTtl: true, ttl: '1h' }),
        compareAndSet: async (key) => cache.compareAndSet(key, (await cache.item(key))?.version, 2, { keepTtl: true }),
        update: (key) => cache.update(key, () => 2, { keepTtl: true }),
      }
      for (const [method, write] of Object.entries(writes)) {
        await cache.set(method, 1, { ttl: 5000, tags: ['t'] })
        const before = await cache.item(method)
        clock.advance(1000)
        await write(method)
        const after = await cache.item(method)
        expect([after?.value, after?.staleAt, after?.expiresAt], method).toEqual([
          2,
          before?.staleAt,
          before?.expiresAt,
        ])
        expect(await cache.ttl(method), method).toBe(4000)
      }
    })

    it('a value that never expires stays so', async () => {
      const { cache } = open()
      await cache.set('k', 1, { ttl: Infinity })
      await cache.set('k', 2, { keepTtl: true })
      expect([await cache.get('k'), await cache.ttl('k')]).toEqual([2, Infinity])
    })

    it('the other options apply where no fresh value exists', async () => {
      const { cache, clock } = open({ staleFor: '1m' })
      await cache.set('new', 1, { keepTtl: true, ttl: 7000 })
      await cache.set('stale', 1, { ttl: 1000 })
      clock.advance(2000)
      await cache.set('stale', 2, { keepTtl: true, ttl: 7000 })
      expect([await cache.ttl('new'), await cache.ttl('stale')]).toEqual([5000, 7000])
    })

    it('a value that is not true or false is refused, and so is the option where it has no meaning', async () => {
      const { cache } = open()
      expect(await codeOf(cache.set('k', 1, { keepTtl: 'yes' as never }))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(cache.add('k', 1, { keepTtl: true } as never))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(cache.setMany([['k', 1]], { keepTtl: true } as never))).toBe('INVALID_ARGUMENT')
      await cache.set('k', 1, { keepTtl: false })
      expect(await cache.get('k')).toBe(1)
    })
  })

  describe(`setMany with options of entries, on ${name}`, () => {
    it('each entry has its own options, and those of the call otherwise', async () => {
      const { cache, clock } = open()
      await cache.setMany(
        [
          ['a', 1],
          ['b', 2, { ttl: 1000 }],
          ['c', 3, { expiresAt: clock.now() + 2000, tags: ['own'] }],
          ['d', 4, { tags: ['own', 'shared'], ttl: undefined }],
          ['e', 5, { tags: [] }],
        ],
        { ttl: 9000, tags: ['shared'] },
      )
      expect(await Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => cache.ttl(key)))).toEqual([
        9000, 1000, 2000, 9000, 9000,
      ])
      await cache.deleteByTag('own')
      expect(await cache.getMany(['a', 'b', 'c', 'd', 'e'])).toEqual([1, 2, undefined, undefined, 5])
      await cache.deleteByTag('shared')
      expect(await cache.getMany(['a', 'b', 'c', 'd', 'e'])).toEqual([undefined, undefined, undefined, undefined, 5])
    })

    it('invalid options of one entry are refused before anything is written', async () => {
      const { cache } = open()
      for (const options of [{ ttl: -1 }, { other: 1 }, 5, { tags: 'a' }, { keepTtl: true }, new Map()])
        expect(
          await codeOf(
            cache.setMany([
              ['a', 1],
              ['b', 2, options as never],
            ]),
          ),
          String(options),
        ).toBe('INVALID_ARGUMENT')
      expect(await cache.hasMany(['a', 'b'])).toEqual([false, false])
    })
  })
}

it('keepTtl needs compareAndSet', async () => {
  const { cache, far } = twoProcesses()
  await cache.set('k', 1)
  Object.defineProperty(far, 'compareAndSet', { value: undefined })
  expect(await codeOf(cache.set('k', 2, { keepTtl: true }))).toBe('UNSUPPORTED')
  expect(await cache.get('k')).toBe(1)
})

it('keepTtl survives a write of another process between the read and the write', async () => {
  const { cache, other, far, clock } = twoProcesses()
  await cache.set('k', 1, { ttl: 5000 })
  const release = far.holdBefore('compareAndSet')
  const setting = cache.set('k', 2, { keepTtl: true })
  await release.reached
  await other.set('k', 3, { ttl: 9000 })
  release.open()
  await setting
  expect([await cache.get('k'), await cache.ttl('k')]).toEqual([2, 9000])
  clock.advance(9000)
  expect(await cache.get('k')).toBe(undefined)
})

it('a SyncCache has the same options', () => {
  const cache = new SyncCache({ backend: new SyncMapBackend() })
  const expiresAt = Date.now() + 3_600_000
  cache.set('k', 1, { expiresAt })
  cache.set('k', 2, { keepTtl: true })
  expect(cache.item('k')).toMatchObject({ value: 2, expiresAt })
  cache.setMany([
    ['a', 1, { ttl: Infinity }],
    ['b', 2],
  ])
  expect(cache.ttl('a')).toBe(Infinity)
})
