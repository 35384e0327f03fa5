import { runInNewContext } from 'node:vm'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { brandOf } from '../../src/values/brand-of.ts'

/** The expression of each brand. Also evaluated in another realm. */
const expressions: readonly (readonly [brand: string, expression: string])[] = [
  ['Object', '({ a: 1 })'],
  ['null prototype', 'Object.create(null)'],
  ['Array', '[1, [2]]'],
  ['Date', 'new Date(0)'],
  ['Map', 'new Map([[1, 2]])'],
  ['Set', 'new Set([1])'],
  ['RegExp', '/a/g'],
  ['ArrayBuffer', 'new ArrayBuffer(2)'],
  ['DataView', 'new DataView(new ArrayBuffer(2))'],
  ...[
    'Int8',
    'Uint8',
    'Uint8Clamped',
    'Int16',
    'Uint16',
    'Int32',
    'Uint32',
    'Float32',
    'Float64',
    'BigInt64',
    'BigUint64',
  ].map((name) => [`${name}Array`, `new ${name}Array(2)`] as const),
  ['Error', 'new Error("e")'],
  ['Error', 'new RangeError("e")'],
  ['Error', 'new AggregateError([])'],
]

/** Expressions of objects without a brand. */
const others: readonly string[] = [
  'new (class Point { x = 1 })()',
  'new (class Table extends Map {})()',
  'new (class List extends Array {})()',
  'new (class Bytes extends Uint8Array {})()',
  'new (class Failure extends Error {})()',
  'new (class Moment extends Date {})()',
  'Object.create(Array.prototype)',
  'Object.create(Date.prototype)',
  'Object.create(Map.prototype)',
  'Object.create(Set.prototype)',
  'Object.create(RegExp.prototype)',
  'Object.create(ArrayBuffer.prototype)',
  'Object.create(Uint8Array.prototype)',
  'Object.create(DataView.prototype)',
  'Object.create(Error.prototype)',
  'Object.create({ a: 1 })',
  'Object.create(Object.create(null))',
  'Object.setPrototypeOf([], Object.prototype)',
  'Object(1)',
  'Promise.resolve()',
  'new WeakMap()',
  'new SharedArrayBuffer(1)',
  'new (function Date() {})()',
]

const run = (expression: string, realm: string): object =>
  realm === 'this realm' ? new Function(`return ${expression}`)() : runInNewContext(expression)

describe.each(['this realm', 'another realm'])('the brand of an object of %s', (realm) => {
  it.each(expressions)('is %s for %s', (brand, expression) => {
    expect(brandOf(run(expression, realm))).toBe(brand)
  })

  it.each(others)('is undefined for %s', (expression) => {
    expect(brandOf(run(expression, realm))).toBe(undefined)
  })
})

describe('the brand', () => {
  it('of a Buffer differs from that of a Uint8Array', () => {
    expect(brandOf(Buffer.from('a'))).toBe('Buffer')
    expect(brandOf(Object.create(Buffer.prototype))).toBe(undefined)
  })

  it('of a value from structuredClone or a decoder of Node is that of the original', () => {
    expect(brandOf(structuredClone({ a: 1 }))).toBe('Object')
    expect(brandOf(structuredClone(new Date(0)))).toBe('Date')
  })

  it('of a date of fake timers is Date, during the fake timers and after', () => {
    onTestFinished(() => {
      vi.useRealTimers()
    })
    vi.useFakeTimers()
    const date = new Date()
    expect(brandOf(date)).toBe('Date')
    vi.useRealTimers()
    expect(brandOf(date)).toBe('Date')
  })

  it('of an object with a lying tag is that of its prototype', () => {
    expect(brandOf({ [Symbol.toStringTag]: 'Map' })).toBe('Object')
  })
})
