import { deepStrictEqual } from 'node:assert/strict'
import { Packr } from 'msgpackr'
import { expect, test } from 'vitest'
import { ItemFormat, msgpackCodec } from '../src/index.ts'
import { readPlainValue } from '../src/messagepack/read-plain-value.ts'
import { plainBytes, writePlainValue } from '../src/messagepack/write-plain-value.ts'
import { createRandom } from './random.ts'
import { randomValue } from './random-value.ts'
import { json } from './samples.ts'

/** What msgpackr alone makes of the same bytes. */
const reference = new Packr({
  moreTypes: true,
  structuredClone: false,
  useToJSON: false,
  copyBuffers: true,
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
})

/** Whether the value was read, and not left. */
function readsAlike(value: unknown): boolean {
  const bytes = Buffer.from(reference.pack(value))
  const found = readPlainValue(bytes, 0)
  if (found === undefined) return false
  deepStrictEqual(found, reference.unpack(bytes))
  return true
}

test('a plain value is read as by msgpackr, or left to the full reader', () => {
  for (const value of json) readsAlike(value)
  const random = createRandom(20261120)
  let read = 0
  for (let count = 0; count < 3000; count += 1) {
    const value = randomValue(random)
    // What the codec refuses is never stored.
    if (isStorable(value) && readsAlike(value)) read += 1
  }
  expect(read).toBeGreaterThan(500)
})

function isStorable(value: unknown): boolean {
  try {
    msgpackCodec.encode(value)
    return true
  } catch {
    return false
  }
}

test('numbers of every width are read, and those of 64 bits are left to the full reader', () => {
  for (const value of [
    0, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, -1, -32, -33, -128, -129, -32_768, -32_769,
  ])
    expect(readPlainValue(reference.pack([value]), 0)).toEqual([value])
  expect(readPlainValue(reference.pack([-2_147_483_648, 1.5, -0.1]), 0)).toEqual([-2_147_483_648, 1.5, -0.1])
  expect(readPlainValue(reference.pack([2n ** 60n]), 0)).toBe(undefined)
})

test('texts of every length are read, and those beyond ASCII are left to the full reader', () => {
  for (let length = 0; length < 300; length += 1) {
    const text = 'abcdefghijklmnopqrstuvwxyz'.repeat(12).slice(0, length)
    expect(readPlainValue(reference.pack([text]), 0)).toEqual(length < 256 ? [text] : undefined)
    expect(readPlainValue(reference.pack([`${text}é`]), 0)).toBe(undefined)
  }
})

test('truncated and lengthened bytes are left to the full reader, which refuses them', () => {
  const bytes = reference.pack({ id: 4711, name: 'Ada Lovelace', rate: 1.5, roles: ['admin', null, true, 70_000] })
  for (let length = 0; length < bytes.length; length += 1) {
    expect(readPlainValue(Buffer.from(bytes.subarray(0, length)), 0)).toBe(undefined)
    expect(() => msgpackCodec.decode(Buffer.from(bytes.subarray(0, length)))).toThrow()
  }
  expect(readPlainValue(Buffer.concat([bytes, Buffer.of(1)]), 0)).toBe(undefined)
})

test('a member named __proto__ is never the prototype', () => {
  const bytes = Buffer.from([0x81, 0xa9, ...Buffer.from('__proto__'), 0x81, 0xa1, 0x61, 0x01])
  expect(readPlainValue(bytes, 0)).toBe(undefined)
  expect(Object.getPrototypeOf(msgpackCodec.decode(bytes))).toBe(Object.prototype)
})

test('names with one place in the table of names are distinguished', () => {
  // Their lengths, first and last bytes are the same.
  const value = { axb: 1, ayb: 2, azb: 3 }
  for (let count = 0; count < 3; count += 1) expect(readPlainValue(reference.pack(value), 0)).toEqual(value)
})

test('a whole number is damaged unless its decimals are unchanged', () => {
  const format = new ItemFormat()
  const bytes = format.encode({ key: 'n', value: 0, version: 'v', createdAt: 1 })
  const head = bytes.subarray(0, bytes.length - 1)
  const read = (digits: string): unknown =>
    format.decode('n', Buffer.concat([head, Buffer.from(digits, 'latin1')])).value
  for (const digits of ['0', '7', '-7', '9007199254740991', '-9007199254740991'])
    expect(read(digits)).toBe(Number(digits))
  for (const digits of [
    '',
    '-',
    '-0',
    '00',
    '07',
    '-07',
    '1.',
    '+1',
    ' 1',
    '1 ',
    '9007199254740992',
    '12345678901234567',
  ]) {
    expect(() => read(digits)).toThrow('whole number')
  }
})

