import { expect, it, onTestFinished, vi } from 'vitest'
import { createEngine } from '../src/engine/create-engine.ts'
import type { Engine } from '../src/engine/engine.ts'
import { KeyHasher } from '../src/engine/key-hasher.ts'
import { checkEngine } from './check-engine.ts'
import { numbersFrom, testSeed } from './random.ts'

const blockFactor = 0xcc9e2d51

/** The inverse of an odd number modulo 2^32 (Newton's iteration). */
function inverse(odd: number): number {
  let x = odd
  for (let i = 0; i < 5; i += 1) x = Math.imul(x, 2 - Math.imul(odd, x))
  return x
}

function rotate(word: number): number {
  return (word << 13) | (word >>> 19)
}

/** Strings of four characters with one hash for the seed, if hashed whole: the last two characters compensate for the first two. */
function collidingKeys(count: number, seed: number): string[] {
  const target = Math.imul(0x1234567, inverse(blockFactor))
  return Array.from({ length: count }, (_, i) => {
    const first = (i & 0xff) | ((i >> 8) << 16)
    const state = Math.imul(rotate(seed ^ 4) ^ first, blockFactor)
    const second = rotate(state) ^ target
    return String.fromCharCode(first & 0xffff, first >>> 16, second & 0xffff, second >>> 16)
  })
}

function engineWith(random: () => number, maxEntries: number): Engine<string | number, number> {
  return createEngine<string | number, number>({ maxEntries, policy: 'fifo', random }, undefined, 'test')
}

/** Counts the compared keys and the moved cells per operation of the work. Times would depend on the machine. */
function comparisons(engine: Engine<string | number, number>, operations: number, work: () => void): number {
  const { slots } = engine
  const keyAt = slots.keyAt.bind(slots)
  let count = 0
  slots.keyAt = (slot) => {
    count += 1
    return keyAt(slot)
  }
  work()
  slots.keyAt = keyAt
  return count / operations
}

function flood(engine: Engine<string | number, number>, keys: readonly (string | number)[]): number {
  const each = comparisons(engine, keys.length * 4, () => {
    for (const [i, key] of keys.entries()) engine.set(key, i, Number.POSITIVE_INFINITY)
    for (const [i, key] of keys.entries()) expect(engine.get(key)).toBe(i)
    for (const key of keys) expect(engine.get(`${key}, absent`)).toBe(undefined)
    for (const key of keys.slice(0, keys.length / 2)) expect(engine.delete(key)).toBe(true)
    for (const key of keys.slice(0, keys.length / 2)) expect(engine.get(key)).toBe(undefined)
  })
  expect(engine.slots.count).toBe(keys.length - Math.floor(keys.length / 2))
  checkEngine(engine)
  return each
}

const honest = Array.from({ length: 20_000 }, (_, i) => `user:${i}:profile`)

it('an index compares about one key per look-up of ordinary keys', () => {
  expect(
    flood(
      engineWith(() => 0.25, 20_000),
      honest,
    ),
  ).toBeLessThan(3)
})

it('keys that collide under a known seed cost a bounded number of comparisons', () => {
  const random = (): number => 0.25
  const seed = 2 ** 30
  const keys = collidingKeys(20_000, seed)
  expect(new Set(keys).size).toBe(20_000)
  expect(flood(engineWith(random, 20_000), keys)).toBeLessThan(12)
})

it('keys that collide under every seed of the source end in a Map at a bounded cost', () => {
  // The attacker knows the source of random numbers, and so the final seed with which whole strings are hashed.
  const seed = 2 ** 30
  for (const known of [seed, ~seed]) {
    const engine = engineWith(() => 0.25, 60_000)
    // Long keys that differ only beyond the reach of patterns make the index hash whole strings first.
    const hidden = Array.from(
      { length: 2000 },
      (_, i) => `${'a'.repeat(60)}${String(i).padStart(5, '0')}${'b'.repeat(60)}`,
    )
    for (const key of hidden) engine.set(key, 0, Number.POSITIVE_INFINITY)
    expect(engine.index.hasher.whole).toBe(true)
    for (const key of hidden) engine.delete(key)
    const cost = flood(engine, collidingKeys(20_000, known))
    expect(cost).toBeLessThan(24)
    if (engine.index.hasher.seed === known) expect(engine.index.overflow?.size).toBeGreaterThan(9_000)
  }
})

