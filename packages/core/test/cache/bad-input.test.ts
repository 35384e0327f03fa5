import { describe, expect, it } from 'vitest'
import { Cache, type CacheOptions, SyncCache } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { bothStores, collect } from './rig.ts'

/** Values that are neither valid arguments nor objects of options. */
const nonsense: readonly unknown[] = [
  null,
  5,
  Number.NaN,
  true,
  '',
  'text',
  Symbol('s'),
  1n,
  [],
  ['a'],
  {},
  { other: 1 },
  () => 1,
  new Date(0),
  new Map(),
]

type Call = (cache: Cache, wrong: unknown) => Promise<unknown>

/** Each argument of each method by its name, and a test for the values that are valid there. */
const calls: Readonly<Record<string, readonly [argument: string, call: Call, fine?: (given: unknown) => boolean][]>> =
  (() => {
    const isText = (given: unknown): boolean => typeof given === 'string'
    const isEmptyObject = (given: unknown): boolean =>
      typeof given === 'object' && given !== null && !Array.isArray(given) && Object.keys(given).length === 0
    const isFunction = (given: unknown): boolean => typeof given === 'function'
    const isNumber = (given: unknown): boolean => Number.isSafeInteger(given)
    const isEntries = (given: unknown): boolean =>
      (Array.isArray(given) && given.length === 0) ||
      (typeof given === 'object' && given !== null && !Array.isArray(given))
    const isKeys = (given: unknown): boolean => Array.isArray(given)
    const key = (
      call: (cache: Cache, key: string) => Promise<unknown>,
    ): [string, Call, (given: unknown) => boolean] => ['key', (cache, wrong) => call(cache, wrong as string), isText]
    const options = (
      call: (cache: Cache, options: never) => Promise<unknown>,
    ): [string, Call, (given: unknown) => boolean] => [
      'options',
      (cache, wrong) => call(cache, wrong as never),
      isEmptyObject,
    ]
    const loader = (
      call: (cache: Cache, fn: never) => Promise<unknown>,
    ): [string, Call, (given: unknown) => boolean] => [
      'loader',
      (cache, wrong) => call(cache, wrong as never),
      isFunction,
    ]
    return {
      get: [key((cache, k) => cache.get(k)), options((cache, o) => cache.get('k', o))],
      has: [key((cache, k) => cache.has(k)), options((cache, o) => cache.has('k', o))],
      item: [key((cache, k) => cache.item(k))],
      ttl: [key((cache, k) => cache.ttl(k))],
      getMany: [
        ['keys', (cache, wrong) => cache.getMany(wrong as string[]), isKeys],
        options((cache, o) => cache.getMany(['k'], o)),
      ],
      getOrSet: [
        key((cache, k) => cache.getOrSet(k, () => 1)),
        loader((cache, fn) => cache.getOrSet('k', fn)),
        options((cache, o) => cache.getOrSet('k', () => 1, o)),
      ],
      getOrSetMany: [
        ['keys', (cache, wrong) => cache.getOrSetMany(wrong as string[], () => ({})), isKeys],
        loader((cache, fn) => cache.getOrSetMany(['k'], fn)),
        options((cache, o) => cache.getOrSetMany(['k'], () => ({}), o)),
      ],
      set: [key((cache, k) => cache.set(k, 1)), options((cache, o) => cache.set('k', 1, o))],
      setMany: [
        ['entries', (cache, wrong) => cache.setMany(wrong as never), isEntries],
        options((cache, o) => cache.setMany({ k: 1 }, o)),
      ],
      add: [key((cache, k) => cache.add(k, 1)), options((cache, o) => cache.add('k', 1, o))],
      replace: [key((cache, k) => cache.replace(k, 1)), options((cache, o) => cache.replace('k', 1, o))],
      compareAndSet: [
        key((cache, k) => cache.compareAndSet(k, undefined, 1)),
        [
          'version',
          (cache, wrong) => cache.compareAndSet('k', wrong as string, 1),
          (given) => isText(given) && given !== '',
        ],
        options((cache, o) => cache.compareAndSet('k', undefined, 1, o)),
      ],
      update: [
        key((cache, k) => cache.update(k, () => 1)),
        ['change', (cache, wrong) => cache.update('k', wrong as never), isFunction],
        options((cache, o) => cache.update('k', () => 1, o)),
      ],
      increment: [
        key((cache, k) => cache.increment(k)),
        ['delta', (cache, wrong) => cache.increment('n', wrong as number), isNumber],
        options((cache, o) => cache.increment('n', 1, o)),
      ],
      decrement: [
        key((cache, k) => cache.decrement(k)),
        ['delta', (cache, wrong) => cache.decrement('n', wrong as number), isNumber],
        options((cache, o) => cache.decrement('n', 1, o)),
      ],
      touch: [key((cache, k) => cache.touch(k)), options((cache, o) => cache.touch('k', o))],
      expire: [
        key((cache, k) => cache.expire(k, 1)),
        ['ttl', (cache, wrong) => cache.expire('k', wrong as number), isNumber],
      ],
      take: [key((cache, k) => cache.take(k))],
      delete: [key((cache, k) => cache.delete(k))],
      deleteMany: [['keys', (cache, wrong) => cache.deleteMany(wrong as string[]), isKeys]],
      deleteByTag: [
        ['a tag', (cache, wrong) => cache.deleteByTag(wrong as string), (given) => isText(given) && given !== ''],
      ],
      deleteByPrefix: [
        ['prefix', (cache, wrong) => cache.deleteByPrefix(wrong as string), (given) => isText(given) && given !== ''],
      ],
      keys: [['prefix', (cache, wrong) => collect(cache.keys(wrong as string)), isText]],
      withLock: [
        key((cache, k) => cache.withLock(k, () => 1)),
        ['work', (cache, wrong) => cache.withLock('k', wrong as never), isFunction],
        options((cache, o) => cache.withLock('k', () => 1, o)),
      ],
      rateLimit: [
        key((cache, k) => cache.rateLimit(k, { limit: 1, window: 1 })),
        ['options', (cache, wrong) => cache.rateLimit('k', wrong as never)],
        ['limit', (cache, wrong) => cache.rateLimit('k', { limit: wrong as number, window: 1 }), isNumber],
        ['window', (cache, wrong) => cache.rateLimit('k', { limit: 1, window: wrong as number }), isNumber],
      ],
      on: [
        ['event', async (cache, wrong) => cache.on(wrong as 'hit', () => {})],
        ['listener', async (cache, wrong) => cache.on('hit', wrong as never), isFunction],
      ],
      namespace: [
        ['name', async (cache, wrong) => cache.namespace(wrong as string), (given) => isText(given) && given !== ''],
      ],
    }
  })()

