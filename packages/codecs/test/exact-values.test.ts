import { deepStrictEqual } from 'node:assert/strict'
import { runInNewContext } from 'node:vm'
import { addExtension, Packr } from 'msgpackr'
import { describe, expect, it, onTestFinished, test, vi } from 'vitest'
import { jsonCodec, lossyJsonCodec, msgpackCodec, rawCodec, v8Codec } from '../src/index.ts'

const codecs = [msgpackCodec, jsonCodec, v8Codec]

const foreign = (expression: string): unknown => runInNewContext(expression)
const here = (expression: string): unknown => new Function(`return ${expression}`)()

/** An expression for every kind of the table in the README, and the codecs that refuse it. */
const expressions: readonly (readonly [expression: string, refusedBy: string])[] = [
  ['({ a: [1, "text", { b: null, c: true }], d: 1.5 })', ''],
  ['[[1, [2]], []]', ''],
  ['Object.assign(Object.create(null), { a: 1 })', ''],
  ['({ a: -0 })', ''],
  ['JSON.parse(\'{"__proto__": {"a": 1}}\')', ''],
  ['Array.from({ length: 30 }, (_, i) => ({ id: i, name: String(i) }))', ''],
  ['({ a: undefined })', 'json'],
  ['[NaN, Infinity]', 'json'],
  ['[1n, 2n ** 100n, -(2n ** 100n)]', 'json'],
  ['new Date(5)', 'json'],
  ['new Map([[{ a: 1 }, new Map([[1, 2]])]])', 'json'],
  ['new Set([1, { a: 1 }])', 'json'],
  ['new ArrayBuffer(3)', 'json'],
  ['new DataView(new ArrayBuffer(3))', 'json'],
  ...['Int8', 'Uint8', 'Uint8Clamped', 'Int16', 'Uint16', 'Int32', 'Uint32', 'Float32', 'Float64'].map(
    (name) => [`new ${name}Array([1, 2])`, 'json'] as const,
  ),
  ['new BigInt64Array([1n])', 'json'],
  ['new BigUint64Array([1n])', 'json'],
  ['/a+/gi', 'json'],
  ['[1, , 3]', 'json msgpack'],
]