/**
 * Strings that have one hash under every seed, when hashed whole: of each four characters there are two forms, which differ in the highest bit
 * of the first two, where multiplying by an odd number leaves it, and in the bit of the next two that it is turned to.
 */
function keysThatAlwaysCollide(count: number): string[] {
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: 16 }, (_, bit) =>
      ((i >> bit) & 1) === 0 ? 'abcd' : `a${String.fromCharCode(0x8062)}${String.fromCharCode(0x1063)}d`,
    ).join(''),
  )
}

it('keys that collide under every possible seed cost a bounded number of comparisons', () => {
  const keys = keysThatAlwaysCollide(20_000)
  for (const seed of [1, -77, 0x5eed]) {
    const whole = new KeyHasher(seed, undefined, true)
    expect(new Set(keys.map((key) => whole.hash(key))).size).toBe(1)
  }
  const engine = engineWith(Math.random, 40_000)
  for (const key of honest) engine.set(key, 1, Number.POSITIVE_INFINITY)
  const before = comparisons(engine, honest.length, () => {
    for (const key of honest) engine.get(key)
  })
  for (const key of keys) engine.set(key, 2, Number.POSITIVE_INFINITY)
  const after = comparisons(engine, honest.length, () => {
    for (const key of honest) engine.get(key)
  })
  // Ordinary keys cost hardly more.
  expect(after - before).toBeLessThan(2)
  for (const key of honest) engine.delete(key)
  expect(flood(engine, keys)).toBeLessThan(24)
})

it('long keys that differ only in the middle cost as much as ordinary keys', () => {
  const keys = Array.from(
    { length: 20_000 },
    (_, i) => `${'a'.repeat(100)}${String(i).padStart(6, '0')}${'b'.repeat(100)}`,
  )
  expect(flood(engineWith(numbersFrom(7), 20_000), keys)).toBeLessThan(4)
})

it('keys with a new form get a new pattern that distinguishes them', () => {
  const engine = engineWith(numbersFrom(7), 20_000)
  for (let i = 0; i < 20_000; i += 1) engine.set(`user:${i}`, i, Number.POSITIVE_INFINITY)
  const keys = Array.from({ length: 20_000 }, (_, i) => `session:${String(i * 7919).padStart(12, '0')}:00000000`)
  expect(flood(engine, keys)).toBeLessThan(6)
})

it('a pattern is learned from both kinds of keys that were set in turn', () => {
  const engine = engineWith(numbersFrom(7), 4096)
  for (let i = 0; i < 4096; i += 1) {
    engine.set(i % 2 === 0 ? `user:${i}` : `${String(i * 7919).padStart(10, '0')}:order`, i, Number.POSITIVE_INFINITY)
  }
  const sample = (engine.index as unknown as { sample(): string[] }).sample()
  const users = sample.filter((key) => key.startsWith('user:'))
  expect(sample.length).toBe(256)
  expect(new Set(sample).size).toBe(256)
  expect(users.length).toBeGreaterThan(64)
  expect(users.length).toBeLessThan(192)
})

it('keys with ascending numbers are distinguished by a few characters, however many there are', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const engine = engineWith(numbersFrom(seed), 30_000)
    const keys = Array.from({ length: 30_000 }, (_, i) => `user:${i}`)
    expect(flood(engine, keys)).toBeLessThan(3)
    expect(engine.index.hasher.pattern?.length).toBeLessThan(8)
  }
})

