import { type CacheBackend, cacheErrorCode } from '@cache/core'
import type { Item } from '@cache/core/backend'
import { InProcessBus, LayeredBackend } from '@cache/layered'
import { BoundedMap, MemoryBackend } from '@cache/memory'
import { simulatePolicies } from '@cache/memory/simulate'
import { failover, ResilientBackend } from '@cache/resilient'
import { ShardedBackend } from '@cache/sharded'
import { describe, expect, it } from 'vitest'

function memory(): MemoryBackend {
  return new MemoryBackend({ maxEntries: 100 })
}

function item(key: string, value: unknown = 1): Item {
  return { key, value, version: `version of ${key}`, createdAt: 0 }
}

/** The code of the error that the call throws or rejects with, or `accepted`. */
async function outcomeOf(call: () => unknown): Promise<string | undefined> {
  try {
    await call()
    return 'accepted'
  } catch (error) {
    return cacheErrorCode(error) ?? String(error)
  }
}

/** Values that are neither a string nor `undefined`. */
const noStrings = [
  null,
  1,
  Number.NaN,
  true,
  1n,
  Symbol('s'),
  {},
  [],
  ['k'],
  new Map(),
  () => 'k',
  Promise.resolve('k'),
]
const noArrays = [
  undefined,
  null,
  'abc',
  1,
  {},
  new Set(['k']),
  { length: 1, 0: 'k' },
  Promise.resolve(['k']),
  () => ['k'],
]
const noItems = [
  undefined,
  null,
  'k',
  1,
  {},
  { key: 'k' },
  { key: 1, version: 'v' },
  ['k', 1],
  new Map([['key', 'k']]),
  Promise.resolve(item('k')),
]
const noInstants = [null, '60', Number.NaN, new Date(), {}]

const sparse: string[] = ['k']
sparse[2] = 'l'

/** Each wrong call of the members of `CacheBackend`. */
const wrongCalls: readonly (readonly [
  string,
  (backend: Required<CacheBackend>, given: never) => unknown,
  readonly unknown[],
])[] = [
  ['set(x)', (backend, given) => backend.set(given), noItems],
  ['set(item with expiresAt x)', (backend, given) => backend.set({ ...item('k', 2), expiresAt: given }), noInstants],
  ['delete(x)', (backend, given) => backend.delete(given), [undefined, ...noStrings]],
  ['clear(x)', (backend, given) => backend.clear(given), noStrings],
  ['getMany(x)', (backend, given) => backend.getMany(given), noArrays],
  ['getMany of [x]', (backend, given) => backend.getMany(['k', given]), [undefined, ...noStrings]],
  ['setMany(x)', (backend, given) => backend.setMany(given), noArrays],
  ['setMany of [x]', (backend, given) => backend.setMany([item('new'), given]), noItems],
  ['deleteMany(x)', (backend, given) => backend.deleteMany(given), noArrays],
  ['deleteMany of [x]', (backend, given) => backend.deleteMany(['k', given]), [undefined, ...noStrings]],
  ['deleteMany of a sparse array', (backend) => backend.deleteMany(sparse), [undefined]],
  [
    'compareAndSet(x)',
    (backend, given) => backend.compareAndSet(given, undefined, item('new')),
    [undefined, ...noStrings],
  ],
  ['compareAndSet(key, x)', (backend, given) => backend.compareAndSet('new', given, item('new')), noStrings],
  [
    'compareAndSet(key, version, x)',
    (backend, given) => backend.compareAndSet('k', item('k').version, given),
    noItems.slice(1),
  ],
  [
    'compareAndSet with the item of another key',
    (backend) => backend.compareAndSet('new', undefined, item('k')),
    [undefined],
  ],
  [
    'compareAndSet with swapped arguments',
    (backend) => backend.compareAndSet('k', item('k') as never, item('k').version as never),
    [undefined],
  ],
  ['increment(x)', (backend, given) => backend.increment(given, 1), [undefined, ...noStrings]],
  [
    'increment(key, x)',
    (backend, given) => backend.increment('n', given),
    [undefined, null, '1', 0.5, Number.NaN, Infinity, 1n, {}],
  ],
  ['increment(key, 1, x)', (backend, given) => backend.increment('new', 1, given), noInstants],
  ['keys(x)', (backend, given) => collect(backend.keys(given)), noStrings],
  ['listen(x)', (backend, given) => backend.listen(given), [undefined, null, 'error', {}, []]],
  [
    'listen(listener, x)',
    (backend, given) => backend.listen(() => {}, given),
    [null, 'error', 1, {}, ['eror'], [undefined], ['toString'], new Set(['error'])],
  ],
]

async function collect(keys: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const key of keys) all.push(key)
  return all
}