describe.each(codecs)('$name', (codec) => {
  const trip = (value: unknown): unknown => codec.decode(Uint8Array.from(codec.encode(value)))

  it.each(expressions)('treats %s of another realm as the same value of this one', (expression, refusedBy) => {
    for (const value of [
      foreign(expression),
      { deep: [foreign(expression)] },
      foreign(`({ deep: [${expression}] })`),
    ]) {
      if (refusedBy.includes(codec.name)) expect(() => codec.encode(value)).toThrow('cannot keep')
      else {
        const expected = trip(value)
        expect([here(expression), { deep: [here(expression)] }]).toContainEqual(expected)
        const inner = (expected as { deep?: unknown[] }).deep?.[0] ?? expected
        deepStrictEqual(inner, here(expression))
      }
    }
  })

  it.each([
    'new (class Point { x = 1 })()',
    'new (class List extends Array {})()',
    'new (class Table extends Map {})()',
    'new Error("e")',
    'Object(1)',
    '() => 1',
    'Symbol("s")',
  ])('refuses %s of another realm', (expression) => {
    expect(() => codec.encode({ deep: [foreign(expression)] })).toThrow('at value.deep[0]')
  })

  it('leaves out members that are not enumerable, whatever names them', () => {
    for (const expression of ['({ a: 1 })', '[1]', 'Object.assign(Object.create(null), { a: 1 })', 'new Date(5)']) {
      if (expression === 'new Date(5)' && codec === jsonCodec) continue
      for (const name of ['hidden', 'toJSON', Symbol('s')]) {
        const value = Object.defineProperty(here(expression), name, { value: () => 'other' })
        deepStrictEqual(trip([value]), [here(expression)])
      }
    }
  })

  it('keeps what undici gives for a malformed cache-control header', () => {
    // An object whose symbol member is not enumerable.
    const directives = Object.defineProperty({ 'max-age': 60 }, Symbol('headers list'), { value: [] })
    deepStrictEqual(trip({ status: 200, directives }), { status: 200, directives: { 'max-age': 60 } })
  })

  it('keeps dates of fake timers, or refuses them as dates', () => {
    onTestFinished(() => {
      vi.useRealTimers()
    })
    vi.useFakeTimers({ now: 5 })
    const value = { at: new Date() }
    if (codec === jsonCodec) expect(() => codec.encode(value)).toThrow("a value of the kind 'date' at value.at")
    else {
      const bytes = codec.encode(value)
      vi.useRealTimers()
      deepStrictEqual(codec.decode(bytes), { at: new Date(5) })
    }
  })

  it('decodes bytes into memory of their own', () => {
    if (codec === jsonCodec) return expect(codec.keeps).not.toContain('bytes')
    const value = {
      a: 'x',
      bytes: Uint8Array.of(1, 2, 3),
      buffer: Buffer.from('abc'),
      floats: Float64Array.of(1.5),
      view: new DataView(Uint8Array.of(1, 2).buffer),
      big: BigInt64Array.of(1n),
      empty: Buffer.alloc(0),
    }
    const copy = trip(value) as typeof value
    deepStrictEqual(copy, value)
    const sizes = [copy.bytes, copy.buffer, copy.floats, copy.view, copy.big, copy.empty].map(
      (v) => v.buffer.byteLength,
    )
    expect(sizes).toEqual([3, 3, 8, 2, 8, 0])
  })

  it('names the path of a refused part, its class and advice, and nothing of its content', () => {
    const value = { user: { friends: [{ site: new URL('http://me:secret@host') }] } }
    expect(() => codec.encode(value)).toThrow(
      /cannot keep an instance of URL at value\.user\.friends\[0\]\.site; store its text: `url\.href`, or give the codec a type for the class/,
    )
    expect(() => codec.encode({ a: { b: [1, Symbol('secret')] } })).toThrow(
      /a symbol at value\.a\.b\[1\]; leave it out/,
    )
    expect(() => codec.encode({ a: { [Symbol('secret')]: 1 } })).toThrow(/a member named by a symbol at value\.a;/)
  })
})

test('a value with many rows, each with members of all kinds, comes back from msgpack', () => {
  const row = (id: number): object => ({
    id,
    small: id % 200,
    text: 'é'.repeat(id % 70),
    long: 'x'.repeat(id % 300),
    negative: -id * 300,
    none: undefined,
    inner: Object.assign(Object.create(null), { zero: -0, lone: '\ud800', bytes: Buffer.from([id % 256]) }),
    map: new Map([[id, { [`name ${id % 100}`]: id }]]),
    wide: Object.fromEntries(Array.from({ length: 60 + (id % 10) }, (_, index) => [`m${index}`, index])),
  })
  const value = Array.from({ length: 300 }, (_, id) => row(id))
  deepStrictEqual(msgpackCodec.decode(msgpackCodec.encode(value)), value)
})

test('a long text between texts of every length comes back from msgpack', () => {
  for (const letter of ['a', 'é', '漢', '👩']) {
    const texts = Array.from({ length: 400 }, (_, length) => letter.repeat(length))
    const value = [...texts, letter.repeat(70_000), ...texts]
    deepStrictEqual(msgpackCodec.decode(msgpackCodec.encode(value)), value)
  }
})

