import { expect, it } from 'vitest'
import { BackendKeys } from '../../src/table/backend-key.ts'
import { seed, seededRandom } from '../seeded-random.ts'

const pieces = [
  'a',
  '\ufeff',
  'b',
  '\\',
  '\0',
  '0',
  'u',
  'd83d',
  '/',
  '#',
  '\ud83d',
  '\ude00',
  '😀',
  '\uffff',
  '\u{10ffff}',
  'é',
]

function randomKey(random: () => number, most: number): string {
  const length = Math.floor(random() * most)
  return Array.from({ length }, () => pieces[Math.floor(random() * pieces.length)]).join('')
}

/** Compares by code points, like the collation "C" of a UTF-8 database. */
function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

it(`different keys have different, well-formed ids, and can be decoded (seed ${seed})`, () => {
  const random = seededRandom(seed)
  const names = new Map<string, string>()
  for (const prefix of ['', 'a', 'a\\', 'ab']) {
    const keys = new BackendKeys(prefix)
    for (let n = 0; n < 3000; n += 1) {
      const key = randomKey(random, n % 10 === 0 ? 1200 : 8)
      const { id, whole } = keys.encode(key)
      expect(Buffer.from(id).toString() === id && !id.includes('\0')).toBe(true)
      expect(Buffer.byteLength(id)).toBeLessThan(2704)
      expect(keys.decode(whole)).toBe(key)
      const name = JSON.stringify([prefix, key])
      expect(names.get(id) ?? name).toBe(name)
      names.set(id, name)
    }
  }
})

it(`the ranges of a prefix contain exactly the keys that begin with it (seed ${seed})`, () => {
  const random = seededRandom(seed)
  for (let n = 0; n < 300; n += 1) {
    const long = n % 3 === 0
    const keys = new BackendKeys(n % 2 === 0 ? '' : 'p')
    const prefix = randomKey(random, long ? 900 : 4)
    const ranges = keys.ranges(prefix)
    for (let m = 0; m < 60; m += 1) {
      const cut = prefix.slice(0, prefix.length - Math.floor(random() * 3))
      const key = (random() < 0.8 ? cut : '') + randomKey(random, long ? 500 : 4)
      const { id, whole } = keys.encode(key)
      const found = ranges.filter(
        ({ from, to, idFrom, idTo }) =>
          compare(id, idFrom) >= 0 &&
          (idTo === null || compare(id, idTo) < 0) &&
          compare(whole, from) >= 0 &&
          (to === null || compare(whole, to) < 0),
      )
      expect([JSON.stringify({ prefix, key }), found.length]).toEqual([
        JSON.stringify({ prefix, key }),
        key.startsWith(prefix) ? 1 : 0,
      ])
    }
  }
})
