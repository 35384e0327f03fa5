import { deepStrictEqual } from 'node:assert/strict'
import { type CacheErrorCode, type Codec, cacheErrorCode, type Item } from '@cache/core/backend'
import { expect, test } from 'vitest'
import { frame, ItemFormat, type ItemFormatOptions, jsonCodec, msgpackCodec, rawCodec, v8Codec } from '../src/index.ts'
import { createRandom } from './random.ts'
import { json, samples, unkept } from './samples.ts'

const at = 1_763_620_000_000
const base: Item = { key: 'user:42', value: { name: 'Ada' }, version: 'abcdefghij1', createdAt: at }
const secret = Buffer.alloc(32, 1)

function codeOf(run: () => unknown): CacheErrorCode | undefined {
  try {
    run()
  } catch (error) {
    return cacheErrorCode(error)
  }
  return undefined
}

const formats: readonly (readonly [name: string, options: ItemFormatOptions])[] = [
  ['by default', {}],
  ['with JSON', { codec: jsonCodec }],
  ['with structured clone', { codec: v8Codec }],
  ['compressed', { compression: { algorithm: 'zstd', threshold: 0 } }],
  ['sealed', { encryption: { keys: [secret] } }],
  ['compressed and sealed', { compression: { algorithm: 'gzip', threshold: 100 }, encryption: { keys: [secret] } }],
]

for (const [name, options] of formats) {
  // No lifetime of the samples has ended by this clock.
  const format = new ItemFormat(options, '', { now: () => Number.NEGATIVE_INFINITY })
  const trip = (item: Item): Item => format.decode(item.key, Uint8Array.from(format.encode(item)))

  test(`every given member of an item comes back ${name}, and no other`, () => {
    const random = createRandom(7)
    for (let count = 0; count < 2000; count += 1) {
      const item = { ...base, ...randomMembers(random) }
      deepStrictEqual(trip(item), item)
    }
  })

  test(`values, placeholders and strings of any kind come back ${name}`, () => {
    for (const value of [
      ...json,
      undefined,
      ...samples['lone surrogate'].filter((sample) => typeof sample === 'string'),
    ]) {
      const item = { ...base, value }
      deepStrictEqual(trip(item), item)
    }
  })

  test(`a truncated or lengthened frame is damaged ${name}`, () => {
    for (const value of ['some text', 'x'.repeat(3000), { a: [1, 2.5, 'b'] }, 1.5, true, undefined, '\ud800', 'ключ']) {
      const bytes = format.encode({ ...base, value, expiresAt: at + 1000, tags: { a: 'b' }, cost: 7 })
      for (let length = 0; length < bytes.length; length += length < 100 ? 1 : 97) {
        expect(codeOf(() => format.decode(base.key, bytes.subarray(0, length)))).toBe('DAMAGED')
      }
      expect(codeOf(() => format.decode(base.key, Buffer.concat([bytes, Buffer.of(0)])))).toBe('DAMAGED')
    }
  })
}

type Random = ReturnType<typeof createRandom>

function randomMembers(random: Random): Partial<Item> {
  const instants = [0, -1, 1, at, at + 1, 2 ** 31, 2 ** 48 - 2, 2 ** 48 - 1, 2 ** 48, 4e15, -4e15]
  const texts = ['', 'a', 'premium', 'ключ', '\udc00', '__proto__', 'x'.repeat(2000), 'constructor']
  const costs = [0, 1, -1, 63, 64, 1024, 2 ** 53 - 1, -0, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 1e300]
  const tagNames = Array.from({ length: random.below(5) }, () => random.pick(texts))
  return {
    version: random.pick(['v', 'abcdefghij1', '~'.repeat(255), '12345']),
    createdAt: random.pick(instants),
    ...(random.below(2) && { staleAt: random.pick(instants) }),
    ...(random.below(2) && { expiresAt: random.pick(instants) }),
    ...(random.below(2) && { tags: Object.fromEntries(tagNames.map((name) => [name, random.pick(texts)])) }),
    ...(random.below(2) && { cost: random.pick(costs) }),
    value: random.pick([
      undefined,
      0,
      42,
      -7,
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
      'text',
      '',
      '42',
      null,
    ]),
  }
}

