import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Packr } from 'msgpackr'
import { expect, test } from 'vitest'
import { frame, ItemFormat, jsonCodec, msgpackCodec, v8Codec } from '../src/index.ts'

const program = fileURLToPath(new URL('./fuzz-decode.ts', import.meta.url))

const formats = ['msgpack', 'json', 'v8', 'zstd', 'gzip', 'brotli']

// Each format by itself: together they share the time, and a rare crash of one hides behind the others.
test.for([...formats.entries()])(
  'damaged bytes of format %i (%s) result in a value or DAMAGED, with little memory and time',
  { timeout: 60_000 },
  async ([number, name]) => {
    const seed = 1000 + number
    const args = ['--max-old-space-size=128', program, String(seed), '3000', String(number)]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    const result = JSON.parse(stdout) as { value: number; damaged: number; maxRSS: number }
    const told = `seed ${seed}, ${name}: ${stdout}`
    // Both happened often, so the bytes reached the codecs and were not all alike.
    expect(result.damaged, told).toBeGreaterThan(1000)
    expect(result.value, told).toBeGreaterThan(50)
    expect(result.maxRSS, told).toBeLessThan(400 * 1024)
  },
)

test('bytes of an error never reach a constructor: the extension of msgpackr for errors is damage', () => {
  for (const name of ['valueOf', 'constructor', 'toString', '__proto__', 'TypeError']) {
    const packed = new Packr({ useRecords: false }).pack([name, 'message'])
    expect(() => msgpackCodec.decode(Buffer.concat([Buffer.from([0xd4, 0x65, 0]), packed]))).toThrow(
      'the extension 101',
    )
  }
})

test('texts in another place, which could be read again and again, are damage', () => {
  const bundled = new Packr({ useRecords: false, bundleStrings: true }).pack(['one text', 'another text', 'a third'])
  expect(bundled.includes(0x62)).toBe(true)
  expect(() => msgpackCodec.decode(bundled)).toThrow('MessagePack with the token')
})

test('nested arrays that each claim the rest of the bytes never reserve memory for it', () => {
  const levels = 400
  const rest = 400_000
  const head = Buffer.alloc(5 * levels)
  for (let level = 0; level < levels; level += 1) {
    head[level * 5] = 0xdd
    head.writeUInt32BE(rest, level * 5 + 1)
  }
  // Each array by itself would fit. Together they would take 1.3 GB.
  expect(() => msgpackCodec.decode(Buffer.concat([head, Buffer.alloc(rest)]))).toThrow('truncated')
})

test('records are damage where they would take more memory than their bytes', () => {
  const names = (count: number): Buffer =>
    Buffer.from(new Packr({ useRecords: false }).pack(Array.from({ length: count }, (_, index) => `name ${index}`)))
  const record = (count: number): Buffer =>
    Buffer.concat([Buffer.from([0xc1, 0xd4, 0x72, 0x40]), names(count), Buffer.alloc(count)])
  expect(Object.keys(msgpackCodec.decode(record(64)) as object)).toHaveLength(64)
  expect(() => msgpackCodec.decode(record(65))).toThrow('a record without names')
  expect(() => msgpackCodec.decode(Buffer.from([0xc1, 0x40]))).toThrow('the token 64')
})

test('of many records in one value, only some get a reader of their own, which takes time to create', () => {
  const one = (index: number): Buffer => {
    const names = new Packr({ useRecords: false }).pack([`name ${index}`])
    return Buffer.concat([Buffer.from([0xd4, 0x72, 0x40]), names, Buffer.from([0, ...Array(9).fill([0x40, 0]).flat()])])
  }
  const count = 1000
  const head = Buffer.from([0xc1, 0xdd, 0, 0, 0, 0])
  head.writeUInt32BE(count * 10, 2)
  const bytes = Buffer.concat([head, ...Array.from({ length: count }, (_, index) => one(index))])
  let created = 0
  const real = globalThis.Function
  globalThis.Function = new Proxy(real, {
    construct(target, args) {
      created += 1
      return Reflect.construct(target, args)
    },
  })
  try {
    const value = msgpackCodec.decode(bytes) as Record<string, number>[]
    expect(value).toHaveLength(count * 10)
    expect(value.at(-1)).toEqual({ [`name ${count - 1}`]: 0 })
  } finally {
    globalThis.Function = real
  }
  expect(created).toBe(64)
})

test('records are read where the runtime creates no code from text', () => {
  const value = Array.from({ length: 30 }, (_, index) => ({ [`only here ${index % 2}`]: index, id: index }))
  const bytes = msgpackCodec.encode(value)
  const real = globalThis.Function
  globalThis.Function = new Proxy(real, {
    construct() {
      throw new EvalError('Code generation from strings disallowed for this context')
    },
  })
  try {
    expect(msgpackCodec.decode(bytes)).toEqual(value)
  } finally {
    globalThis.Function = real
  }
})

/** Seven bits a byte, low bits first, as V8 writes numbers. */
function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]
}

test('a few bytes that claim a long array never reach V8, which would reserve memory for it', () => {
  const sparse = (length: number): number[] => [97, ...varint(length), 64, 0, ...varint(length)]
  const dense = (length: number): number[] => [65, ...varint(length)]
  // 33 million elements are 264 MB in V8, and out of memory cannot be caught.
  for (const length of [100_000, 33_000_000, 2 ** 32 - 1]) {
    expect(() => v8Codec.decode(Buffer.from([255, 15, ...sparse(length)]))).toThrow('mostly holes')
    expect(() => v8Codec.decode(Buffer.from([255, 15, ...dense(length)]))).toThrow('longer than its bytes')
  }
  // Each by itself would pass; together they would not fit into memory.
  const many = Array.from({ length: 5000 }, () => dense(10_000)).flat()
  expect(() => v8Codec.decode(Buffer.from([255, 15, ...many]))).toThrow('longer than its bytes')
  const holes = Array.from({ length: 5000 }, () => sparse(40_000)).flat()
  expect(() => v8Codec.decode(Buffer.from([255, 15, ...dense(5000), ...holes]))).toThrow('mostly holes')
})

