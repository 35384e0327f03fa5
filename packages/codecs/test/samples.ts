import type { ValueKind } from '../src/index.ts'

const cycle: unknown[] = [1]
cycle.push({ cycle })

/** Examples of every kind; each value is of that kind alone. */
export const samples: Readonly<Record<ValueKind, readonly unknown[]>> = {
  'undefined member': [{ a: undefined }, [undefined], [1, undefined, 2]],
  NaN: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  '-0': [-0],
  'lone surrogate': ['\ud800', 'a\udc00b', { '\ud800': 1 }, `${'x'.repeat(100)}\ud83d`],
  bigint: [0n, 5n, -5n, 2n ** 63n, -(2n ** 63n), 2n ** 64n - 1n],
  'large bigint': [2n ** 64n, -(2n ** 63n) - 1n, 2n ** 1000n],
  date: [new Date(0), new Date(1), new Date(-1), new Date(1_700_000_000_123), new Date(8.64e15), new Date(-8.64e15)],
  map: [
    new Map(),
    new Map<unknown, unknown>([
      [1, 'a'],
      ['1', 'b'],
      [{ a: 1 }, new Map([[null, true]])],
    ]),
  ],
  set: [new Set(), new Set([1, '1', [1], null])],
  bytes: [new Uint8Array(0), new Uint8Array([0, 1, 255]), new Uint8Array(70_000).fill(7)],
  buffer: [Buffer.alloc(0), Buffer.from('abc'), Buffer.alloc(70_000, 7)],
  'typed array': [
    new Int8Array([-1]),
    new Uint8ClampedArray([300]),
    new Int16Array([-300]),
    new Uint16Array([65_535]),
    new Int32Array([-1, 2]),
    new Uint32Array([4_294_967_295]),
    new Float32Array([1.5]),
    new Float64Array([0.1, -0, Number.NaN]),
    new BigInt64Array([-1n]),
    new BigUint64Array([1n]),
    new DataView(new Uint8Array([1, 2, 3]).buffer),
  ],
  'array buffer': [new ArrayBuffer(0), new Uint8Array([1, 2, 3]).buffer],
  regexp: [/a+/giu, /[\]/]/],
  hole: [Object.assign(new Array(3), { 1: 'one' })],
  '__proto__ member': [JSON.parse('{"__proto__": 1, "a": 2}'), JSON.parse('{"a": {"__proto__": {"b": 1}}}')],
  'no prototype': [Object.create(null), Object.assign(Object.create(null), { id: 1, nested: Object.create(null) })],
  cycle: [cycle],
}

class Point {
  readonly x: number = 1
}

/** What no codec keeps. */
export const unkept: readonly (readonly [name: string, value: unknown])[] = [
  ['a function', () => 1],
  ['a symbol', Symbol('s')],
  ['an instance of a class', new Point()],
  ['an instance of a subclass of Map', new (class Table extends Map {})()],
  ['an instance of a subclass of Array', new (class List extends Array {})()],
  ['an error', new Error('e')],
  ['a promise', Promise.resolve(1)],
  ['a WeakMap', new WeakMap()],
  ['a boxed number', Object(1)],
  ['an array with named members', Object.assign([1], { name: 'x' })],
  ['a Map with named members', Object.assign(new Map(), { name: 'x' })],
  ['an object with a symbol member', { [Symbol('s')]: 1 }],
  ['an array with a symbol member', Object.assign([1], { [Symbol('s')]: 1 })],
  ['a RegExp with a lastIndex', Object.assign(/a/g, { lastIndex: 1 })],
  ['an object that only claims to be an array', Object.create(Array.prototype)],
  ['a shared buffer', new SharedArrayBuffer(1)],
]

/** What every codec keeps but `rawCodec`. */
export const json: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  0.1,
  2 ** 32,
  -(2 ** 31),
  Number.MAX_SAFE_INTEGER,
  Number.MAX_VALUE,
  Number.MIN_VALUE,
  '',
  'text',
  'é'.repeat(40),
  '漢字 👩‍👩‍👧 \u0000 \uffff \ufffd',
  'x'.repeat(100_000),
  [],
  [1, [2, [3, []]]],
  Array.from({ length: 70_000 }, (_, index) => index),
  {},
  {
    '': 1,
    'a b': 2,
    ключ: 3,
    constructor: 4,
    toString: 5,
    hasOwnProperty: 6,
    toJSON: 7,
    length: 8,
    __keys__: 9,
    __proto: 10,
  },
  { key: 'k', value: 1, version: 'v' },
  Object.fromEntries(Array.from({ length: 70_000 }, (_, index) => [`member ${index}`, index])),
  Array.from({ length: 100 }, (_, index) => ({ id: index, name: `name ${index}`, nested: { even: index % 2 === 0 } })),
  [{}, {}, {}, {}, {}, {}, {}, {}, {}, {}],
  Array.from({ length: 200 }, (_, index) => ({ [`only ${index}`]: index })),
]
