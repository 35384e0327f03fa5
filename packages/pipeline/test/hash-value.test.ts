import { isDeepStrictEqual } from 'node:util'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { hashText } from '../src/hashing/hash-text.ts'
import { hashValue } from '../src/hashing/hash-value.ts'
import { keyOf } from '../src/hashing/node-key.ts'
import { ownHash, hashOf as publicHashOf } from '../src/index.ts'

const hashOf = (value: unknown): string => hashValue(value, () => 'the value').hash

class Model {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  [ownHash](): string {
    return this.text
  }
}

class Other extends Model {}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

/** Different data that other hashes take for equal. */
const pairs: Readonly<Record<string, readonly [unknown, unknown]>> = {
  'the two zeros': [0, -0],
  'NaN and null': [Number.NaN, null],
  'Infinity and null': [Number.POSITIVE_INFINITY, null],
  'undefined and null': [undefined, null],
  'a member that is undefined, and none': [{ a: undefined }, {}],
  'a date and its text': [new Date(0), new Date(0).toJSON()],
  'a date and its time': [new Date(0), 0],
  'an invalid date and NaN': [new Date(Number.NaN), Number.NaN],
  'a bigint and a number': [1n, 1],
  'a bigint and its text': [1n, '1'],
  'a number and its text': [1, '1'],
  'true and its text': [true, 'true'],
  'a set and an array': [new Set([1]), [1]],
  'a set and an empty object': [new Set([1]), {}],
  'two sets': [new Set([1]), new Set([2])],
  'a map and an object': [new Map([['a', 1]]), { a: 1 }],
  'two maps': [new Map([[1, 2]]), new Map([[1, 3]])],
  'a map with a number and one with a text': [new Map([[1, 2]]), new Map([['1', 2]])],
  'an empty array and an empty object': [[], {}],
  'two texts and one with a comma': [['a', 'b'], ['a,b']],
  'nested and flat arrays': [
    [[1], 2],
    [1, [2]],
  ],
  'an array and an object with its indexes': [['a'], { 0: 'a' }],
  'lone surrogates': ['\ud800', '\udfff'],
  'a lone surrogate and the replacement character': ['\ud800', '\ufffd'],
  'composed and decomposed letters': ['é', 'e\u0301'],
  'bytes and an array': [bytes(1), [1]],
  'bytes and a buffer': [bytes(1), Buffer.of(1)],
  'bytes and clamped bytes': [bytes(1), Uint8ClampedArray.of(1)],
  'bytes and an array buffer': [bytes(1), bytes(1).buffer],
  'bytes of different lengths': [bytes(1), bytes(1, 0)],
  'floats of the two zeros': [Float64Array.of(0), Float64Array.of(-0)],
  'patterns with different flags': [/a/g, /a/i],
  'a pattern and its text': [/a/, 'a'],
  'an instance with a hash of its own and that text': [new Model('a'), 'a'],
  'instances of two classes with one hash': [new Model('a'), new Other('a')],
}

describe('the hash of a value', () => {
  it.each(Object.entries(pairs))('differs for %s', (_, [one, other]) => {
    expect(hashOf(one)).not.toBe(hashOf(other))
    expect(hashOf([one])).not.toBe(hashOf([other]))
    expect(hashOf({ a: one })).not.toBe(hashOf({ a: other }))
  })

  it('is equal for no two different values of the pairs', () => {
    const values = Object.values(pairs).flat()
    const hashes = values.map(hashOf)
    for (const [index, one] of values.entries())
      for (const [other, hash] of hashes.slice(0, index).entries())
        expect(hash === hashes[index]).toBe(isDeepStrictEqual(one, values[other]))
  })

  it('is equal for equal data, whatever the order of their members is', () => {
    expect(hashOf({ a: 1, b: [new Date(5)] })).toBe(hashOf({ b: [new Date(5)], a: 1 }))
    expect(hashOf(new Set(['a', 1]))).toBe(hashOf(new Set([1, 'a'])))
    expect(hashOf(Object.assign(Object.create(null), { a: 1 }))).toBe(hashOf({ a: 1 }))
    expect(hashOf(runInNewContext('({ a: [new Uint8Array([1]), /x/g] })'))).toBe(hashOf({ a: [bytes(1), /x/g] }))
    expect(hashOf(bytes(0, 1, 2).subarray(1))).toBe(hashOf(bytes(1, 2)))
    expect(hashOf(new Model('a'))).toBe(hashOf(new Model('a')))
  })

  it('is refused with the path of the part that has none', () => {
    class Money {}
    const circle: unknown[] = []
    circle.push(circle)
    const cases: readonly (readonly [unknown, string])[] = [
      [() => 1, 'a function at value,'],
      [{ a: [Symbol('s')] }, 'a symbol at value.a[0],'],
      [{ price: new Money() }, 'an instance of Money at value.price,'],
      [new Error('no data'), 'an instance of Error at value,'],
      [circle, 'an array with a cycle'],
      [Array(2), 'a hole'],
      [new WeakMap(), 'an instance of WeakMap at value,'],
    ]
    for (const [value, text] of cases) {
      expect(() => hashOf(value)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
      expect(() => hashOf(value)).toThrow(text)
      expect(() => hashOf(value)).toThrow(/^the value /)
    }
    let deep: unknown = 1
    for (let level = 0; level < 100_000; level += 1) deep = [deep]
    expect(() => hashOf(deep)).toThrow('nested too deeply')
    expect(() => hashOf({ [ownHash]: () => 1 })).toThrow('must return a string')
  })

  it('is that of the public `hashOf`', () => {
    expect(publicHashOf({ a: [1] })).toBe(hashOf({ a: [1] }))
    expect(() => publicHashOf(() => 1)).toThrow('hashOf: the value has a function at value,')
  })

  it('comes with about the size of the value', () => {
    expect(hashValue(bytes(...Array(1000).fill(1)), () => '').bytes).toBeGreaterThan(1000)
    expect(hashValue('x'.repeat(500), () => '').bytes).toBe(505)
  })
})

describe('the hash of a text', () => {
  it('is SHA-256 as base64url', () => {
    expect(hashText('abc')).toBe('ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0')
  })
})

describe('the key of a result', () => {
  it('differs where only the borders of its parts differ', () => {
    expect(keyOf(['ab', 'c'])).not.toBe(keyOf(['a', 'bc']))
    expect(keyOf(['1:a'])).not.toBe(keyOf(['a']))
    expect(keyOf([])).not.toBe(keyOf(['']))
  })
})