test('a frame has exactly the layout of FORMAT.md', () => {
  const format = new ItemFormat()
  const hex = (item: Partial<Item>): string => format.encode({ ...base, version: 'v1', ...item }).toString('hex')
  const head = (kind: string, flags: string): string => `02${kind}${flags}02${'7631'}019a9ff19100`
  expect(hex({ value: undefined })).toBe(`${head('00', '00')}00`)
  expect(hex({ value: -42 })).toBe(`${head('30', '40')}2d3432`)
  expect(hex({ value: 'é' })).toBe(`${head('31', '00')}02c3a9`)
  expect(hex({ value: '\ud800' })).toBe(`${head('32', '00')}0200d8`)
  expect(hex({ value: [true] })).toBe(`${head('01', '00')}0291c3`)
  // 100 ms later: 0x64 = 36 + 1 * 64.
  expect(hex({ value: 7, staleAt: at + 100 })).toBe(`${head('30', '44')}a40137`)
  expect(hex({ value: 7, expiresAt: at - 1 })).toBe(`${head('30', '48')}4137`)
  expect(hex({ value: 7, tags: { ab: 'c' } })).toBe(`${head('30', '50')}010261620163${'37'}`)
  expect(hex({ value: 7, cost: 5 })).toBe(`${head('30', '60')}0537`)
  expect(hex({ value: 7, cost: 0.5 })).toBe(`${head('30', '60')}403fe000000000000037`)
  expect(hex({ value: 7, createdAt: -1 })).toBe(`023040027631ffffffffffffbff000000000000037`)
})

test('an item takes few bytes besides its value', () => {
  const format = new ItemFormat()
  const beside = (item: Partial<Item>, payload: number): number => format.encode({ ...base, ...item }).length - payload
  expect(beside({ value: 42 }, 2)).toBe(21)
  expect(beside({ value: 'text' }, 4)).toBe(22)
  expect(beside({ value: 'text', expiresAt: at + 600_000 }, 4)).toBe(25)
  expect(beside({ value: 'text', staleAt: at + 60_000, expiresAt: at + 600_000 }, 4)).toBe(28)
  expect(beside({ value: { name: 'Ada' } }, msgpackCodec.encode({ name: 'Ada' }).length)).toBe(22)
})

test('a whole number is readable at the end of its frame, and a flag says so', () => {
  const format = new ItemFormat({ compression: { algorithm: 'gzip', threshold: 0 } })
  for (const value of [0, 7, -7, 1_000_000, Number.MAX_SAFE_INTEGER]) {
    const bytes = format.encode({ ...base, value, tags: { a: 'b' }, cost: 3 })
    expect((bytes[frame.flagsOffset] as number) & frame.flags.clearNumber).toBe(frame.flags.clearNumber)
    expect(bytes.toString('latin1').endsWith(String(value))).toBe(true)
  }
  for (const value of [1.5, '7', -0, Number.NaN, undefined, null]) {
    const plain = new ItemFormat({ codec: v8Codec }).encode({ ...base, value })
    expect((plain[frame.flagsOffset] as number) & frame.flags.clearNumber).toBe(0)
  }
})

test('the version is where Lua and SQL read it, also in sealed frames', () => {
  for (const [, options] of formats) {
    const bytes = new ItemFormat(options).encode(base)
    expect(bytes[0]).toBe(frame.formatVersion)
    const length = bytes[frame.versionLengthOffset] as number
    expect(bytes.toString('latin1', frame.versionOffset, frame.versionOffset + length)).toBe(base.version)
  }
})

test('whole numbers written by hand are read only if they are canonical and safe', () => {
  const format = new ItemFormat()
  const frameOf = (digits: string): Buffer =>
    Buffer.concat([format.encode({ ...base, value: 1 }).subarray(0, -1), Buffer.from(digits)])
  for (const digits of ['0', '-1', '10', '9007199254740991', '-9007199254740991']) {
    expect(format.decode(base.key, frameOf(digits)).value).toBe(Number(digits))
  }
  for (const digits of [
    '',
    '-',
    '-0',
    '01',
    '1.5',
    ' 1',
    '1 ',
    '+1',
    '1e3',
    '9007199254740992',
    '0x10',
    '99999999999999999999',
  ]) {
    expect(codeOf(() => format.decode(base.key, frameOf(digits)))).toBe('DAMAGED')
  }
})

test('a value that a codec cannot keep is refused as NOT_STORABLE, with key and cause', () => {
  for (const [, value] of unkept) {
    for (const codec of [msgpackCodec, jsonCodec, v8Codec, rawCodec]) {
      expect(codeOf(() => new ItemFormat({ codec }).encode({ ...base, value }))).toBe('NOT_STORABLE')
    }
  }
  expect(() => new ItemFormat().encode({ ...base, value: { a: () => 1 } })).toThrow(
    expect.objectContaining({ code: 'NOT_STORABLE', key: 'user:42', cause: expect.any(TypeError) }),
  )
})

test('an item with invalid members is refused', () => {
  const format = new ItemFormat()
  for (const broken of [
    { version: '' },
    { version: 'v'.repeat(256) },
    { version: 'é' },
    { createdAt: 1.5 },
    { expiresAt: Number.NaN },
  ]) {
    expect(codeOf(() => format.encode({ ...base, ...broken }))).toBe('NOT_STORABLE')
  }
})

