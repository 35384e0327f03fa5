import { expect, it } from 'vitest'
import { createEngine } from '../src/engine/create-engine.ts'
import { loadEngine } from '../src/engine/dump.ts'
import { BoundedMap, estimateBytes } from '../src/index.ts'

function codeOf(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return (error as { code?: string }).code
  }
  return undefined
}

it('a bounded map holds at most as many entries as it may', () => {
  const map = new BoundedMap<string, number>({ maxEntries: 2, policy: 'lru' })
  map.set('a', 1)
  map.set('b', 2)
  expect(map.get('a')).toBe(1)
  map.set('c', 3)
  expect([...map.entries()].sort()).toEqual([
    ['a', 1],
    ['c', 3],
  ])
  expect([...map.keys()].sort()).toEqual(['a', 'c'])
  expect([...map].length).toBe(2)
  expect(map.stats()).toEqual({
    hits: 1,
    misses: 0,
    sets: 3,
    deletes: 0,
    evictions: { entries: 1, bytes: 0, oversize: 0 },
    expired: 0,
    entries: 2,
    bytes: 2,
  })
})

it('onRemoval receives every removed entry with the reason', () => {
  let now = 0
  const emitted: unknown[] = []
  const map = new BoundedMap<string, string>({
    maxEntries: 2,
    maxBytes: 10,
    weigh: (value) => value.length,
    policy: 'lru',
    clock: { now: () => now },
    onRemoval: (key, value, reason) => emitted.push(`${key} ${value} ${reason}`),
  })
  map.set('a', '1')
  map.set('a', '2')
  map.set('b', '3')
  map.set('c', '4')
  map.delete('b')
  map.set('d', '5', { ttl: 1 })
  now = 1
  map.get('d')
  map.set('e', '123456')
  map.set('f', '12345')
  map.set('g', '12345')
  map.set('h', '67890')
  map.clear()
  expect(emitted).toEqual([
    'a 1 replaced',
    'a 2 entries',
    'b 3 deleted',
    'd 5 expired',
    'e 123456 oversize',
    'c 4 entries',
    'f 12345 entries',
    'g 12345 cleared',
    'h 67890 cleared',
  ])
})

it('maxBytes evicts entries until the rest fits, also after an entry grows', () => {
  const map = new BoundedMap<string, number>({
    maxBytes: 100,
    maxEntryBytes: 100,
    weigh: (value) => value,
    policy: 'lru',
  })
  map.set('a', 40)
  map.set('b', 40)
  map.set('c', 40)
  expect([...map.keys()].sort()).toEqual(['b', 'c'])
  map.set('b', 70)
  expect([...map.keys()]).toEqual(['b'])
  expect(map.stats()).toMatchObject({ bytes: 70, evictions: { entries: 0, bytes: 2, oversize: 0 } })
  expect(map.set('b', 101)).toBe(false)
  expect([map.size, map.stats().bytes, map.stats().evictions.oversize]).toEqual([0, 0, 1])
})

it('onRemoval may call the map again', () => {
  const map: BoundedMap<number, number> = new BoundedMap<number, number>({
    maxEntries: 10,
    policy: 'lru',
    onRemoval: (key, value, reason) => {
      if (reason === 'entries' && key < 1000) map.set(key + 1000, value)
      if (reason === 'deleted') map.clear()
    },
  })
  for (let i = 0; i < 100; i += 1) map.set(i, i)
  expect(map.size).toBe(10)
  map.delete([...map.keys()][0] as number)
  expect(map.size).toBe(0)
  map.set(1, 1)
  expect(map.get(1)).toBe(1)
})

it('a key that onRemoval sets during its expiry has one entry', () => {
  let now = 0
  const map: BoundedMap<string, number> = new BoundedMap<string, number>({
    maxEntries: 10,
    clock: { now: () => now },
    onRemoval: (key, _value, reason) => {
      if (reason === 'expired') map.set(key, 7)
    },
  })
  map.set('a', 1, { ttl: 5 })
  now = 5
  map.set('a', 2)
  expect([map.size, map.get('a')]).toEqual([1, 2])
})

