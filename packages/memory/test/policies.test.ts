import { expect, it } from 'vitest'
import { createEngine } from '../src/engine/create-engine.ts'
import { BoundedMap } from '../src/index.ts'
import { policyNames } from '../src/policy/create-policy.ts'
import { simulatePolicies } from '../src/simulate/index.ts'
import { naiveFifo, naiveLfu, naiveLru, naiveOptimal, naiveS3Fifo, naiveSieve } from './naive-policies.ts'
import { numbersFrom } from './random.ts'

const random = numbersFrom(42)
const skewed = Array.from({ length: 20_000 }, () => Math.floor(random() ** 3 * 400))

/** The traffic for each policy: popular keys; a loop; popular keys mixed with a loop; keys used a few times within a short time. */
const logs: Record<string, number[]> = {
  skewed: skewed.slice(0, 5000),
  loop: Array.from({ length: 3000 }, (_, i) => i % 130),
  'loop and skew': skewed.slice(0, 5000).map((key, i) => (i % 3 === 0 ? 1000 + ((i / 3) % 90) : key)),
  recent: Array.from({ length: 4000 }, (_, i) => Math.floor(i / 4) - Math.floor(random() ** 2 * 60) + 60),
}

const naive = {
  fifo: naiveFifo,
  lru: naiveLru,
  lfu: naiveLfu,
  sieve: naiveSieve,
  's3-fifo': naiveS3Fifo,
  optimal: naiveOptimal,
}

for (const [policy, hits] of Object.entries(naive)) {
  it(`${policy} has exactly the hits of a naive implementation`, () => {
    for (const [name, keys] of Object.entries(logs)) {
      for (const size of [1, 2, 10, 37, 100]) {
        const [row] = simulatePolicies(keys, { policies: [policy as 'lru'], sizes: [size] })
        expect([name, size, row?.hits]).toEqual([name, size, hits(keys, size)])
      }
    }
  })
}

for (const policy of policyNames) {
  it(`${policy} keeps the newest entry at every size`, () => {
    for (const maxEntries of [1, 2, 3, 50]) {
      const map = new BoundedMap<number, number>({ maxEntries, policy, random: numbersFrom(1) })
      for (const key of skewed.slice(0, 3000)) {
        if (map.get(key) === undefined) map.set(key, key)
        expect(map.peek(key)).toBe(key)
        expect(map.size).toBeLessThanOrEqual(maxEntries)
      }
    }
  })

  it(`${policy} does not evict everything for one huge entry`, () => {
    const map = new BoundedMap<string, number>({
      maxBytes: 1000,
      weigh: (weight) => weight,
      policy,
      random: numbersFrom(1),
    })
    for (let i = 0; i < 100; i += 1) map.set(`small:${i}`, 10)
    for (let round = 0; round < 3; round += 1) for (let i = 0; i < 100; i += 1) map.get(`small:${i}`)
    expect(map.size).toBe(100)
    expect(map.set('huge', 900)).toBe(false)
    expect(map.size).toBe(100)
    map.set('large', 450)
    expect(map.size).toBeGreaterThan(50)
    expect(map.stats().bytes).toBeLessThanOrEqual(1000)
  })

  it(`${policy} creates a dump that a new map loads with the same entries`, () => {
    const map = new BoundedMap<number, number>({
      maxEntries: 100,
      policy,
      random: numbersFrom(1),
      clock: { now: () => 0 },
    })
    for (const key of skewed.slice(0, 5000))
      if (map.get(key) === undefined) map.set(key, key * 2, key % 2 ? { ttl: 1000 } : {})
    const dumped = structuredClone(map.dump())
    const copy = new BoundedMap<number, number>({
      maxEntries: 100,
      policy,
      random: numbersFrom(2),
      clock: { now: () => 999 },
    })
    expect(copy.load(dumped)).toBe(100)
    expect([...copy.entries()].sort()).toEqual([...map.entries()].sort())
    const later = new BoundedMap<number, number>({
      maxEntries: 100,
      policy,
      random: numbersFrom(2),
      clock: { now: () => 1000 },
    })
    later.load(dumped)
    expect([...later.keys()].every((key) => key % 2 === 0)).toBe(true)
  })
}

for (const policy of ['w-tinylfu', 'adaptive'] as const) {
  it(`${policy} admits a huge entry only if it was requested more often than the entries it would evict`, () => {
    const map = new BoundedMap<string, number>({ maxBytes: 1000, weigh: (weight) => weight, policy, random: () => 0.5 })
    for (let i = 0; i < 100; i += 1) map.set(`small:${i}`, 10)
    for (let i = 0; i < 100; i += 1) map.get(`small:${i}`)
    map.set('large', 400)
    expect([map.size, map.peek('large')]).toEqual([100, undefined])
    for (let i = 0; i < 8; i += 1) map.set('large', 400)
    expect(map.peek('large')).toBe(400)
    expect(map.stats().bytes).toBeLessThanOrEqual(1000)
  })
}