async function failureOf(
  call: () => Promise<unknown>,
): Promise<{ code?: unknown; operation?: unknown; cache?: unknown; message?: string } | undefined> {
  try {
    await call()
    return undefined
  } catch (error) {
    return error as { code?: unknown }
  }
}

for (const [name, open] of bothStores) {
  describe(`an invalid argument, on ${name}`, () => {
    for (const [method, cases] of Object.entries(calls)) {
      it(`${method} refuses an invalid argument with an error that names method and argument, and writes nothing`, async () => {
        for (const [argument, call, fine] of cases) {
          for (const wrong of nonsense) {
            if (fine?.(wrong) === true) continue
            const { cache } = open()
            const failure = await failureOf(() => call(cache, wrong))
            const where = `${method}, ${argument}: ${String(wrong)}`
            expect(failure?.code, where).toBe('INVALID_ARGUMENT')
            expect(failure?.operation, where).toBe(method)
            expect(failure?.cache, where).toBe('cache')
            expect(await collect(cache.keys()), where).toEqual([])
          }
        }
      })
    }

    it('every write and every load refuses invalid options', async () => {
      const { cache } = open()
      const wrongOptions = [
        { ttl: 'soon' },
        { staleFor: -1 },
        { tags: 'a' },
        { tags: [''] },
        { tags: [5] },
        { tags: { 0: 'a' } },
        { cost: -1 },
        { cost: Number.NaN },
        { cost: Infinity },
        { cost: '5' },
      ]
      const wrongLoading = [
        { refreshAhead: 1.1 },
        { refreshAhead: -0.1 },
        { refreshAhead: '0.5' },
        { earlyExpiry: -1 },
        { earlyExpiry: Infinity },
        { jitter: 2 },
        { lock: 1 },
        { readFailure: 'throw' },
        { signal: {} },
        { forceRefresh: 'yes' },
        { timeout: Number.NaN },
        { timeout: 0 },
      ]
      for (const options of wrongOptions) {
        for (const call of [
          () => cache.set('k', 1, options as never),
          () => cache.setMany({ k: 1 }, options as never),
          () => cache.add('k', 1, options as never),
          () => cache.replace('k', 1, options as never),
          () => cache.update('k', () => 1, options as never),
          () => cache.compareAndSet('k', undefined, 1, options as never),
        ])
          expect((await failureOf(call))?.code, JSON.stringify(options)).toBe('INVALID_ARGUMENT')
      }
      for (const options of [...wrongOptions, ...wrongLoading]) {
        expect(
          (await failureOf(() => cache.getOrSet('k', () => 1, options as never)))?.code,
          JSON.stringify(options),
        ).toBe('INVALID_ARGUMENT')
        expect((await failureOf(() => cache.getOrSetMany(['k'], () => ({ k: 1 }), options as never)))?.code).toBe(
          'INVALID_ARGUMENT',
        )
      }
      expect(await collect(cache.keys())).toEqual([])
    })

    it('a batch with one invalid key or entry is refused as a whole', async () => {
      const { cache } = open()
      for (const call of [
        () => cache.getMany(['a', 5 as never]),
        // biome-ignore lint/suspicious/noSparseArray: a hole is no key.
        () => cache.getMany(['a', , 'b'] as never),
        () => cache.deleteMany(['a', null as never]),
        () => cache.setMany([['a', 1], ['b']] as never),
        () =>
          cache.setMany([
            ['a', 1],
            [5, 1],
          ] as never),
        () =>
          cache.setMany(
            new Map([
              ['a', 1],
              [{}, 1],
            ] as never),
          ),
        () => cache.setMany('ab' as never),
      ])
        expect((await failureOf(call))?.code).toBe('INVALID_ARGUMENT')
      expect(await collect(cache.keys())).toEqual([])
    })
  })
}

