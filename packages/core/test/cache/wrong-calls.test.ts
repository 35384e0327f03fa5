import { describe, expect, it } from 'vitest'
import { Cache, SyncCache, type SyncCacheBackend } from '../../src/index.ts'
import { SyncMapBackend } from '../conformance/sync-map-backend.ts'
import { bothStores, codeOf, collect, oneProcess } from './rig.ts'

/** Objects whose content is not in their members: as options they would count as empty. */
const noOptions: readonly (readonly [string, unknown])[] = [
  ['a Map', new Map([['ttl', 1]])],
  ['a Set', new Set(['ttl'])],
  ['a promise', Promise.resolve({ ttl: 1 })],
  ['a date', new Date(0)],
  ['an array', [{ ttl: 1 }]],
  ['a number', 60],
  ['a string', '60s'],
  ['a function', () => ({})],
]

for (const [name, open] of bothStores) {
  describe(`a wrong call, on ${name}`, () => {
    for (const [title, options] of noOptions) {
      it(`${title} as options is refused, and nothing is written`, async () => {
        const { cache } = open()
        const wrong = options as never
        for (const call of [
          () => cache.set('k', 1, wrong),
          () => cache.setMany({ k: 1 }, wrong),
          () => cache.add('k', 1, wrong),
          () => cache.update('k', () => 1, wrong),
          () => cache.increment('k', 1, wrong),
          () => cache.get('k', wrong),
          () => cache.has('k', wrong),
          () => cache.getMany(['k'], wrong),
          () => cache.getOrSet('k', () => 1, wrong),
          () => cache.getOrSetMany(['k'], () => ({}), wrong),
          () => cache.touch('k', wrong),
          () => cache.withLock('k', () => 1, wrong),
          () => cache.rateLimit('k', wrong),
        ])
          expect(await codeOf(Promise.resolve().then(call)), String(call)).toBe('INVALID_ARGUMENT')
        expect(await collect(cache.keys())).toEqual([])
        expect(() => new Cache(wrong)).toThrow('must be')
      })
    }

    it('an extra argument is refused, and nothing is removed', async () => {
      const { cache } = open()
      await cache.set('ns:a', 1)
      const loose = cache as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>
      for (const [method, ...given] of [
        ['clear', 'ns:'],
        ['delete', 'ns:a', 'ns:b'],
        ['deleteMany', ['ns:a'], ['ns:b']],
        ['deleteByPrefix', 'ns:', 'other:'],
        ['take', 'ns:a', 'ns:b'],
        ['item', 'ns:a', 'ns:b'],
        ['ttl', 'ns:a', '1m'],
      ] as const) {
        const error = await loose[method]?.(...given).then(
          () => undefined,
          (failure) => failure,
        )
        expect(error, method).toMatchObject({ code: 'INVALID_ARGUMENT', operation: method, cache: 'cache' })
      }
      expect(await cache.get('ns:a')).toBe(1)
    })

    it('setMany refuses a promise, a date or a number as entries', async () => {
      const { cache } = open()
      for (const entries of [Promise.resolve([['k', 1]]), new Date(0), 5, 'ab', null, [['k', 1, 2]], ['ab']])
        expect(await codeOf(cache.setMany(entries as never)), String(entries)).toBe('INVALID_ARGUMENT')
      expect(await collect(cache.keys())).toEqual([])
    })

    it('getOrSetMany refuses a loader that returns neither pairs nor one value for each key, and gives the reason', async () => {
      const { cache } = open()
      for (const result of [['a', 'b', 'c'], ['a'], 'ab', 5, [['a']], ['a', ['b', 1]], [null], new Date(0)]) {
        const failure = await cache.getOrSetMany(['a', 'b'], (() => result) as never).catch((error) => error)
        expect(failure, String(result)).toMatchObject({ code: 'INVALID_ARGUMENT' })
        expect(failure.message, String(result)).toContain('the result of the loader')
      }
    })

    it('a namespace with a hole in its segments is refused', () => {
      const { backend } = oneProcess()
      // biome-ignore lint/suspicious/noSparseArray: the hole is what is tested
      for (const namespace of [['a', , 'b'], [undefined], ['a', ''], new Map(), 5])
        expect(() => new Cache({ backend, namespace: namespace as never })).toThrow('namespace')
    })
  })
}

describe('an invalid backend', () => {
  const { cache, backend } = oneProcess()
  for (const [title, wrong] of [
    ['a Map', new Map()],
    ['a Cache', cache],
    ['a SyncCache', new SyncCache({ backend })],
    ['a class', class {}],
    ['undefined', undefined],
    ['an object without a name', { get() {}, set() {}, delete() {}, clear() {} }],
  ] as const) {
    it(`${title} is refused by a cache`, () => {
      expect(() => new Cache({ backend: wrong as never })).toThrow('backend must be')
      expect(() => new SyncCache({ backend: wrong as never })).toThrow('backend must be')
    })
  }
})

describe('a SyncCache', () => {
  it('promises and thenables are refused as values', () => {
    const cache = new SyncCache({ backend: new SyncMapBackend() as SyncCacheBackend })
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested
    for (const value of [Promise.resolve(1), { then() {} }])
      expect(() => cache.set('k', value)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    expect([...cache.keys()]).toEqual([])
  })
})

describe('wrap', () => {
  it('the wrapped function keeps its `this`', async () => {
    const { cache, backend } = oneProcess()
    const service = {
      factor: 3,
      times: cache.wrap(
        async function (this: { factor: number }, n: number) {
          return this.factor * n
        },
        { key: 'times' },
      ),
      timesSync: new SyncCache({ backend }).wrap(
        function (this: { factor: number }, n: number) {
          return this.factor * n
        },
        { key: 'timesSync' },
      ),
    }
    expect([await service.times(2), service.timesSync(5)]).toEqual([6, 15])
  })

  it('arguments nested 20,000 levels deep are refused', async () => {
    const { cache } = oneProcess()
    let deep: unknown = 1
    for (let level = 0; level < 20_000; level += 1) deep = [deep]
    const wrapped = cache.wrap(async (_value: unknown) => 1, { key: 'deep' })
    expect(await codeOf(wrapped(deep))).toBe('INVALID_ARGUMENT')
  })
})
