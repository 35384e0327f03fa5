import type { Sample } from './samples.ts'

class Point {
  readonly x: number = 1
}

class Celsius extends Date {}
class Registry extends Map<string, number> {}
class Stack extends Array<number> {}

/** A literal with this flag needs a newer target. */
const unicodeSets = 'v'

const buffer = Uint8Array.from({ length: 64 }, (_, index) => index + 100).buffer

function named<Value extends object>(value: Value, members: Record<string | symbol, unknown>): Value {
  return Object.assign(value, members)
}

function cyclicObject(): object {
  const value: Record<string, unknown> = { name: 'cycle', inner: { list: [1] } }
  value.self = value
  return value
}

function cyclicArray(): unknown[] {
  const value: unknown[] = [1]
  value.push([value])
  return value
}

function cyclicMap(): Map<string, unknown> {
  const value = new Map<string, unknown>([['a', 1]])
  return value.set('self', { map: value })
}

function sparse(): unknown[] {
  const value = [1, 2, 3]
  Reflect.deleteProperty(value, 1)
  return value
}

function nested(levels: number): unknown {
  let value: unknown = 'deepest'
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { value }
  return value
}

/** Plain values that stores take for something else: for dates, bytes, or marks of their own encoding. */
export const plainSamples: readonly Sample[] = [
  { says: 'text like a date', make: () => '2020-02-29T12:34:56.789Z' },
  { says: 'a list of texts like dates', make: () => ['2020-02-29', '2020-02-29T12:34:56Z', '/Date(0)/'] },
  { says: 'texts like other values', make: () => ['true', 'null', 'undefined', 'NaN', 'Infinity', '-0', '1e3', '5n'] },
  {
    says: 'texts like marks of an encoding',
    make: () => [':base64:AAEC', ':a', 's:', 'i1', '"quoted"', 'data:,', '__undefined__'],
  },
  { says: 'texts with spaces at both ends', make: () => [' ', ' padded ', '\n', '\ttab\t', '\ufeffmark'] },
  {
    says: 'text with every control character',
    make: () => String.fromCharCode(...Array.from({ length: 160 }, (_, n) => n)),
  },
  { says: 'seventy thousand characters beyond Latin', make: () => '漢字👩é'.repeat(14_000) },
  { says: 'an object like the JSON of bytes', make: () => ({ type: 'Buffer', data: [1, 2, 3] }) },
  {
    says: 'objects like extended JSON',
    make: () => [{ $date: 0 }, { $type: 'Map', value: [] }, { __type: 'Date', value: 1 }, { '@type': 'x' }],
  },
  {
    says: 'objects with members that have a meaning to JavaScript',
    make: () => [{ length: 3 }, JSON.parse('{"then": 1}'), { toJSON: 'text' }, { valueOf: 1 }, { size: 2 }],
  },
  {
    says: 'whole numbers around the limits of 8, 16, 32 and 53 bits',
    make: () => [
      127,
      128,
      255,
      256,
      32_767,
      65_535,
      65_536,
      2 ** 31 - 1,
      2 ** 31,
      2 ** 32 - 1,
      2 ** 32,
      -(2 ** 31) - 1,
      -129,
      2 ** 53 - 1,
      1 - 2 ** 53,
    ],
  },
  {
    says: 'fractions of any size',
    make: () => [0.1 + 0.2, 1e21, 1e-7, 5e-324, 1.5, -1.5, 16_777_217, 123_456_789.123_456_79],
  },
  { says: 'a whole number beyond 32 bits', make: () => 4_294_967_297 },
  { says: 'a number beyond 2^53', make: () => 1e300 },
  { says: 'empty lists in lists', make: () => [[], [[]], {}, [{}]] },
  { says: 'a list of ten thousand numbers', make: () => Array.from({ length: 10_000 }, (_, index) => index * 3) },
  {
    says: 'an object with a thousand members',
    make: () => Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`m${index}`, index])),
  },
  {
    says: 'an object with members named like numbers',
    make: () => ({ 0: 'a', 1: 'b', 10: 'c', '01': 'd', '-1': 'e' }),
  },
  { says: 'an object with a member name of 10,000 characters', make: () => ({ ['name'.repeat(2500)]: 1 }) },
  { says: 'a hundred levels', make: () => nested(100) },
  { says: 'null in a list and in an object', make: () => [null, { a: null }] },
]