const backends: Readonly<Record<string, (part: MemoryBackend) => CacheBackend>> = {
  'the memory backend': (part) => part,
  'the synchronous memory backend': (part) => part.sync as never,
  'the layered backend': (part) => new LayeredBackend({ layers: [memory(), part], bus: new InProcessBus() }),
  'the sharded backend': (part) =>
    new ShardedBackend({ shards: { part, other: part === undefined ? part : memory() } }),
  'the resilient backend': (part) => new ResilientBackend({ backend: part }),
  'the failover backend': (part) => failover([part, memory()]),
}

/** All keys, values and versions. A read of `sync` gives an iterator, and one of the others an asynchronous iterator. */
async function contentsOf(backend: Required<CacheBackend>): Promise<unknown[]> {
  const keys = (await collect(backend.keys())).sort()
  return await Promise.all(keys.map((key) => backend.get(key)))
}

describe.each(Object.entries(backends))('%s', (_, build) => {
  it.each(wrongCalls)('refuses %s before any change', async (__, call, values) => {
    for (const given of values) {
      const backend = build(memory()) as Required<CacheBackend>
      for (const stored of [item('k'), item('l'), item('n', 7)]) await backend.set(stored)
      const before = await contentsOf(backend)
      expect(await outcomeOf(() => call(backend, given as never)), String(Object.prototype.toString.call(given))).toBe(
        'INVALID_ARGUMENT',
      )
      expect(await contentsOf(backend)).toEqual(before)
    }
  })
})

describe('BoundedMap', () => {
  const calls: readonly (readonly [
    string,
    (map: BoundedMap<string, unknown>, given: never) => unknown,
    readonly unknown[],
  ])[] = [
    ['set without a value', (map) => map.set('new', undefined), [undefined]],
    [
      'set with x as options',
      (map, given) => map.set('k', 2, given),
      [null, 60, '1m', true, [], [60], () => {}, new Map([['ttl', 60]]), Promise.resolve({ ttl: 60 }), new Date(), 5n],
    ],
    [
      'set with options x',
      (map, given) => map.set('k', 2, given),
      [{ TTL: 60 }, { ttl: 60, policy: 'lru' }, { expiresAt: 60 }],
    ],
    [
      'set with the lifetime x',
      (map, given) => map.set('k', 2, { ttl: given }),
      [0, -1, Number.NaN, null, '', '60', 'soon', '-1s', '1m ', {}, 60n, true],
    ],
    [
      'delete with x as well',
      (map, given) => (map.delete as (...keys: string[]) => unknown)('k', given),
      ['l', undefined],
    ],
    ['clear(x)', (map, given) => (map.clear as (prefix: string) => void)(given), ['k', undefined, null, {}]],
    [
      'resize(x)',
      (map, given) => map.resize(given),
      [undefined, null, 0, -1, 0.5, Number.NaN, Infinity, '10', 2 ** 31],
    ],
    ['load(x)', (map, given) => map.load(given), [undefined, null, 1, {}, Promise.resolve([])]],
    [
      'load of [x]',
      (map, given) => map.load([given]),
      [
        undefined,
        null,
        1,
        'entry',
        {},
        { key: 'k' },
        { key: 'new', value: 1, expiresAt: '60' },
        { key: 'new', value: 1, expiresAt: Number.NaN },
      ],
    ],
  ]

  it.each(calls)('refuses %s before any change', async (_, call, values) => {
    for (const given of values) {
      const map = new BoundedMap<string, unknown>({ maxEntries: 10 })
      map.set('k', 1)
      map.set('l', 1)
      const before = map.dump()
      expect(await outcomeOf(() => call(map, given as never)), String(given as string)).toBe('INVALID_ARGUMENT')
      expect(map.dump()).toEqual(before)
      expect(map.size).toBe(2)
    }
  })

  it('accepts any key but takes it as it is, and reads of other keys find nothing', () => {
    const map = new BoundedMap<unknown, number>({ maxEntries: 10 })
    const keys = [undefined, null, Number.NaN, {}, [], Symbol('s'), 1n, () => {}]
    for (const [index, key] of keys.entries()) map.set(key, index)
    expect(keys.map((key) => map.get(key))).toEqual(keys.map((_, index) => index))
    expect(map.get({})).toBe(undefined)
  })
})