it('a set after a miss stores one entry, whatever happened in between', () => {
  const map = new BoundedMap<string, number>({
    maxEntries: 2000,
    // Looks up the key of every entry that it weighs, and sets another entry, which also grows the index.
    weigh: (value, key) => {
      if (value !== 1) return 1
      map.get(key)
      map.set(`${key}, other`, 2)
      map.get(key)
      return 1
    },
  })
  for (let i = 0; i < 500; i += 1) {
    expect(map.get(`key:${i}`)).toBe(undefined)
    map.set(`key:${i}`, 1)
    map.set(`key:${i}`, 3)
    expect([map.get(`key:${i}`), map.get(`key:${i}, other`)]).toEqual([3, 2])
    expect(map.size).toBe(2 * i + 2)
  }
  map.get('late')
  map.resize(10)
  map.set('late', 3)
  map.get('later')
  map.clear()
  map.set('later', 3)
  expect([...map.keys()]).toEqual(['later'])
})

it('an entry that onRemoval sets during clear stays, or onRemoval receives it too', () => {
  for (const count of [1, 10, 100]) {
    const emitted: string[] = []
    const map = new BoundedMap<string, number>({
      maxEntries: 1000,
      onRemoval: (key, value) => {
        emitted.push(key)
        if (value === 1) map.set(`${key}, again`, 2)
      },
    })
    for (let i = 0; i < count; i += 1) map.set(`key:${i}`, 1)
    map.clear()
    const again = Array.from({ length: count }, (_, i) => `key:${i}, again`)
    expect([...emitted.filter((key) => key.endsWith('again')), ...map.keys()].sort()).toEqual(again.sort())
    for (const key of map.keys()) expect(map.get(key)).toBe(2)
    map.clear()
    expect(map.size).toBe(0)
    expect(emitted.length).toBe(2 * count)
  }
})

it('load repeats at most 15 uses of an entry, whatever the dump says', () => {
  const engine = createEngine<string, number>({ maxEntries: 10, policy: 'lfu' }, undefined, 'test')
  const hit = engine.policy.hit.bind(engine.policy)
  let hits = 0
  engine.policy.hit = (slot) => {
    if (++hits > 1000) throw new Error('it goes on and on')
    hit(slot)
  }
  for (const uses of [Number.POSITIVE_INFINITY, 1e9, 15]) {
    hits = 0
    expect(loadEngine(engine, [{ key: `${uses}`, value: 1, uses }])).toBe(1)
    expect(hits).toBe(15)
  }
  for (const uses of [Number.NaN, -1, Number.NEGATIVE_INFINITY]) {
    hits = 0
    expect(loadEngine(engine, [{ key: `${uses}`, value: 1, uses }])).toBe(1)
    expect(hits).toBe(0)
  }
})

it('load refuses entries that cannot come from a dump', () => {
  const map = new BoundedMap<string, unknown>({ maxEntries: 10 })
  const bad: unknown[] = [
    5,
    null,
    undefined,
    [null],
    ['a'],
    [{ key: 'a' }],
    [{ key: 'a', value: undefined }],
    [{ key: 'a', value: 1, expiresAt: Number.NaN }],
    [{ key: 'a', value: 1, expiresAt: 'tomorrow' }],
    [{ key: 'a', value: 1, expiresAt: null }],
  ]
  for (const entries of bad)
    expect([entries, codeOf(() => map.load(entries as never))]).toEqual([entries, 'INVALID_ARGUMENT'])
  expect(map.size).toBe(0)
})

it('resize evicts at once, and the map grows again after a larger limit', () => {
  const map = new BoundedMap<number, number>({ maxEntries: 1000, policy: 'lru' })
  for (let i = 0; i < 1000; i += 1) map.set(i, i)
  map.resize(10)
  expect([...map.keys()].sort((a, b) => a - b)).toEqual([990, 991, 992, 993, 994, 995, 996, 997, 998, 999])
  map.resize(2000)
  for (let i = 0; i < 3000; i += 1) map.set(i, i)
  expect([map.size, map.get(999), map.get(1000)]).toEqual([2000, undefined, 1000])
})