/** Values that many encodings change. A backend may refuse those without a kind that the harness lists. */
export const rareSamples: readonly Sample[] = [
  { says: 'a date before 1970', kind: 'date', make: () => new Date(-1) },
  { says: 'a date in the year 1', kind: 'date', make: () => new Date(-62_135_596_800_000 + 1) },
  { says: 'the first and the last date', kind: 'date', make: () => [new Date(-8.64e15), new Date(8.64e15)] },
  { says: 'a date beyond 32 bits of seconds', kind: 'date', make: () => new Date(2 ** 32 * 1000 + 1) },
  { says: 'an invalid date', kind: 'rare', make: () => new Date(Number.NaN) },
  { says: 'an empty map', kind: 'map', make: () => new Map() },
  { says: 'a map in a map', kind: 'map', make: () => new Map([['outer', new Map([['inner', { n: 1 }]])]]) },
  { says: 'a map in a list', kind: 'map', make: () => [new Map([['a', [1, 2]]]), { map: new Map([[1, 'one']]) }] },
  {
    says: 'a map with keys that are objects',
    kind: 'rare',
    make: () =>
      new Map<unknown, unknown>([
        [{ id: 1 }, 'a'],
        [null, 'b'],
        [Number.NaN, 'c'],
      ]),
  },
  { says: 'an empty set', kind: 'set', make: () => new Set() },
  { says: 'a set in an object', kind: 'set', make: () => ({ roles: new Set(['admin', 'user']) }) },
  { says: 'no bytes', kind: 'bytes', make: () => new Uint8Array() },
  { says: 'bytes that are a part of a larger buffer', kind: 'bytes', make: () => new Uint8Array(buffer, 3, 5) },
  { says: 'bytes in a list', kind: 'bytes', make: () => [new Uint8Array(buffer, 8, 2), 'text'] },
  { says: 'a Buffer', kind: 'rare', make: () => Buffer.from('buffer') },
  { says: 'an ArrayBuffer', kind: 'rare', make: () => Uint8Array.from([1, 2, 3]).buffer },
  { says: 'a view of 16-bit numbers on a part of a buffer', kind: 'rare', make: () => new Uint16Array(buffer, 6, 4) },
  { says: 'a view of signed 32-bit numbers', kind: 'rare', make: () => Int32Array.from([-1, 0, 2 ** 31 - 1]) },
  {
    says: 'a view of fractions',
    kind: 'rare',
    make: () => Float64Array.from([0.1, Number.NaN, Number.NEGATIVE_INFINITY]),
  },
  { says: 'a view of bigints', kind: 'rare', make: () => BigInt64Array.from([-1n, 5n]) },
  { says: 'a view of clamped bytes', kind: 'rare', make: () => Uint8ClampedArray.from([0, 255]) },
  { says: 'a DataView on a part of a buffer', kind: 'rare', make: () => new DataView(buffer, 5, 3) },
  { says: 'a bigint below zero', kind: 'bigint', make: () => -5n },
  { says: 'a bigint in an object', kind: 'bigint', make: () => ({ id: 9_007_199_254_740_993n }) },
  { says: 'a bigint beyond 64 bits', kind: 'rare', make: () => 2n ** 200n },
  { says: 'a list with undefined', kind: 'undefined member', make: () => [undefined] },
  { says: 'a list that ends with undefined', kind: 'undefined member', make: () => [1, [undefined, 2], undefined] },
  { says: 'a map with a value that is undefined', kind: 'rare', make: () => new Map([['a', undefined]]) },
  { says: 'a set with undefined', kind: 'rare', make: () => new Set([undefined, null]) },
  { says: 'NaN in an object', kind: 'NaN', make: () => ({ mean: Number.NaN }) },
  { says: 'Infinity', kind: 'NaN', make: () => Number.POSITIVE_INFINITY },
  { says: 'minus zero', kind: 'rare', make: () => -0 },
  { says: 'minus zero in a list and in an object', kind: 'rare', make: () => [-0, { x: -0 }] },
  { says: 'an array with holes', kind: 'rare', make: sparse },
  { says: 'an array of holes', kind: 'rare', make: () => new Array(3) },
  { says: 'an array with named members', kind: 'rare', make: () => named([1, 2], { total: 3 }) },
  { says: 'a date with a named member', kind: 'rare', make: () => named(new Date(0), { zone: 'UTC' }) },
  { says: 'a map with a named member', kind: 'rare', make: () => named(new Map([['a', 1]]), { total: 1 }) },
  { says: 'an object with a member named by a symbol', kind: 'rare', make: () => ({ a: 1, [Symbol.for('mark')]: 2 }) },
  {
    says: 'an object with a member named __proto__',
    kind: 'rare',
    make: () => JSON.parse('{"__proto__": {"admin": true}, "b": 1}'),
  },
  {
    says: 'an object in a list with a member named __proto__',
    kind: 'rare',
    make: () => [JSON.parse('{"__proto__": 5, "b": 1}')],
  },
  { says: 'an object without a prototype', kind: 'rare', make: () => Object.assign(Object.create(null), { a: 1 }) },
  {
    says: 'an object without a prototype in a list',
    kind: 'rare',
    make: () => [Object.assign(Object.create(null), { row: 1 })],
  },
  { says: 'an instance of a class', kind: 'rare', make: () => new Point() },
  { says: 'an instance of a class in a list', kind: 'rare', make: () => [new Point(), { point: new Point() }] },
  { says: 'an instance of a class in a map', kind: 'rare', make: () => new Map([['a', new Point()]]) },
  { says: 'an instance of a subclass of Date', kind: 'rare', make: () => new Celsius(5) },
  { says: 'an instance of a subclass of Map', kind: 'rare', make: () => new Registry([['a', 1]]) },
  { says: 'an instance of a subclass of Array', kind: 'rare', make: () => Stack.from([1, 2]) },
  { says: 'a regular expression', kind: 'rare', make: () => /a+(b|c)\/"/gi },
  { says: 'a regular expression in an object', kind: 'rare', make: () => ({ pattern: /^x$/u }) },
  { says: 'a regular expression with the flags d, s and y', kind: 'rare', make: () => /^x$/dsy },
  { says: 'a regular expression with the flag v', kind: 'rare', make: () => new RegExp('^[x]$', unicodeSets) },
  { says: 'an error', kind: 'rare', make: () => named(new RangeError('too far'), { code: 'E_FAR' }) },
  { says: 'a URL', kind: 'rare', make: () => new URL('https://example.com/a?b=c#d') },
  { says: 'boxed primitives', kind: 'rare', make: () => [Object(5), Object('text'), Object(true)] },
  { says: 'a boxed number', kind: 'rare', make: () => Object(5) },
  { says: 'an object that holds itself', kind: 'rare', make: cyclicObject },
  { says: 'an array that holds itself', kind: 'rare', make: cyclicArray },
  { says: 'a map that holds itself', kind: 'rare', make: cyclicMap },
  { says: 'lone surrogates in an object', kind: 'lone surrogate', make: () => ({ text: 'a\udc00', list: ['\ud800'] }) },
  { says: 'a lone surrogate in the name of a member', kind: 'rare', make: () => ({ 'a\ud800': 1, 'a\ud801': 2 }) },
]