test('another user of msgpackr neither changes the bytes of msgpack nor is changed by it', () => {
  const value = () => ({ at: new Date(5), bytes: Uint8Array.of(1), pattern: /a/, all: new Set([1]), none: undefined })
  const before = msgpackCodec.encode(value())
  const other = new Packr({ moreTypes: true, useRecords: false })
  // The extension of msgpackr for errors is that of msgpackr, so nothing replaced it.
  const failure = other.unpack(other.pack(new RangeError('message'))) as Error
  expect(failure).toBeInstanceOf(RangeError)
  for (const [type, Class] of [
    [1, Date],
    [2, Uint8Array],
    [3, RegExp],
    [4, Set],
  ] as const) {
    addExtension({ Class, type, write: () => 'changed', read: () => 'changed' })
  }
  for (const type of [0x00, 0x42, 0x64, 0x6d, 0x6f, 0x72, 0x73, 0x74, 0x75, 0x77, 0x78, 0xff]) {
    addExtension({ type, read: () => 'changed' })
  }
  expect(other.unpack(other.pack(new Date(5)))).toBe('changed')
  expect(msgpackCodec.encode(value())).toEqual(before)
  deepStrictEqual(msgpackCodec.decode(before), value())
})

test('a copy of a codec with another id works', () => {
  for (const codec of codecs) {
    const { encode, decode } = { ...codec }
    expect(decode(encode({ a: [1] }))).toEqual({ a: [1] })
  }
})

test('raw keeps bytes of another realm', () => {
  deepStrictEqual(rawCodec.decode(rawCodec.encode(foreign('new Uint8Array([1, 2])'))), Uint8Array.of(1, 2))
  expect(() => rawCodec.encode(foreign('new (class Bytes extends Uint8Array {})()'))).toThrow(TypeError)
})

describe('JSON with marks', () => {
  const trip = (value: unknown): unknown => jsonCodec.decode(jsonCodec.encode(value))

  it('is plain JSON unless a part needs a mark', () => {
    expect(jsonCodec.encode({ a: [1, { b: null }] }).toString()).toBe('{"a":[1,{"b":null}]}')
    expect(jsonCodec.encode({ a: -0 }).toString()).toBe('{"$cache":{"a":{"$cache:-0":true}}}')
    expect(jsonCodec.encode(Object.create(null)).toString()).toBe('{"$cache":{"$cache:no-prototype":{}}}')
  })

  it('keeps values that look like marks', () => {
    for (const value of [
      { $cache: 1 },
      { $cache: { '$cache:-0': true } },
      { '$cache:-0': true },
      [{ '$cache:type': ['a', 1], b: -0 }],
      { '$cache:pairs': [['a', -0]], '$cache:no-prototype': Object.create(null) },
      Object.assign(Object.create(null), { '$cache:x': 1 }),
      JSON.parse('{"__proto__": {"$cache:x": 1}, "zero": -0}'),
    ]) {
      deepStrictEqual(trip(value), value)
    }
  })

  it('is refused if a mark is wrong', () => {
    for (const text of [
      '{"$cache":1,"a":2}',
      '{"$cache":{"$cache:other":1}}',
      '{"$cache":{"$cache:-0":true,"a":1}}',
      '{"$cache":{"$cache:type":1}}',
      '{"$cache":{"$cache:type":["unknown",1]}}',
      '{"$cache":{"$cache:pairs":[1]}}',
      '{"$cache":{"$cache:no-prototype":[]}}',
      '{"$cache":{"$cache:no-prototype":1}}',
    ]) {
      expect(() => jsonCodec.decode(Buffer.from(text)), text).toThrow()
    }
  })
})

test('lossy JSON stores what JSON makes of a value, and throws where JSON has no form', () => {
  const trip = (value: unknown): unknown => lossyJsonCodec.decode(lossyJsonCodec.encode(value))
  expect(trip({ at: new Date(5), map: new Map([[1, 2]]), nan: Number.NaN, none: undefined, f: () => 1 })).toEqual({
    at: '1970-01-01T00:00:00.005Z',
    map: {},
    nan: null,
  })
  expect(trip(new URL('http://host/'))).toBe('http://host/')
  const cycle: unknown[] = []
  cycle.push(cycle)
  let deep: unknown = 1
  for (let level = 0; level < 20_000; level += 1) deep = [deep]
  for (const value of [undefined, () => 1, 1n, cycle, deep])
    expect(() => lossyJsonCodec.encode(value)).toThrow(TypeError)
})