describe('the options of a cache', () => {
  const backend = new MapBackend()

  it('an unknown or invalid option is refused by its name', () => {
    const wrong: Readonly<Record<string, readonly unknown[]>> = {
      backend: [undefined, null, {}, { get: () => {} }, 'redis', () => {}],
      ttl: [null, -1, 'soon', Number.NaN, true],
      staleFor: [null, -1, '1w'],
      tagTtl: [null, 0, -1],
      transformKey: [null, 'lower'],
      clock: [null, {}, 5, { now: 5 }, { now: () => 1, after: 5 }],
      random: [null, 0.5],
      namespace: [null, '', 5, [''], {}],
      timeout: [null, -1, 0],
      softTimeout: [null, -1],
      refreshAhead: [null, 2],
      earlyExpiry: [null, -1],
      retryAfter: [null, -1],
      nullTtl: [null, -1],
      jitter: [null, 2],
      lock: [null, 1],
      readFailure: [null, 'x'],
      logger: [null, 'console', {}, { warn() {} }, { error() {}, warn: 5 }, { error() {}, warn() {}, debug: true }],
    }
    for (const [option, values] of Object.entries(wrong)) {
      for (const value of values) {
        expect(() => new Cache({ backend, [option]: value } as CacheOptions), `${option}: ${String(value)}`).toThrow(
          expect.objectContaining({
            code: 'INVALID_ARGUMENT',
            operation: 'new Cache',
            message: expect.stringContaining(option),
          }),
        )
      }
    }
    for (const options of [undefined, null, 5, [], { backend, unknown: 1 }])
      expect(() => new Cache(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    expect(() => new SyncCache({ backend, softTimeout: 1 } as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
  })
})
