import type { BackendEvent, Item } from '@cache/core/backend'
import { expect, it } from 'vitest'
import { MemoryBackend } from '../src/index.ts'

let versions = 0
function item(key: string, value: unknown, more: Partial<Item> = {}): Item {
  return { key, value, version: `v${versions++}`, createdAt: 0, ...more }
}

it('a memory backend returns the item itself, so that a hit allocates nothing', async () => {
  const backend = new MemoryBackend({ maxEntries: 10 })
  const stored = item('a', { x: 1 }, { tags: { t: '1' }, cost: 5 })
  await backend.set(stored)
  expect(backend.sync.get('a')).toBe(stored)
  expect(await backend.get('a')).toBe(stored)
})

it('isolation clone separates the values of readers and writers', () => {
  const { sync } = new MemoryBackend({ maxEntries: 10, isolation: 'clone' })
  const value = { list: [1] }
  sync.set(item('a', value))
  value.list.push(2)
  const read = sync.get('a')?.value as typeof value
  expect(read).toEqual({ list: [1] })
  read.list.push(3)
  expect(sync.get('a')?.value).toEqual({ list: [1] })
})

it('isolation freeze stores the value itself and prevents changes', () => {
  const { sync } = new MemoryBackend({ maxEntries: 10, isolation: 'freeze' })
  const value = { deep: { list: [1] } }
  sync.set(item('a', value))
  expect(sync.get('a')?.value).toBe(value)
  expect(() => value.deep.list.push(2)).toThrow(TypeError)
  const date = { made: new Date(0), other: {} }
  expect(() => sync.set(item('a', date))).toThrow(
    expect.objectContaining({ code: 'NOT_STORABLE', key: 'a', backend: 'memory' }),
  )
  expect(Object.isFrozen(date.other)).toBe(false)
  expect(sync.get('a')?.value).toBe(value)
})

it('isolation freeze includes every member, even many, non-enumerable and symbol ones', () => {
  const { sync } = new MemoryBackend({ maxEntries: 10, isolation: 'freeze' })
  const symbol = Symbol('s')
  const value = { list: Array.from({ length: 500_000 }, (_, i) => ({ i })), [symbol]: { x: 1 } }
  Object.defineProperty(value, 'hidden', { value: { x: 1 } })
  let made = 0
  Object.defineProperty(value, 'computed', { get: () => made++, enumerable: true })
  sync.set(item('a', value))
  const read = sync.get('a')?.value as typeof value & { hidden: object }
  const parts = [read, read.list, read.list[0], read.list[499_999], read[symbol], read.hidden]
  expect(parts.map(Object.isFrozen)).toEqual(parts.map(() => true))
  expect(made).toBe(0)
})

it('isolation applies to dump and load too', () => {
  const clone = new MemoryBackend({ maxEntries: 10, isolation: 'clone' })
  const value = { list: [1] }
  expect(clone.load([{ key: 'a', value: item('a', value) }])).toBe(1)
  value.list.push(2)
  const dumped = clone.dump()
  for (const entry of dumped) (entry.value.value as typeof value).list.push(3)
  expect(clone.sync.get('a')?.value).toEqual({ list: [1] })
  const freeze = new MemoryBackend({ maxEntries: 10, isolation: 'freeze' })
  expect(freeze.load(dumped)).toBe(1)
  expect(Object.isFrozen(freeze.sync.get('a')?.value)).toBe(true)
  expect(() => freeze.load([{ key: 'b', value: item('b', new Date(0)) }])).toThrow(
    expect.objectContaining({ code: 'NOT_STORABLE', key: 'b', operation: 'load' }),
  )
})

it('a closed backend has no items and refuses every call', () => {
  const backend = new MemoryBackend({ maxEntries: 10 })
  backend.sync.set(item('a', 1))
  const dumped = backend.dump()
  backend.sync.close()
  for (const call of [() => backend.load(dumped), () => backend.dump(), () => backend.resize(5)]) {
    expect(call).toThrow(expect.objectContaining({ code: 'CLOSED', backend: 'memory' }))
  }
})

