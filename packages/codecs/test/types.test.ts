import { deepStrictEqual } from 'node:assert/strict'
import { runInNewContext } from 'node:vm'
import { Decimal128, ObjectId } from 'bson'
import dayjs from 'dayjs'
import 'dayjs/locale/de.js'
import timezone from 'dayjs/plugin/timezone.js'
import utc from 'dayjs/plugin/utc.js'
import { Decimal } from 'decimal.js'
import { DateTime } from 'luxon'
import { describe, expect, it } from 'vitest'
import { type CodecType, ItemFormat, jsonCodec, msgpackCodec, v8Codec } from '../src/index.ts'
import {
  classType,
  dayjsType,
  decimalType,
  errorType,
  headersType,
  luxonType,
  objectIdType,
  rowType,
  urlSearchParamsType,
  urlType,
} from '../src/presets/index.ts'

dayjs.extend(utc)
dayjs.extend(timezone)

class User {
  name: string
  createdAt: unknown
  constructor(name: string, createdAt: unknown) {
    this.name = name
    this.createdAt = createdAt
  }
  greet(): string {
    return `I am ${this.name}`
  }
}

const types: readonly CodecType[] = [
  objectIdType(ObjectId),
  decimalType(Decimal),
  luxonType(DateTime),
  dayjsType(dayjs),
  urlType,
  urlSearchParamsType,
  headersType,
  errorType,
  rowType,
  classType(User),
]