test('a short MessagePack array, map or text with a claimed great length is damaged at once', () => {
  const long = [255, 255, 255, 255]
  for (const bytes of [
    [0xdd, ...long],
    [0xdf, ...long],
    [0xdb, ...long, 97],
    [0xc9, ...long, 116],
  ]) {
    expect(() => msgpackCodec.decode(Buffer.from(bytes))).toThrow()
  }
})

test('infinite nesting is damaged, and the codec still works', () => {
  const format = new ItemFormat()
  for (const bytes of [
    Buffer.alloc(1_000_000, 0x91),
    Buffer.alloc(1_000_000, 0x81),
    Buffer.concat([Buffer.of(0xc1), Buffer.alloc(1_000_000, 0x91)]),
  ]) {
    expect(() => msgpackCodec.decode(bytes)).toThrow()
  }
  expect(() => jsonCodec.decode(Buffer.from('['.repeat(1_000_000)))).toThrow()
  const item = { key: 'k', value: { a: [1, 2] }, version: 'v', createdAt: 1 }
  expect(format.decode('k', format.encode(item))).toEqual(item)
})

test('members named __proto__ in the bytes do not change the prototype of what is decoded', () => {
  for (const useRecords of [false, true]) {
    const packed = Buffer.from(new Packr({ useRecords }).pack({ '__pro-o__': { polluted: true }, a: 1 }))
    const bytes = Buffer.from(packed.toString('latin1').replace('__pro-o__', '__proto__'), 'latin1')
    const value = msgpackCodec.decode(useRecords ? Buffer.concat([Buffer.of(0xc1), bytes]) : bytes) as object
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect((value as { polluted?: boolean }).polluted).toBe(undefined)
  }
  const parsed = jsonCodec.decode(Buffer.from('{"__proto__":{"polluted":true}}')) as object
  expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype)
})

test('an endless number of zeros in the header is damaged', () => {
  const format = new ItemFormat()
  const bytes = format.encode({ key: 'k', value: 7, version: 'v', createdAt: 1 })
  const endless = Buffer.concat([bytes.subarray(0, -1), Buffer.alloc(160, 0x80), Buffer.of(0), bytes.subarray(-1)])
  const { staleAt, expiresAt, tags, cost, clearNumber } = frame.flags
  for (const flag of [staleAt, expiresAt, tags, cost]) {
    endless[frame.flagsOffset] = clearNumber | flag
    expect(() => format.decode('k', endless)).toThrow(expect.objectContaining({ code: 'DAMAGED' }))
  }
})

test('a text of the header in UTF-16 with an odd number of bytes is damaged, at every address', async () => {
  const odd = fileURLToPath(new URL('./odd-utf16.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [odd])
  expect(JSON.parse(stdout)).toEqual({ DAMAGED: 2 * 2 * 8 * 8 * 20 })
})

test('few bytes that decode to more than the heap, or to a value followed by other bytes, are damaged', async () => {
  const bombs = fileURLToPath(new URL('./bombs.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--max-old-space-size=200', bombs])
  const { outcomes, maxRSS } = JSON.parse(stdout) as { outcomes: Record<string, string>; maxRSS: number }
  for (const [name, outcome] of Object.entries(outcomes)) {
    const reason = name.includes('behind') ? 'bytes follow the value' : 'bytes of memory'
    expect(outcome, name).toMatch(new RegExp(`^DAMAGED: .*${reason}`))
  }
  expect(Object.keys(outcomes).length).toBe(14)
  expect(maxRSS, stdout).toBeLessThan(700 * 1024)
})

test('a value whose decoding would take too much memory is refused by encode', () => {
  const value = Array.from({ length: 1_500_000 }, () => [])
  for (const codec of [msgpackCodec, jsonCodec, v8Codec]) {
    const item = { key: 'k', value, version: 'v', createdAt: 1 }
    expect(() => new ItemFormat({ codec, maxDecodedBytes: 8 * 1024 * 1024 }).encode(item)).toThrow(
      expect.objectContaining({ code: 'NOT_STORABLE' }),
    )
    const format = new ItemFormat({ codec })
    expect(format.decode('k', format.encode(item)).value).toHaveLength(value.length)
  }
})

test('a view in the bytes of V8 that ends within an element, or is of an unknown kind, is damaged', () => {
  for (const [kind, length] of [
    [3, 3],
    [8, 7],
    [11, 4],
    [14, 8],
    [2 ** 31, 8],
  ] as const) {
    const bytes = Buffer.from([255, 15, 92, ...varint(kind), ...varint(length), ...Buffer.alloc(length)])
    expect(() => v8Codec.decode(bytes)).toThrow('a view that is not whole')
  }
})

test('tags that are not UTF-8 are damaged, and a replacement character is kept', () => {
  const format = new ItemFormat()
  const item = { key: 'k', value: 7, version: 'v', createdAt: 1, tags: { '\ufffd': 't' } }
  const bytes = format.encode(item)
  expect(format.decode('k', bytes)).toEqual(item)
  const at = bytes.indexOf('\ufffd')
  bytes[at] = 0xff
  expect(() => format.decode('k', bytes)).toThrow(expect.objectContaining({ code: 'DAMAGED' }))
})
