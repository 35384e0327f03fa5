import { expect, it } from 'vitest'
import { learnPattern } from '../src/engine/key-pattern.ts'

/** As many keys as an index samples, at equal distances. */
function some(count: number, key: (entry: number) => string): string[] {
  return Array.from({ length: 256 }, (_, i) => key(Math.floor((i * count) / 256)))
}

/** The bits that number the keys, and the spare bits of an index. */
function bits(count: number): number {
  return Math.log2(count) + 9
}

it('the pattern of numbered keys contains each of their digits once', () => {
  expect([...learnPattern(some(1000, String), bits(1000))]).toEqual([-3, -2, -1])
  const padded = some(100_000, (entry) => `key:${String(entry).padStart(8, '0')}:v1`)
  expect([...learnPattern(padded, bits(100_000))]).toEqual([7, 8, 9, 10, 11])
  const profiles = some(1000, (entry) => `user:${entry}:profile`)
  expect(learnPattern(profiles, bits(1000)).length).toBe(3)
})

it('a pattern reads no more characters of random keys than necessary', () => {
  // Sixteen independent letters: four bits each.
  const letters = (entry: number): string =>
    Array.from({ length: 20 }, (_, at) =>
      (
        (Math.imul(entry + 1, 0x9e3779b1) ^
          Math.imul(at + 7, 0x85ebca6b) ^
          Math.imul((entry + 3) * (at + 11), 0xc2b2ae35)) >>>
        28
      ).toString(16),
    ).join('')
  const pattern = learnPattern(some(256, letters), 17)
  expect(pattern.length).toBeGreaterThanOrEqual(5)
  expect(pattern.length).toBeLessThanOrEqual(6)
})

it('a pattern distinguishes keys of two kinds that alternate', () => {
  const keys = Array.from({ length: 256 }, (_, i) => (i % 2 === 0 ? `${i}:aaaaaaaa` : `bbbbbbbb:${i}`))
  const pattern = [...learnPattern(keys, 17)]
  const read = (key: string): string => pattern.map((position) => key.at(position) ?? ' ').join('')
  expect(new Set(keys.map((key) => `${key.length} ${read(key)}`)).size).toBe(256)
})

it('keys that differ only in the middle give an empty pattern', () => {
  const keys = Array.from({ length: 100 }, (_, i) => `${'a'.repeat(60)}${String(i).padStart(5, '0')}${'b'.repeat(60)}`)
  expect(learnPattern(keys, 17).length).toBe(0)
  expect(learnPattern([], 17).length).toBe(0)
  expect(learnPattern([''], 17).length).toBe(0)
})