describe.each([msgpackCodec, jsonCodec, v8Codec])('$name with types', (plain) => {
  const codec = plain.withTypes(types)
  const trip = <Value>(value: Value): Value => codec.decode(Uint8Array.from(codec.encode(value))) as Value

  it('keeps an ObjectId of bson, also at many places of a document', () => {
    const id = new ObjectId()
    const rows = Array.from({ length: 20 }, (_, index) => ({ _id: new ObjectId(), index, owner: id }))
    deepStrictEqual(trip(id), id)
    const copy = trip(rows)
    deepStrictEqual(copy, rows)
    expect(copy[3]?.owner.equals(id)).toBe(true)
    expect(copy[3]?.owner).toBeInstanceOf(ObjectId)
  })

  it('keeps every Decimal exactly', () => {
    for (const digits of ['0.1', '-0', '1e-500', '123456789012345678901234567890.123', 'NaN', '-Infinity']) {
      const copy = trip({ price: new Decimal(digits) })
      expect(copy.price).toBeInstanceOf(Decimal)
      expect(copy.price.valueOf()).toBe(new Decimal(digits).valueOf())
    }
    // Prisma has a copy of its own, as a clone has.
    const Own = Decimal.clone({ precision: 50 })
    expect(trip(new Own('0.1')).equals('0.1')).toBe(true)
  })

  it('keeps a DateTime of luxon with its zone and locale', () => {
    for (const time of [
      DateTime.fromMillis(5, { zone: 'utc' }),
      DateTime.fromMillis(5, { zone: 'Europe/Berlin', locale: 'de' }),
      DateTime.fromMillis(5, { zone: 'UTC+5:30' }),
      DateTime.fromMillis(5, { numberingSystem: 'beng', outputCalendar: 'buddhist' }),
      DateTime.fromMillis(-8.64e15, { zone: 'utc' }),
    ]) {
      const copy = trip([time])[0] as DateTime
      expect(copy.equals(time)).toBe(true)
      expect(copy.toISO()).toBe(time.toISO())
    }
    expect(() => codec.encode(DateTime.invalid('reason'))).toThrow('invalid DateTime')
  })

  it('keeps a time of dayjs with its zone, offset and locale', () => {
    for (const time of [
      dayjs(5),
      dayjs(5).locale('de'),
      dayjs.utc(5),
      dayjs.tz(5, 'Asia/Tokyo'),
      dayjs(5).utcOffset(330),
      dayjs(Number.NaN),
    ]) {
      const copy = trip({ time }).time
      expect(dayjs.isDayjs(copy)).toBe(true)
      expect([copy.valueOf(), copy.locale(), copy.isUTC(), copy.format()]).toEqual([
        time.valueOf(),
        time.locale(),
        time.isUTC(),
        time.format(),
      ])
      expect(copy.utcOffset()).toEqual(time.utcOffset())
    }
  })

  it('keeps URL, URLSearchParams and Headers', () => {
    const value = {
      url: new URL('https://user@host:1/path?a=1#b'),
      params: new URLSearchParams('a=1&a=2&b=%20'),
      headers: new Headers([
        ['a', '1'],
        ['set-cookie', 'x=1'],
        ['set-cookie', 'y=2'],
      ]),
    }
    const copy = trip(value)
    expect(copy.url).toBeInstanceOf(URL)
    expect(copy.url.href).toBe(value.url.href)
    expect([...copy.params]).toEqual([...value.params])
    expect([...copy.headers]).toEqual([...value.headers])
    expect(copy.headers.getSetCookie()).toEqual(['x=1', 'y=2'])
  })

  it('keeps an error with its class, members, stack and cause', () => {
    const cause = Object.assign(new RangeError('inner'), { code: 'E_RANGE' })
    const error = Object.assign(new TypeError('outer', { cause }), { code: 'E_TYPE', details: { a: [1] } })
    const copy = trip({ error }).error
    deepStrictEqual(copy, error)
    expect(copy.stack).toBe(error.stack)
    expect(copy.cause).toBeInstanceOf(RangeError)
    class Failure extends RangeError {
      override name = 'Failure'
    }
    const own = trip(new Failure('own'))
    expect(own).toBeInstanceOf(RangeError)
    expect(own).toMatchObject({ name: 'Failure', message: 'own' })
    expect(trip(runInNewContext('new RangeError("m")'))).toBeInstanceOf(RangeError)
  })

  it('keeps an entity with values of other types in it, without calling its constructor', () => {
    const user = new User('Ada', DateTime.fromMillis(5, { zone: 'utc' }))
    const copy = trip({ users: [user] }).users[0] as User
    expect(copy).toBeInstanceOf(User)
    expect(copy.greet()).toBe('I am Ada')
    expect((copy.createdAt as DateTime).equals(user.createdAt as DateTime)).toBe(true)
    expect(() => codec.encode(new (class Admin extends User {})('a', 1))).toThrow('an instance of Admin')
  })

  it('keeps values of types in a Map, a Set and beside objects without a prototype', () => {
    if (plain === jsonCodec) return expect(plain.keeps).not.toContain('map')
    const id = new ObjectId()
    const value = new Map<unknown, unknown>([
      [id, new Set([new Decimal(1)])],
      ['none', Object.assign(Object.create(null), { id })],
    ])
    deepStrictEqual(trip(value), value)
  })

  it('writes the same bytes as without types for a value that has none', () => {
    const value = { a: [1, { b: null }], c: 'text', d: Object.create(null) }
    expect(codec.encode(value)).toEqual(plain.encode(value))
    deepStrictEqual(plain.decode(codec.encode(value)), value)
  })

  it('refuses a class without a type, with the path and with advice', () => {
    expect(() => codec.encode({ list: [Decimal128.fromString('1')] })).toThrow(
      /an instance of Decimal128 at value\.list\[0\];.*or give the codec a type for the class \(`withTypes`\)/,
    )
    const nested = plain.withTypes([
      { name: 'Box', is: (v) => v instanceof User, encode: () => ({ f: () => 1 }), decode: () => 1 },
    ])
    expect(() => nested.encode([new User('a', 1)])).toThrow('value[0](data of the type Box).f')
  })

  it('refuses a type whose data is again of the type', () => {
    const endless = plain.withTypes([
      { name: 'endless', is: () => true, encode: (value) => value, decode: (data) => data },
    ])
    expect(() => endless.encode(new User('a', 1))).toThrow()
  })

  it('lets a type use the codec itself', () => {
    const inner = plain.withTypes([urlType])
    const outer = plain.withTypes([
      {
        name: 'sealed user',
        is: (value) => value instanceof User,
        encode: (value) => Buffer.from(inner.encode({ ...(value as User) })).toString('base64'),
        decode: (data) => Object.assign(new User('', 0), inner.decode(Buffer.from(String(data), 'base64'))),
      },
    ])
    const rows = Array.from({ length: 20 }, (_, index) => ({
      index,
      user: new User(`u${index}`, new URL('http://host/')),
    }))
    const copy = outer.decode(outer.encode(rows)) as typeof rows
    expect(copy.map(({ index, user }) => [index, user.name, String(user.createdAt)])).toEqual(
      rows.map(({ index, user }) => [index, user.name, 'http://host/']),
    )
  })

  it('is damaged for a reader without the type, whose name the error has', () => {
    const item = { key: 'k', value: { id: new ObjectId() }, version: 'v', createdAt: 1 }
    const bytes = new ItemFormat({ codec }).encode(item)
    expect(new ItemFormat({ codec }).decode('k', bytes)).toEqual(item)
    for (const other of [plain, plain.withTypes([urlType])]) {
      expect(() => new ItemFormat({ codec: other }).decode('k', bytes)).toThrow(
        expect.objectContaining({ code: 'DAMAGED', message: expect.stringContaining('"ObjectId"') }),
      )
    }
  })

  it('is damaged for data that the type did not encode', () => {
    const bad = plain.withTypes([
      { name: 'URL', is: (value) => value instanceof User, encode: () => ({ a: 1 }), decode: () => 1 },
    ])
    expect(() => plain.withTypes([urlType]).decode(bad.encode([new User('a', 1)]))).toThrow('no text')
  })
})

describe('withTypes', () => {
  it('adds to the types that the codec has', () => {
    const codec = msgpackCodec.withTypes([urlType]).withTypes([rowType])
    expect(codec.decode(codec.encode(new URL('http://host/')))).toBeInstanceOf(URL)
  })

  it.each([
    ['two types of one name', [urlType, urlType]],
    ['no array', urlType],
    ['a type without a name', [{ ...urlType, name: '' }]],
    ['a type without a method', [{ name: 'a', is: () => true }]],
    ['no type', [undefined]],
  ])('refuses %s', (_, given) => {
    expect(() => msgpackCodec.withTypes(given as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  it('refuses a second type of a name that the codec has', () => {
    expect(() => jsonCodec.withTypes([urlType]).withTypes([urlType])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
  })
})