it('clear leaves an empty map that can be used again', () => {
  const map = new BoundedMap<number, number>({ maxEntries: 100 })
  for (let round = 0; round < 3; round += 1) {
    for (let i = 0; i < 300; i += 1) map.set(i, i)
    expect(map.size).toBe(100)
    map.clear()
    expect([map.size, map.get(299), [...map.keys()]]).toEqual([0, undefined, []])
  }
})

it('an entry that stays during an iteration appears once, whatever else changes', () => {
  const map = new BoundedMap<number, number>({ maxEntries: 100_000 })
  for (let i = 0; i < 1000; i += 1) map.set(i, i)
  const seen = new Map<number, number>()
  let next = 1000
  for (const key of map.keys()) {
    seen.set(key, (seen.get(key) ?? 0) + 1)
    if (key % 2 === 1) map.delete(key)
    if (next < 3000) map.set(next++, 0)
  }
  for (let i = 0; i < 1000; i += 2) expect([i, seen.get(i)]).toEqual([i, 1])
})

it('a dump carries the uses of entries to the map that loads it', () => {
  const map = new BoundedMap<number, number>({ maxEntries: 100 })
  for (let i = 0; i < 100; i += 1) map.set(i, i)
  for (let round = 0; round < 5; round += 1) for (let i = 0; i < 10; i += 1) map.get(i)
  const copy = new BoundedMap<number, number>({ maxEntries: 100 })
  expect(copy.load(map.dump())).toBe(100)
  expect(
    copy
      .dump()
      .filter(({ uses }) => uses === 5)
      .map(({ key }) => key)
      .sort((a, b) => a - b),
  ).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

it('bad arguments are refused before a write', () => {
  const make = (options: unknown) => () => new BoundedMap(options as never)
  const bad: unknown[] = [
    undefined,
    null,
    {},
    { maxEntries: 0 },
    { maxEntries: 1.5 },
    { maxEntries: '10' },
    { maxEntries: Number.NaN },
    { maxEntries: -1 },
    { maxEntries: 2 ** 31 },
    { maxBytes: 0 },
    { maxEntries: 1, ttl: -1 },
    { maxEntries: 1, ttl: 0 },
    { maxEntries: 1, ttl: '10' },
    { maxEntries: 1, policy: 'arc' },
    { maxEntries: 1, policy: 'toString' },
    { maxEntries: 1, max: 5 },
    { maxEntries: 1, onRemoval: 1 },
    { maxEntries: 1, weigh: 'x' },
    { maxEntries: 1, clock: {} },
    { maxEntries: 1, random: 4 },
    { maxBytes: 10, maxEntryBytes: 11 },
  ]
  for (const options of bad) expect([options, codeOf(make(options))]).toEqual([options, 'INVALID_ARGUMENT'])
  const map = new BoundedMap<string, unknown>({ maxBytes: 10, weigh: (value) => value as number })
  expect(codeOf(() => map.set('a', undefined))).toBe('INVALID_ARGUMENT')
  for (const weight of [Number.NaN, -1, Number.POSITIVE_INFINITY, '3', null])
    expect([weight, codeOf(() => map.set('a', weight))]).toEqual([weight, 'INVALID_ARGUMENT'])
  for (const ttl of [0, -1, Number.NaN, 'soon', '5'])
    expect([ttl, codeOf(() => map.set('a', 1, { ttl } as never))]).toEqual([ttl, 'INVALID_ARGUMENT'])
  for (const size of [0, -1, 1.5, '3', undefined, 2 ** 30 + 1])
    expect([size, codeOf(() => map.resize(size as never))]).toEqual([size, 'INVALID_ARGUMENT'])
  expect(map.size).toBe(0)
})

it('estimateBytes counts strings, buffers and members, and terminates on cycles and large values', () => {
  const ring: Record<string, unknown> = {}
  ring.self = ring
  expect(estimateBytes('x'.repeat(1000))).toBe(1016)
  expect(estimateBytes(new Uint8Array(5000))).toBe(5040)
  expect(estimateBytes(ring)).toBeLessThan(100)
  expect(estimateBytes({ a: 'x'.repeat(100), b: [1, 2, 3] })).toBe(24 + 16 + 116 + 16 + 24 + 24)
  const giant = Array.from({ length: 1_000_000 }, (_, i) => i)
  expect(estimateBytes(giant)).toBeGreaterThan(8_000_000)
})
