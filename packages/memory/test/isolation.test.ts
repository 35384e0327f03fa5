import { deepStrictEqual } from 'node:assert/strict'
import { runInNewContext } from 'node:vm'
import type { Codec, Item } from '@cache/core/backend'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { estimateBytes } from '../src/estimate-bytes.ts'
import { type Isolation, MemoryBackend } from '../src/index.ts'

/** JSON, without any of the values that it would change. */
const codec: Codec = {
  id: 64,
  name: 'test',
  encode(value) {
    const text = JSON.stringify(value)
    deepStrictEqual(JSON.parse(text), value)
    return Buffer.from(text)
  },
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
}

function open(isolation: Isolation): MemoryBackend {
  return new MemoryBackend({ maxEntries: 10, isolation, ...(isolation === 'codec' ? { codec } : {}) })
}

function item(value: unknown, more: Partial<Item> = {}): Item {
  return { key: 'k', value, version: 'v', createdAt: 0, ...more }
}

function trip(isolation: Isolation, value: unknown): unknown {
  const { sync } = open(isolation)
  sync.set(item(value))
  return sync.get('k')?.value
}

class Point {
  x = 1
}

const cycle: unknown[] = [1]
cycle.push({ cycle })

const failure = Object.assign(new RangeError('message', { cause: { code: 1 } }), {
  code: 'E_FAIL',
  details: { a: [1] },
})

const expressions: readonly string[] = [
  '({ a: [1, { b: 2 }] })',
  'Object.assign(Object.create(null), { a: 1 })',
  '[1, [2, undefined, -0, NaN]]',
  '[1, , 3]',
  'new Date(5)',
  'new Map([[{ a: 1 }, new Set([1, [2]])]])',
  'new Set([1, { a: 1 }])',
  'new Uint8Array([1, 2])',
  'new Float64Array([1.5])',
  'new BigInt64Array([1n])',
  'new DataView(new ArrayBuffer(2))',
  'new Uint8Array([1, 2]).buffer',
  '/a/g',
  'new TypeError("message")',
  'JSON.parse(\'{"__proto__": {"a": 1}}\')',
]

describe('isolation clone', () => {
  it.each([
    ['a Buffer', Buffer.from('abc')],
    ['an error with members', failure],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 })],
    ['members named by symbols', { [Symbol.for('s')]: { a: 1 } }],
    ['a cycle', cycle],
    ['a RegExp in the middle of a text', Object.assign(/a/g, { lastIndex: 3 })],
    ['a member named __proto__', JSON.parse('{"__proto__": {"a": 1}}')],
    ['a Map with members', Object.assign(new Map([[1, 2]]), { a: { b: 1 } })],
  ])('keeps %s exactly, as a copy', (_, value) => {
    const copy = trip('clone', value)
    deepStrictEqual(copy, value)
    expect(typeof value === 'object' && copy === value).toBe(false)
  })

  it('keeps the members of an error that are not enumerable', () => {
    const copy = trip('clone', failure) as typeof failure
    expect(copy).toBeInstanceOf(RangeError)
    expect({ ...copy }).toEqual({ code: 'E_FAIL', details: { a: [1] } })
    expect(copy.message).toBe('message')
    expect(copy.stack).toBe(failure.stack)
    expect(copy.cause).toEqual({ code: 1 })
    expect(copy.details).not.toBe(failure.details)
    expect(Object.keys(copy)).not.toContain('stack')
  })

  it('keeps shared parts shared', () => {
    const shared = { a: 1 }
    const copy = trip('clone', { one: shared, other: [shared] }) as { one: object; other: object[] }
    expect(copy.one).toBe(copy.other[0])
    expect(copy.one).not.toBe(shared)
  })

  it('copies bytes without the memory around them', () => {
    const pooled = Buffer.from('abc')
    const copy = trip('clone', { buffer: pooled, view: pooled.subarray(1) }) as { buffer: Buffer; view: Buffer }
    expect(copy.buffer.buffer.byteLength).toBe(3)
    expect(copy.view.buffer.byteLength).toBe(2)
    expect(Buffer.isBuffer(copy.buffer)).toBe(true)
  })

  it('leaves out members that are not enumerable', () => {
    const value = Object.defineProperties({ a: 1 }, { b: { value: 2 }, [Symbol('c')]: { value: 3 } })
    deepStrictEqual(trip('clone', value), { a: 1 })
  })

  it.each(expressions)('keeps the value %s of another realm, with its prototype', (expression) => {
    const value: object = runInNewContext(expression)
    const copy = trip('clone', value) as object
    deepStrictEqual(copy, value)
    expect(copy).not.toBe(value)
    expect(Object.getPrototypeOf(copy)).toBe(Object.getPrototypeOf(value))
  })

  it.each([
    ['an instance of Point at value.list[1]; store its data: `{ ...value }`', { list: [1, new Point()] }],
    ['an instance of URL at value(value 0)', new Map([['a', new URL('http://host')]])],
    ['a function at value.f', { f: () => 1 }],
    ['a symbol at value;', Symbol('s')],
    ['a symbol at value[0]', [Symbol('s')]],
    ['an array with named members', Object.assign([1], { a: 1 })],
    ['an instance of Table', new (class Table extends Map {})()],
    ['an instance of Promise at value(element 0)', new Set([Promise.resolve()])],
  ])('refuses a value with %s', (message, value) => {
    expect(() => trip('clone', value)).toThrow(
      expect.objectContaining({ code: 'NOT_STORABLE', key: 'k', message: expect.stringContaining(message) }),
    )
  })

  it('refuses a value that is nested too deeply', () => {
    let value: unknown = 1
    for (let level = 0; level < 100_000; level += 1) value = [value]
    expect(() => trip('clone', value)).toThrow(expect.objectContaining({ code: 'NOT_STORABLE' }))
  })

  it('keeps a date of fake timers after their end', () => {
    onTestFinished(() => {
      vi.useRealTimers()
    })
    vi.useFakeTimers({ now: 5 })
    const { sync } = open('clone')
    sync.set(item({ at: new Date() }))
    vi.useRealTimers()
    deepStrictEqual(sync.get('k')?.value, { at: new Date(5) })
  })
})