/** What is written for a value, or `undefined` where it is left to the full writer. */
function written(value: unknown): Buffer | undefined {
  const length = writePlainValue(value)
  return length < 0 ? undefined : Buffer.from(plainBytes.subarray(0, length))
}

test('a plain value is written with the bytes of msgpackr, or left to the full writer', () => {
  const random = createRandom(4711)
  let count = 0
  for (const value of [...json, ...Array.from({ length: 3000 }, () => randomValue(random))]) {
    const bytes = written(value)
    if (bytes === undefined) continue
    // What would be refused is never written.
    expect(isStorable(value)).toBe(true)
    expect(bytes).toEqual(Buffer.from(reference.pack(value)))
    count += 1
  }
  expect(count).toBeGreaterThan(500)
})

test('numbers of every width are written with the bytes of msgpackr', () => {
  const edges = [0, 0x20, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]
  for (const edge of edges) {
    for (const value of [edge, -edge, edge + 0.5, -edge - 1]) {
      if (Object.is(value, -0) || value < -0x8000_0000) continue
      expect([value, written(value)]).toEqual([value, Buffer.from(reference.pack(value))])
    }
  }
})

test('values that need a check are left to the full writer', () => {
  const cycle: unknown[] = []
  cycle.push(cycle)
  const left: readonly unknown[] = [
    undefined,
    { a: undefined },
    -0,
    Number.NaN,
    2 ** 32,
    -(2 ** 31) - 1,
    1n,
    'é',
    { é: 1 },
    '\ud800',
    'x'.repeat(256),
    { ['n'.repeat(32)]: 1 },
    new Date(0),
    new Map(),
    Object.create(null),
    new (class Point {})(),
    new Array(2),
    Object.assign([1], { name: 1 }),
    { [Symbol('a')]: 1 },
    Object.assign([1], { [Symbol('a')]: 1 }),
    JSON.parse('{"__proto__":1}'),
    cycle,
    () => 1,
    Array.from({ length: 16 }, () => 1),
    Array.from({ length: 8 }, () => ({})),
    Array.from({ length: 15 }, () => 'x'.repeat(40)),
  ]
  for (const value of left) expect(written(value)).toBe(undefined)
})

test('a getter that stores another value damages neither value', () => {
  const inner: Buffer[] = []
  const value = {
    before: 'b',
    get other(): number {
      inner.push(Buffer.from(msgpackCodec.encode({ inner: [1, 2, 3] })))
      return 1
    },
    after: 'a',
  }
  expect(msgpackCodec.decode(msgpackCodec.encode(value))).toEqual({ before: 'b', other: 1, after: 'a' })
  for (const bytes of inner) expect(msgpackCodec.decode(bytes)).toEqual({ inner: [1, 2, 3] })
})

test('a value near the size limit is written whole, or left to the full writer', () => {
  // After the filling, either a text, a number of nine bytes or a small value comes last.
  for (const last of ['text', 'x'.repeat(40), 1.5, 70_000, -70_000, true, null, [], {}]) {
    const outcomes = new Set<boolean>()
    for (let length = 170; length <= 255; length += 1) {
      const value = ['x'.repeat(length), 'x'.repeat(255), last]
      const bytes = written(value)
      if (bytes !== undefined) expect(bytes).toEqual(Buffer.from(reference.pack(value)))
      outcomes.add(bytes === undefined)
      expect(msgpackCodec.decode(msgpackCodec.encode(value))).toEqual(value)
    }
    expect(outcomes).toEqual(new Set([true, false]))
  }
})

test('names with one beginning and one place in the table of names are distinguished', () => {
  // One more letter, which is 37 less than the one before it: the place is the same.
  const values = [{ azU: 1 }, { az: 2 }, { azU: 3 }, { az: 4 }]
  for (const value of values) expect(readPlainValue(reference.pack(value), 0)).toEqual(value)
})

test('inherited members are not written', () => {
  const value = { own: 2 }
  let bytes: Buffer | undefined
  Object.defineProperty(Object.prototype, 'inherited', { value: 1, enumerable: true, configurable: true })
  try {
    bytes = written(value)
  } finally {
    Reflect.deleteProperty(Object.prototype, 'inherited')
  }
  expect(bytes).toEqual(Buffer.from(reference.pack(value)))
})

test('deep values are left to the full writer, which refuses more than 500 levels', () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)])
  expect(written(nested(32))).toEqual(Buffer.from(reference.pack(nested(32))))
  expect(written(nested(33))).toBe(undefined)
  expect(isStorable(nested(500))).toBe(true)
  expect(isStorable(nested(501))).toBe(false)
})
