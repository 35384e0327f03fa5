import { expect, it } from 'vitest'
import { BoundedMap } from '../src/index.ts'
import { FrequencySketch } from '../src/policy/frequency-sketch.ts'
import { GhostTable } from '../src/policy/ghost-table.ts'
import { simulatePolicies } from '../src/simulate/index.ts'
import { numbersFrom } from './random.ts'
import { referenceWTinyLfu } from './reference-w-tinylfu.ts'

/** A new hash at each call. */
function hashesFrom(seed: number): () => number {
  const random = numbersFrom(seed)
  return () => (random() * 2 ** 32) | 0
}

it('the sketch keeps every count when it grows', () => {
  const sketch = new FrequencySketch()
  const next = hashesFrom(1)
  const counted: [hash: number, times: number][] = []
  for (let entries = 16; entries <= 2 ** 16; entries *= 2) {
    sketch.grow(entries)
    for (const [hash, times] of counted) expect(sketch.frequency(hash)).toBeGreaterThanOrEqual(times)
    // Few additions at each size, so that none of them ages the counts.
    const hash = next()
    const times = 1 + (counted.length % 7)
    for (let i = 0; i < times; i += 1) sketch.add(hash)
    counted.push([hash, times])
  }
  expect(counted.length).toBe(13)
})

it('the growth of a sketch does not restart the additions until counts are halved', () => {
  const sketch = new FrequencySketch()
  const next = hashesFrom(2)
  const hash = next()
  sketch.grow(16)
  for (let i = 0; i < 8; i += 1) sketch.add(hash)
  for (let i = 0; i < 142; i += 1) sketch.add(next())
  sketch.grow(1024)
  const others = 10 * 1024 - 151
  for (let i = 0; i < others; i += 1) sketch.add(next())
  const before = sketch.frequency(hash)
  expect(before).toBeGreaterThanOrEqual(8)
  // Additions to full counters do not count, so it takes a few more than the exact number.
  for (let i = 0; i < 100; i += 1) sketch.add(next())
  expect(sketch.frequency(hash)).toBeLessThanOrEqual(Math.ceil(before / 2) + 1)
})

it('an unknown hash has a count as seldom as with independent counters', () => {
  const entries = 2 ** 15
  const sketch = new FrequencySketch()
  const next = hashesFrom(3)
  sketch.grow(entries)
  for (let i = 0; i < 4 * entries; i += 1) sketch.add(next())
  let counted = 0
  for (let i = 0; i < entries; i += 1) if (sketch.frequency(next()) > 0) counted += 1
  // A row of a block has 32 counters, and got 32 additions in the mean.
  const expected = (1 - (1 - 1 / 32) ** 32) ** 4
  expect(counted / entries).toBeLessThan(1.1 * expected)
})

/** Files that are read in turn, the later ones more seldom. The counts from before the cache was full decide what to keep. */
function readsOfFiles(seed: number): number[] {
  const random = numbersFrom(seed)
  const count = 30
  const lengths = Array.from({ length: count }, () => 10 + Math.floor(random() * 60))
  const keys: number[] = []
  for (let round = 0; round < 6; round += 1) {
    for (const [file, length] of lengths.entries()) {
      if (round > 0 && random() < 0.8 * (file / count)) continue
      for (let block = 0; block < length; block += 1) keys.push(file * 1000 + block)
    }
  }
  return keys
}

it('w-tinylfu loses at most 2 points in the mean to a reference implementation on files read in turn', () => {
  const logs = [1, 2, 3, 4, 5, 6, 7, 8].map(readsOfFiles)
  for (const size of [300, 500, 700, 1000]) {
    let lost = 0
    for (const keys of logs) {
      const [row] = simulatePolicies(keys, { policies: ['w-tinylfu'], sizes: [size] })
      lost += (referenceWTinyLfu(keys, size) - (row?.hits ?? 0)) / keys.length
    }
    // Before sketches kept their counts, it lost 5 to 16 points.
    expect([size, (100 * lost) / logs.length < 2]).toEqual([size, true])
  }
})

it('w-tinylfu reaches nearly the hit ratio of numbers with strings, whose hashes change while the cache fills', () => {
  const hitRatio = (keys: readonly (number | string)[], seed: number): number => {
    const map = new BoundedMap<number | string, true>({
      maxEntries: 700,
      policy: 'w-tinylfu',
      random: numbersFrom(seed),
    })
    for (const key of keys) if (map.get(key) === undefined) map.set(key, true)
    return map.stats().hits / keys.length
  }
  let numbers = 0
  let strings = 0
  for (let seed = 1; seed <= 8; seed += 1) {
    const keys = readsOfFiles(seed)
    numbers += hitRatio(keys, seed)
    strings += hitRatio(
      keys.map((key) => `block:${key}`),
      seed,
    )
  }
  // Without the counts of earlier hashes it loses 11 points. Counts that stay at earlier hashes cost the rest.
  expect((100 * (numbers - strings)) / 8).toBeLessThan(4)
})

it('the ghost table keeps every key when it grows', () => {
  const ghosts = new GhostTable()
  const next = hashesFrom(4)
  const added: number[] = []
  for (let entries = 16; entries <= 2 ** 12; entries *= 2) {
    ghosts.grow(entries)
    const hash = next()
    ghosts.add(hash, 1 + (added.length % 15), added.length % 2 === 0)
    added.push(hash)
  }
  for (const [i, hash] of added.entries()) {
    expect(ghosts.take(hash)).toBe(true)
    expect([ghosts.found.frequency, ghosts.found.rejected]).toEqual([1 + (i % 15), i % 2 === 0])
  }
  expect(added.length).toBe(9)
})