describe('isolation freeze', () => {
  it.each(expressions)('freezes the value %s of another realm, or refuses it', (expression) => {
    const value: object = runInNewContext(expression)
    const { sync } = open('freeze')
    const isChangeable = /Map|Set|Date|Array\(|ArrayBuffer/.test(expression)
    if (isChangeable) {
      expect(() => sync.set(item({ value }))).toThrow(
        expect.objectContaining({ code: 'NOT_STORABLE', message: expect.stringContaining('at value.value;') }),
      )
      expect(Object.isFrozen(value)).toBe(false)
    } else {
      sync.set(item({ value }))
      expect(Object.isFrozen(value)).toBe(true)
    }
  })

  it('refuses instances of classes and functions, which could change private members', () => {
    for (const value of [new Point(), new URL('http://host'), () => 1, Buffer.from('a')]) {
      expect(() => trip('freeze', { list: [value] })).toThrow(
        expect.objectContaining({ code: 'NOT_STORABLE', message: expect.stringContaining('value.list[0]') }),
      )
    }
  })
})

describe('isolation codec', () => {
  it('returns copies that the codec made', () => {
    const { sync } = open('codec')
    const value = { list: [1] }
    sync.set(item(value))
    value.list.push(2)
    const read = sync.get('k')?.value as typeof value
    expect(read).toEqual({ list: [1] })
    read.list.push(3)
    expect(sync.get('k')?.value).toEqual({ list: [1] })
  })

  it('refuses every value that the codec refuses, in each way of writing', async () => {
    const backend = open('codec')
    const refused = item({ at: new Date(0) })
    const failed = expect.objectContaining({ code: 'NOT_STORABLE', key: 'k', cause: expect.any(Error) })
    await expect(backend.set(refused)).rejects.toEqual(failed)
    await expect(backend.setMany([refused])).rejects.toEqual(failed)
    await expect(backend.compareAndSet('k', undefined, refused)).rejects.toEqual(failed)
    expect(() => backend.load([{ key: 'k', value: refused }])).toThrow(failed)
    expect(backend.sync.stats().items).toBe(0)
  })

  it('needs no codec for placeholders, texts and whole numbers, as a store', async () => {
    const throwing: Codec = {
      ...codec,
      encode() {
        throw new Error('no')
      },
    }
    const { sync } = new MemoryBackend({ maxEntries: 10, isolation: 'codec', codec: throwing })
    for (const value of [undefined, 'text', '', 0, -7, 2 ** 53 - 1]) {
      sync.set(item(value))
      expect(sync.get('k')?.value).toBe(value)
    }
    for (const value of [-0, 1.5, null, true]) expect(() => sync.set(item(value))).toThrow('no')
    sync.set(item(1))
    expect(sync.increment('k', 2)).toBe(3)
  })

  it('needs a codec, and only this isolation takes one', () => {
    const invalid = expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('codec') })
    expect(() => new MemoryBackend({ maxEntries: 1, isolation: 'codec' })).toThrow(invalid)
    expect(() => new MemoryBackend({ maxEntries: 1, isolation: 'codec', codec: {} as Codec })).toThrow(invalid)
    expect(() => new MemoryBackend({ maxEntries: 1, codec })).toThrow(invalid)
    expect(() => new MemoryBackend({ maxEntries: 1, isolation: 'clone', codec })).toThrow(invalid)
  })
})

it.each(['clone', 'freeze', 'codec'] as const)(
  'isolation %s separates the tags and the item of callers',
  (isolation) => {
    const { sync } = open(isolation)
    for (const value of [{ a: 1 }, 'text', undefined]) {
      const tags: Record<string, string> = { t: '1' }
      const given: { -readonly [Name in keyof Item]: Item[Name] } = item(value, { tags })
      sync.set(given)
      tags.t = '2'
      given.version = 'other'
      expect(sync.get('k')).toMatchObject({ version: 'v', tags: { t: '1' } })
      const read = sync.get('k') as { tags: Record<string, string> }
      try {
        read.tags.t = '3'
      } catch (error) {
        expect(isolation).toBe('freeze')
        expect(error).toBeInstanceOf(TypeError)
      }
      expect(sync.get('k')?.tags).toEqual({ t: '1' })
    }
  },
)

it('the estimate of bytes is the same for a value of another realm', () => {
  for (const expression of expressions) {
    const here: unknown = new Function(`return ${expression}`)()
    expect(estimateBytes(runInNewContext(expression)), expression).toBe(estimateBytes(here))
  }
})