it('keys in the overflow map stay present when a small index gets another seed', () => {
  const engine = engineWith(() => 0.25, 1000)
  const { index } = engine
  const before = index.hasher.seed
  // These collide under the next seed, when strings are hashed whole. The others collide now, in groups of six: all of them
  // stay in the cells, and no pattern distinguishes them.
  const later = collidingKeys(20, ~before)
  const now = Array.from({ length: 60 }, (_, i) => `${'a'.repeat(60)}${i % 6}${'b'.repeat(60)}${Math.floor(i / 6)}`)
  const overflowed: boolean[] = []
  for (const [i, key] of [...later, ...now].entries()) {
    const earlier = index.overflow !== undefined
    engine.set(key, i, Number.POSITIVE_INFINITY)
    if (index.hasher.seed === ~before && overflowed.length === 0) overflowed.push(earlier, index.overflow !== undefined)
  }
  expect(overflowed).toEqual([false, true])
  expect(index.hasher).toMatchObject({ seed: ~before, whole: true })
  expect(index.overflow?.size).toBeGreaterThan(8)
  for (const [i, key] of [...later, ...now].entries()) expect(engine.get(key)).toBe(i)
  checkEngine(engine)
  for (const key of [...later, ...now]) expect(engine.delete(key)).toBe(true)
  expect(index.overflow).toBe(undefined)
})

it('improbably long runs of filled cells cause a new seed', () => {
  const engine = engineWith(numbersFrom(3), 40_000)
  const { index } = engine
  for (let i = 0; i < 22_000; i += 1) engine.set(i, i, Number.POSITIVE_INFINITY)
  const before = index.hasher.seed
  // The attacker knows the seed: the home cells of its numbers are adjacent.
  const at = (home: number): number => unmix(home) ^ before
  engine.clear()
  for (let i = 0; i < 20_000; i += 1) engine.set(at(i >> 1), i, Number.POSITIVE_INFINITY)
  for (let i = 0; i < 20_000; i += 2) engine.delete(at(i >> 1))
  for (let i = 0; i < 20_000; i += 1) engine.set(-1 - i, i, Number.POSITIVE_INFINITY)
  checkEngine(engine)
})

/** The inverse of the finalizer of MurmurHash3. */
function unmix(hash: number): number {
  let h = hash
  h ^= h >>> 16
  h = Math.imul(h, inverse(0xc2b2ae35))
  h ^= (h >>> 13) ^ (h >>> 26)
  h = Math.imul(h, inverse(0x85ebca6b))
  return h ^ (h >>> 16)
}

it('a growing index moves a few cells at each insertion, never the whole table', () => {
  const engine = engineWith(numbersFrom(5), 300_000)
  const index = engine.index as unknown as { place(key: unknown, slot: number): void }
  const place = index.place.bind(index)
  let placed = 0
  index.place = (key, slot) => {
    placed += 1
    place(key, slot)
  }
  let most = 0
  for (let i = 0; i < 300_000; i += 1) {
    placed = 0
    engine.set(`key:${i}`, i, Number.POSITIVE_INFINITY)
    if (engine.slots.count > 2000) most = Math.max(most, placed)
  }
  expect(most).toBeLessThan(20)
  checkEngine(engine)
})

it('keys of every kind are found as in a Map', () => {
  const object = {}
  const symbol = Symbol('s')
  const keys: unknown[] = [
    '',
    '0',
    0,
    -0,
    1,
    -1,
    0.5,
    2 ** 31,
    2 ** 53,
    -1e300,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    10n,
    true,
    null,
    undefined,
    object,
    symbol,
  ]
  const engine = createEngine<unknown, number>({ maxEntries: 100, policy: 'lru' }, undefined, 'test')
  const model = new Map<unknown, number>()
  for (const [i, key] of keys.entries()) {
    engine.set(key, i, Number.POSITIVE_INFINITY)
    model.set(key, i)
  }
  for (const key of [...keys, {}, 2, '1']) expect(engine.get(key)).toBe(model.get(key))
  expect(engine.slots.count).toBe(model.size)
  for (const key of keys) expect(engine.delete(key)).toBe(model.delete(key))
})

