import { expect, it } from 'vitest'
import { BoundedMap, type EvictionPolicy } from '../src/index.ts'
import { numbersFrom } from './random.ts'

const policies: readonly EvictionPolicy[] = [
  'adaptive',
  'lru',
  'lfu',
  'fifo',
  'sieve',
  's3-fifo',
  'w-tinylfu',
  'random',
]

it('an iteration begins with the entry that was used last', () => {
  const map = new BoundedMap<string, number>({ maxEntries: 10, policy: 'lru' })
  for (const [index, key] of ['a', 'b', 'c'].entries()) map.set(key, index)
  map.get('a')
  map.peek('b')
  expect([...map.keys()]).toEqual(['a', 'c', 'b'])
  expect([...map.values()]).toEqual([0, 2, 1])
  expect([...map]).toEqual([
    ['a', 0],
    ['c', 2],
    ['b', 1],
  ])
  const visited: unknown[] = []
  map.forEach((value, key, self) => {
    visited.push([key, value, self === map])
  })
  expect(visited).toEqual([
    ['a', 0, true],
    ['c', 2, true],
    ['b', 1, true],
  ])
  expect([...map.keys()].reverse()).toEqual(map.dump().map(({ key }) => key))
  expect(() => map.forEach(5 as never)).toThrow('visit must be a function, but was 5')
})

for (const policy of policies) {
  it(`entries that stay appear once while the map changes, with ${policy}`, () => {
    const random = numbersFrom(7)
    const below = (limit: number): number => Math.floor(random() * limit)
    const map = new BoundedMap<number, number>({ maxEntries: 50, policy, random })
    for (let key = 0; key < 50; key += 1) map.set(key, key)
    const seen = new Map<number, number>()
    for (const [key, value] of map.entries()) {
      expect(value % 1000).toBe(key)
      seen.set(key, (seen.get(key) ?? 0) + 1)
      const other = below(50)
      if (other % 3 === 0) {
        map.delete(other)
        map.set(other, other + 1000)
      }
      map.get(below(50))
    }
    expect([...seen.values()].every((times) => times === 1)).toBe(true)
    expect(seen.size).toBe(50)
  })
}

it('an iteration has no expired entry and no entry that was removed meanwhile', () => {
  let now = 0
  const map = new BoundedMap<string, number>({ maxEntries: 10, policy: 'lru', clock: { now: () => now } })
  map.set('short', 1, { ttl: 10 })
  map.set('gone', 1)
  map.set('first', 1)
  const found: string[] = []
  for (const key of map.keys()) {
    found.push(key)
    map.delete('gone')
    now = 10
  }
  expect(found).toEqual(['first'])
})

it('the remaining lifetime of an entry is its ttl', () => {
  let now = 0
  const map = new BoundedMap<string, number>({ maxEntries: 10, clock: { now: () => now } })
  map.set('forever', 1)
  map.set('short', 1, { ttl: 10 })
  now = 4
  expect([map.ttl('forever'), map.ttl('short'), map.ttl('absent')]).toEqual([Infinity, 6, undefined])
  now = 10
  expect(map.ttl('short')).toBe(undefined)
  expect(map.stats().hits).toBe(0)
})

it('with sliding, a get gives an entry its whole lifetime again, and peek does not', () => {
  let now = 0
  const options = { maxEntries: 100, ttl: 100, clock: { now: () => now } }
  const map = new BoundedMap<string, number>({ ...options, sliding: true })
  const fixed = new BoundedMap<string, number>(options)
  for (let index = 0; index < 60; index += 1) map.set(`filler ${index}`, index)
  map.set('default', 1)
  map.set('own', 2, { ttl: 30 })
  map.set('forever', 3, { ttl: Infinity })
  fixed.set('default', 1)
  for (let round = 0; round < 20; round += 1) {
    now += 29
    expect([map.get('default'), map.get('own'), map.get('forever')]).toEqual([1, 2, 3])
    expect([map.ttl('default'), map.ttl('own'), map.ttl('forever')]).toEqual([100, 30, Infinity])
  }
  expect(fixed.get('default')).toBe(undefined)
  now += 29
  map.peek('own')
  map.has('own')
  now += 1
  expect(map.get('own')).toBe(undefined)
  expect(map.size).toBeGreaterThan(0)
})

it('with sliding, loaded entries keep what was left of their lifetime', () => {
  let now = 0
  const map = new BoundedMap<string, number>({ maxEntries: 10, sliding: true, clock: { now: () => now } })
  expect(
    map.load([
      { key: 'a', value: 1, expiresAt: 50 },
      { key: 'b', value: 2 },
    ]),
  ).toBe(2)
  now = 40
  expect(map.get('a')).toBe(1)
  expect([map.ttl('a'), map.ttl('b')]).toEqual([50, Infinity])
  expect(() => map.load(5 as never)).toThrow('entries must be iterable')
  expect(() => new BoundedMap({ maxEntries: 1, sliding: 'yes' as never })).toThrow('sliding must be true or false')
})