describe('constructors and functions', () => {
  const noOptions = [undefined, null, 1, 'redis', [], new Map(), Promise.resolve({}), () => {}, new Date(), {}]

  it.each([
    ['new BoundedMap', (given: never) => new BoundedMap(given)],
    ['new MemoryBackend', (given: never) => new MemoryBackend(given)],
    ['new LayeredBackend', (given: never) => new LayeredBackend(given)],
    ['new ShardedBackend', (given: never) => new ShardedBackend(given)],
    ['new ResilientBackend', (given: never) => new ResilientBackend(given)],
    ['failover', (given: never) => failover(given)],
    ['simulatePolicies', (given: never) => simulatePolicies(['k'], given)],
  ])('%s refuses wrong options', async (_, make) => {
    for (const given of noOptions) {
      expect(await outcomeOf(() => make(given as never)), Object.prototype.toString.call(given)).toBe(
        'INVALID_ARGUMENT',
      )
    }
  })

  it.each([
    ['maxEntries', [0, -1, 0.5, Number.NaN, Infinity, '10', 10n, null, 2 ** 30 + 1]],
    ['maxBytes', [0, -1, 0.5, Number.NaN, '10', 10n, null]],
    ['maxEntryBytes', [0, -1, 0.5, Number.NaN, '10', null]],
    ['policy', ['LRU', '', null, 1, {}, () => {}, 'toString']],
    ['weigh', [1, 'cost', null, {}]],
    ['onRemoval', [1, null, {}, 'log']],
    ['random', [1, null, {}]],
    ['clock', [1, null, {}, { now: 1 }]],
    ['capacity', [1]],
  ])('BoundedMap and MemoryBackend refuse wrong values of %s', async (name, values) => {
    for (const given of values) {
      const options = { maxEntries: 10, maxBytes: 1000, [name]: given }
      expect(await outcomeOf(() => new BoundedMap(options as never)), `BoundedMap ${String(given)}`).toBe(
        'INVALID_ARGUMENT',
      )
      expect(await outcomeOf(() => new MemoryBackend(options as never)), `MemoryBackend ${String(given)}`).toBe(
        'INVALID_ARGUMENT',
      )
    }
  })

  it.each([
    ['layers', [undefined, null, {}, 'memory', [], [memory()], new Set([memory(), memory()])]],
    ['bus', [null, {}, 'redis', new Map(), { publish: () => {} }, Promise.resolve(new InProcessBus())]],
    ['nearTtl', [null, 0, -1, Number.NaN, '1', {}, true]],
    ['tagWindow', [null, -1, Number.NaN, '1', Infinity]],
    ['maxOutage', [null, -1, Number.NaN, '1', '1 m', {}, true]],
    [
      'recovery',
      [
        null,
        true,
        1,
        [],
        new Map(),
        { maxPending: '1' },
        { retries: 1 },
        { retryDelay: -1 },
        { maxRetryDelay: Infinity },
      ],
    ],
    ['closeParts', [null, 0, 'no', {}]],
    ['clock', [null, 1, {}]],
    ['maxoutage', ['1m']],
  ])('LayeredBackend refuses wrong values of %s', async (name, values) => {
    for (const given of values) {
      const options = { layers: [memory(), memory()], [name]: given }
      expect(
        await outcomeOf(() => new LayeredBackend(options as never)),
        String(Object.prototype.toString.call(given)),
      ).toBe('INVALID_ARGUMENT')
    }
  })

  it('MemoryBackend refuses wrong arguments of its own members', async () => {
    for (const backend of [memory(), memory().sync]) {
      for (const given of [undefined, null, 0, -1, 0.5, '10', Infinity]) {
        expect(await outcomeOf(() => backend.resize(given as never))).toBe('INVALID_ARGUMENT')
      }
      for (const given of [
        undefined,
        null,
        1,
        {},
        [undefined],
        [1],
        [{ key: 'k', value: item('l') }],
        [{ key: 1, value: item('k') }],
      ]) {
        expect(await outcomeOf(() => backend.load(given as never))).toBe('INVALID_ARGUMENT')
      }
    }
  })
})

describe('InProcessBus', () => {
  it('refuses to publish anything but a bus message', async () => {
    const bus = new InProcessBus()
    const received: unknown[] = []
    await bus.subscribe({ message: (message) => received.push(message), connected() {}, disconnected() {} })
    const wrong = [
      undefined,
      null,
      'k',
      {},
      { kind: 'delete' },
      { kind: 'delete', source: 's' },
      { kind: 'delete', source: 's', keys: 'abc' },
      { kind: 'delete', source: 's', keys: [1] },
      { kind: 'delete', keys: ['k'] },
      { kind: 'set', source: 's', keys: ['k'] },
      { kind: 'set', source: 's', keys: ['k'], versions: [] },
      { kind: 'clear', source: 's' },
      { kind: 'foreign', source: 's', keys: 'k' },
      { kind: 'remove', source: 's', keys: ['k'] },
      Promise.resolve({ kind: 'delete', source: 's', keys: ['k'] }),
    ]
    for (const given of wrong) {
      expect(await outcomeOf(() => bus.publish(given as never)), JSON.stringify(given)).toBe('INVALID_ARGUMENT')
    }
    expect(received).toEqual([])
  })

  it('refuses to subscribe anything but a listener', async () => {
    const bus = new InProcessBus()
    for (const given of [
      undefined,
      null,
      () => {},
      {},
      { message: () => {} },
      { message: 1, connected() {}, disconnected() {} },
    ]) {
      expect(await outcomeOf(() => bus.subscribe(given as never))).toBe('INVALID_ARGUMENT')
    }
  })
})