it('an index agrees with a Map in a random walk that grows, shrinks and floods it', () => {
  const random = numbersFrom(testSeed('index'))
  const engine = engineWith(random, 5000)
  const model = new Map<string | number, number>()
  const bad = collidingKeys(3000, 1)
  for (let step = 0; step < 60_000; step += 1) {
    const i = Math.floor(random() * 3000)
    const key = step < 20_000 ? `key:${i}` : step < 40_000 ? (bad[i] as string) : i * 0.5
    if (random() < 0.6 && model.size < 5000) {
      engine.set(key, step, Number.POSITIVE_INFINITY)
      model.set(key, step)
    } else expect(engine.delete(key)).toBe(model.delete(key))
    if (step % 20_000 === 19_999) {
      checkEngine(engine)
      for (const old of [...model.keys()].slice(0, 2500)) {
        expect(engine.delete(old)).toBe(true)
        model.delete(old)
      }
    }
  }
  for (const [key, value] of model) expect(engine.get(key)).toBe(value)
  expect(engine.slots.count).toBe(model.size)
})

it('an index that was made smaller grows again', () => {
  const engine = engineWith(numbersFrom(9), 100_000)
  for (let i = 0; i < 60_000; i += 1) engine.set(`key:${i}`, i, Number.POSITIVE_INFINITY)
  engine.resize(1400)
  engine.resize(100_000)
  // The last entries have stayed.
  for (let i = 0; i < 5000; i += 1) engine.set(`more:${i}`, i, Number.POSITIVE_INFINITY)
  expect(engine.index.overflow?.size ?? 0).toBe(0)
  checkEngine(engine)
  for (let i = 58_600; i < 60_000; i += 1) expect(engine.delete(`key:${i}`)).toBe(true)
  for (let i = 0; i < 5000; i += 1) expect(engine.get(`more:${i}`)).toBe(i)
  checkEngine(engine)
})

it('a cache of nine million entries still works after 2^24 insertions, where a Map throws', {
  timeout: 300_000,
}, () => {
  const maxEntries = 9_000_000
  const engine = createEngine<number, number>({ maxEntries, policy: 'lru' }, undefined, 'test')
  const last = 2 ** 24 + 200_000
  for (let i = 0; i <= last; i += 1) engine.set(i, i, Number.POSITIVE_INFINITY)
  expect(engine.slots.count).toBe(maxEntries)
  expect(engine.get(last)).toBe(last)
})

it('a map holds more than 2^24 entries, where a Map throws', { timeout: 600_000 }, () => {
  const entries = 2 ** 24 + 200_000
  const engine = createEngine<number, number>({ maxEntries: entries, policy: 'fifo' }, undefined, 'test')
  for (let i = 0; i < entries + 10; i += 1) engine.set(i, i, Number.POSITIVE_INFINITY)
  expect(engine.slots.count).toBe(entries)
  expect(engine.get(9)).toBe(undefined)
  for (const key of [10, 2 ** 24 - 1, 2 ** 24, 2 ** 24 + 1, entries + 9]) expect(engine.get(key)).toBe(key)
  for (let key = 10; key < entries; key += 9973) expect(engine.get(key)).toBe(key)
})

it('an index without a source of its own draws a secure seed when it first grows', () => {
  const draw = vi.spyOn(globalThis.crypto, 'getRandomValues')
  onTestFinished(() => draw.mockRestore())
  const engine = createEngine<string, number>({ maxEntries: 1000 }, undefined, 'test')
  const keys = Array.from({ length: 100 }, (_, number) => `key ${number}`)
  for (const key of keys.slice(0, 11)) engine.set(key, 1, Number.POSITIVE_INFINITY)
  expect(draw).not.toHaveBeenCalled()
  for (const key of keys) engine.set(key, 2, Number.POSITIVE_INFINITY)
  expect(draw).toHaveBeenCalledTimes(1)
  expect(engine.index.hasher.seed).not.toBe(0)
  expect(keys.map((key) => engine.get(key))).toEqual(keys.map(() => 2))
})