it('a backend refuses to load an item under another key', () => {
  const backend = new MemoryBackend({ maxEntries: 10 })
  const foreign: unknown[] = [
    { key: 'a', value: item('b', 1) },
    { key: 1, value: item('1', 1) },
    { key: 'a', value: 'text' },
    { key: 'a', value: null },
    { key: 'a' },
  ]
  for (const entry of foreign) {
    expect(() => backend.load([entry] as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  }
  expect(backend.sync.stats().items).toBe(0)
})

it('isolation clone refuses a value that cannot be cloned, and setMany then stores nothing', () => {
  const { sync } = new MemoryBackend({ maxEntries: 10, isolation: 'clone' })
  expect(() => sync.set(item('a', () => 1))).toThrow(expect.objectContaining({ code: 'NOT_STORABLE' }))
  expect(() => sync.setMany([item('b', 1), item('c', { f: () => 1 })])).toThrow(
    expect.objectContaining({ code: 'NOT_STORABLE' }),
  )
  expect(sync.get('b')).toBe(undefined)
})

it('listeners receive evictions and expiries only', () => {
  let now = 0
  const backend = new MemoryBackend({ maxEntries: 2, policy: 'lru', clock: { now: () => now } })
  const events: BackendEvent[] = []
  const stop = backend.listen((event) => events.push(event))
  backend.sync.set(item('a', 1))
  backend.sync.set(item('a', 2))
  backend.sync.set(item('b', 1, { expiresAt: 5 }))
  backend.sync.set(item('c', 1))
  now = 5
  backend.sync.get('b')
  backend.sync.delete('c')
  stop()
  backend.sync.set(item('d', 1))
  backend.sync.set(item('e', 1))
  backend.sync.set(item('f', 1))
  expect(events).toEqual([
    { type: 'evict', key: 'a', reason: 'entries' },
    { type: 'expire', key: 'b' },
  ])
  expect(backend.sync.stats()).toEqual({ items: 2, evictions: 2, expired: 1 })
})

it('a listener receives only events of the types that it named', () => {
  for (const member of ['backend', 'sync'] as const) {
    let now = 0
    const backend = new MemoryBackend({ maxEntries: 1, policy: 'lru', clock: { now: () => now } })
    const target = member === 'backend' ? backend : backend.sync
    const events: string[] = []
    const removers = (
      [
        ['evict', ['evict']],
        ['expire', ['expire']],
        ['both', ['evict', 'expire']],
        ['all', undefined],
        ['none', []],
        ['other', ['error']],
      ] as const
    ).map(([name, types]) =>
      target.listen((event) => events.push(`${name}: ${event.type} ${'key' in event ? event.key : ''}`), types),
    )
    backend.sync.set({ key: 'a', value: 1, version: '1', createdAt: 0 })
    backend.sync.set({ key: 'b', value: 1, version: '1', createdAt: 0, expiresAt: 5 })
    now = 5
    expect(backend.sync.get('b')).toBe(undefined)
    const expected = [
      'evict: evict a',
      'both: evict a',
      'all: evict a',
      'expire: expire b',
      'both: expire b',
      'all: expire b',
    ]
    expect([member, events]).toEqual([member, expected])
    for (const remove of removers) remove()
    backend.sync.set({ key: 'c', value: 1, version: '1', createdAt: 0 })
    backend.sync.set({ key: 'd', value: 1, version: '1', createdAt: 0 })
    expect([member, events]).toEqual([member, expected])
  }
})

it('maxBytes counts the cost of an item, else an estimate', () => {
  const { sync } = new MemoryBackend({ maxBytes: 10_000, policy: 'lru' })
  sync.set(item('a', 1, { cost: 4000 }))
  sync.set(item('b', 1, { cost: 4000 }))
  expect(sync.stats().size).toBe(8000)
  sync.set(item('c', 'x'.repeat(3000)))
  expect([sync.get('a'), sync.get('b')?.key, sync.get('c')?.key]).toEqual([undefined, 'b', 'c'])
  expect(sync.stats().size).toBeGreaterThan(7000)
})

it('weigh of the application overrides the cost', () => {
  const { sync } = new MemoryBackend({ maxBytes: 100, weigh: ({ value }) => value as number })
  sync.set(item('a', 30, { cost: 1e6 }))
  expect(sync.stats().size).toBe(30)
})

it('onRemoval receives every removed item with the reason', () => {
  const emitted: string[] = []
  const backend = new MemoryBackend({ maxEntries: 1, onRemoval: ({ key }, reason) => emitted.push(`${key} ${reason}`) })
  backend.sync.set(item('a', 1))
  backend.sync.set(item('b', 1))
  backend.sync.set(item('b', 2))
  backend.sync.delete('b')
  expect(emitted).toEqual(['a entries', 'b replaced', 'b deleted'])
})

it('a dump carries items over a restart, with their expiry times and versions', () => {
  const before = new MemoryBackend({ maxEntries: 100, clock: { now: () => 0 } })
  before.sync.set(item('a', 1, { expiresAt: 50 }))
  before.sync.set(item('b', 2))
  const dumped = structuredClone(before.dump())
  const after = new MemoryBackend({ maxEntries: 100, clock: { now: () => 49 } })
  expect(after.load(dumped)).toBe(2)
  expect([after.sync.get('a'), after.sync.get('b')]).toEqual([before.sync.get('a'), before.sync.get('b')])
  const later = new MemoryBackend({ maxEntries: 100, clock: { now: () => 50 } })
  expect(later.load(dumped)).toBe(1)
})

it('resize enforces the new limit', () => {
  const backend = new MemoryBackend({ maxEntries: 100 })
  for (let i = 0; i < 100; i += 1) backend.sync.set(item(`k${i}`, i))
  backend.resize(10)
  expect(backend.sync.stats()).toEqual({ items: 10, evictions: 90, expired: 0 })
})

it('an error for a bad option names the option', () => {
  const bad: [string, unknown][] = [
    ['maxEntries', {}],
    ['isolation', { maxEntries: 1, isolation: 'copy' }],
    ['onRemoval', { maxEntries: 1, onRemoval: 1 }],
    ['weigh', { maxEntries: 1, weigh: 1 }],
    ['name', { maxEntries: 1, name: '' }],
    ['ttl', { maxEntries: 1, ttl: 5 }],
    ['policy', { maxEntries: 1, policy: 'LRU' }],
  ]
  for (const [name, options] of bad) {
    expect(() => new MemoryBackend(options as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(name) }),
    )
  }
})