test('a value with more bytes than allowed is refused by encode and decode', () => {
  const small = new ItemFormat({ maxDecodedBytes: 100 })
  for (const value of ['x'.repeat(101), { text: 'x'.repeat(101) }, 'é'.repeat(51)]) {
    expect(codeOf(() => small.encode({ ...base, value }))).toBe('NOT_STORABLE')
    expect(codeOf(() => small.decode(base.key, new ItemFormat().encode({ ...base, value })))).toBe('DAMAGED')
  }
  deepStrictEqual(small.decode(base.key, small.encode({ ...base, value: 'x'.repeat(100) })).value, 'x'.repeat(100))
})

test('bytes of another format version, of another codec or without a frame are damaged', () => {
  const format = new ItemFormat()
  const later = Uint8Array.from(format.encode(base))
  later[0] = frame.formatVersion + 1
  const earlier = Uint8Array.from(format.encode(base))
  earlier[0] = frame.formatVersion - 1
  const flagged = Uint8Array.from(format.encode(base))
  flagged[frame.flagsOffset] = 0x80
  for (const bytes of [
    later,
    earlier,
    flagged,
    new ItemFormat({ codec: jsonCodec }).encode(base),
    Buffer.from('{"a":1}'),
    Buffer.from('42'),
    Buffer.alloc(0),
  ]) {
    expect(codeOf(() => format.decode(base.key, bytes))).toBe('DAMAGED')
  }
})

test('bytes with the value undefined are damaged instead of a placeholder', () => {
  const format = new ItemFormat()
  const bytes = format.encode({ ...base, value: [true] })
  // MessagePack for undefined, one byte longer than what was there; the length of the payload stands in front of it.
  const header = bytes.subarray(0, -3)
  expect(codeOf(() => format.decode(base.key, Buffer.concat([header, Buffer.of(3, 0xd4, 0, 0)])))).toBe('DAMAGED')
})

test('a codec of the application encodes the values that need one, and its errors get codes', () => {
  const codec: Codec = {
    id: 200,
    name: 'upper',
    encode: (value) => {
      if (typeof value !== 'object') throw new Error('objects only')
      return Buffer.from(JSON.stringify(value).toUpperCase())
    },
    decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
  }
  const format = new ItemFormat({ codec })
  const trip = (value: unknown): unknown => format.decode('k', format.encode({ ...base, value })).value
  expect(trip({ a: 'b' })).toEqual({ A: 'B' })
  expect([trip('text'), trip(7), trip(undefined)]).toEqual(['text', 7, undefined])
  expect(codeOf(() => trip(1.5))).toBe('NOT_STORABLE')
})

test('a codec that itself uses the format does not change the frame around it', () => {
  const inner = new ItemFormat()
  const codec: Codec = {
    id: 201,
    name: 'nested',
    encode: (value) => inner.encode({ key: 'inner', value, version: 'inner', createdAt: 1, tags: { inner: 'tag' } }),
    decode: (bytes) => inner.decode('inner', bytes).value,
  }
  const format = new ItemFormat({ codec })
  const item = { ...base, tags: { outer: 'tag' } }
  deepStrictEqual(format.decode(base.key, format.encode(item)), item)
})

test.for<[name: string, options: unknown]>([
  ['options', null],
  ["unknown option 'codek'", { codek: msgpackCodec }],
  ['codec', { codec: {} }],
  ['codec', { codec: 'msgpack' }],
  ['codec.id', { codec: { ...msgpackCodec, id: 0 } }],
  ['codec.id', { codec: { ...msgpackCodec, id: 48 } }],
  ['codec.id', { codec: { ...msgpackCodec, id: 256 } }],
  ['maxDecodedBytes', { maxDecodedBytes: 0 }],
  ['algorithm', { compression: { algorithm: 'lz4' } }],
  ['algorithm', { compression: { algorithm: 'constructor' } }],
  ['threshold', { compression: { algorithm: 'gzip', threshold: -1 } }],
  ['level', { compression: { algorithm: 'gzip', level: 10 } }],
  ["unknown option 'size'", { compression: { algorithm: 'gzip', size: 1 } }],
  ['keys', { encryption: { keys: [] } }],
  ['keys[1]', { encryption: { keys: [secret, 'secret'] } }],
  ['keys[0]', { encryption: { keys: [Buffer.alloc(16)] } }],
])('a bad %s is refused as INVALID_ARGUMENT that names it: %j', ([name, options]) => {
  expect(() => new ItemFormat(options as ItemFormatOptions)).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(name) }),
  )
})