/** Generated traffic of many kinds: recency, loops, drifting popularity, scans and phases. */
function traffic(): Record<string, number[]> {
  const draw = numbersFrom(7)
  const skew = (n: number): number => Math.floor(n * draw() ** 4)
  let fresh = 1e6
  const recent = (i: number): number => (i % 3 === 0 ? fresh++ : fresh - 1 - Math.floor(draw() * 30))
  const make = (length: number, key: (i: number) => number): number[] => Array.from({ length }, (_, i) => key(i))
  return {
    skewed: make(60_000, () => skew(10_000)),
    drifting: make(60_000, (i) => skew(10_000) + Math.floor(i / 20)),
    recency: make(60_000, recent),
    loop: make(60_000, (i) => i % 1500),
    'loop and skew': make(60_000, (i) => (i % 2 === 0 ? 1e5 + ((i >> 1) % 1200) : skew(5000))),
    'scan and skew': make(60_000, (i) => (i % 5000 < 1500 ? 1e7 + i : skew(10_000))),
    'one hit': make(60_000, (i) => (draw() < 0.6 ? 1e8 + i : skew(10_000))),
    phases: make(120_000, (i) => [recent(i), 1e9 + (i % 1500), skew(10_000)][Math.floor(i / 40_000)] as number),
  }
}

it('adaptive loses little against the best other policy on every traffic', () => {
  const losses: [string, number, number][] = []
  for (const [name, keys] of Object.entries(traffic())) {
    for (const size of [100, 400, 1000]) {
      const rows = simulatePolicies(keys, { sizes: [size] })
      const ratio = (policy: string): number =>
        100 * (rows.find((row) => row.policy === policy)?.hitRatio ?? Number.NaN)
      const others = rows.filter(({ policy }) => policy !== 'adaptive' && policy !== 'optimal')
      const best = 100 * Math.max(...others.map(({ hitRatio }) => hitRatio))
      expect(ratio('optimal')).toBeGreaterThanOrEqual(best)
      expect(ratio('optimal')).toBeGreaterThanOrEqual(ratio('adaptive'))
      losses.push([name, size, Math.max(0, best - ratio('adaptive'))])
    }
  }
  const mean = losses.reduce((sum, [, , loss]) => sum + loss, 0) / losses.length
  console.log(
    losses.map(([name, size, loss]) => `${name} ${size}: ${loss.toFixed(2)}`).join(', '),
    'mean',
    mean.toFixed(2),
  )
  expect(mean).toBeLessThan(0.9)
  for (const [name, size, loss] of losses) expect([name, size, loss < 7]).toEqual([name, size, true])
})

it('adaptive enlarges the window if keys evicted from it return more often than those of the main part', () => {
  const draw = numbersFrom(5)
  const keys = Array.from({ length: 120_000 }, (_, i) => {
    const step = Math.floor(i / 3)
    // One new key, one key used again after 300 others, and one popular key.
    return i % 3 === 0 ? 1e6 + step : i % 3 === 1 ? 1e6 + step - 300 : Math.floor(2000 * draw() ** 3)
  })
  const rows = simulatePolicies(keys, { policies: ['adaptive', 'w-tinylfu', 'lru'], sizes: [1000] })
  const [adaptive, wTinyLfu, lru] = rows.map(({ hitRatio }) => 100 * hitRatio) as [number, number, number]
  expect(lru - wTinyLfu).toBeGreaterThan(15)
  expect(lru - adaptive).toBeLessThan(12)
})

it('adaptive loses little against the best other policy with weights too', () => {
  const draw = numbersFrom(11)
  const keys = Array.from({ length: 40_000 }, () => Math.floor(2000 * draw() ** 3))
  const weights = keys.map((key) => 1 + ((key * 7919) % 97))
  for (const size of [900, 4500, 18_000]) {
    const rows = simulatePolicies(keys, { sizes: [size], weights })
    const ratio = (policy: string): number => 100 * (rows.find((row) => row.policy === policy)?.hitRatio ?? Number.NaN)
    const others = rows.filter(({ policy }) => policy !== 'adaptive' && policy !== 'optimal')
    const best = 100 * Math.max(...others.map(({ hitRatio }) => hitRatio))
    expect([size, best - ratio('adaptive') < 4]).toEqual([size, true])
  }
})

it('adaptive examines few slots per eviction after a large cache was made small', () => {
  const engine = createEngine<number, number>({ maxEntries: 100_000, policy: 'adaptive' }, undefined, 'test')
  for (let i = 0; i < 100_000; i += 1) engine.set(i, i, Number.POSITIVE_INFINITY)
  engine.resize(100)
  let looks = 0
  engine.slots.meta = new Proxy(engine.slots.meta, {
    get: (meta, name) => {
      looks += 1
      return meta[name as unknown as number]
    },
    set: (meta, name, value) => {
      meta[name as unknown as number] = value
      return true
    },
  })
  for (let i = 0; i < 1000; i += 1) engine.set(-1 - i, i, Number.POSITIVE_INFINITY)
  // The remaining slots are a thousand apart.
  expect(looks / 1000).toBeLessThan(400)
  expect(engine.slots.count).toBe(100)
})

it('adaptive counts every hit once, in the window or in the main part', () => {
  const engine = createEngine<number, number>({ maxEntries: 1000, policy: 'adaptive' }, undefined, 'test')
  for (let i = 0; i < 100; i += 1) engine.set(i, i, Number.POSITIVE_INFINITY)
  const { policy } = engine as unknown as { policy: { hits: number; windowHits: number } }
  const before = [policy.hits, policy.windowHits]
  for (let i = 0; i < 500; i += 1) engine.get(i % 100)
  expect(policy.hits - (before[0] as number)).toBe(500)
  const window = policy.windowHits - (before[1] as number)
  expect(window).toBeGreaterThan(0)
  expect(window).toBeLessThan(500)
})
