import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { serialize } from 'node:v8'
import { Packr } from 'msgpackr'
import { expect, test } from 'vitest'
import { ItemFormat, jsonCodec, msgpackCodec, v8Codec } from '../src/index.ts'

const program = fileURLToPath(new URL('./fuzz-decode.ts', import.meta.url))

test.for([1, 2, 3])(
  'damaged bytes give a value or DAMAGED, in little memory and time, seed %i',
  { timeout: 60_000 },
  async (seed) => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--max-old-space-size=128',
      program,
      String(seed),
      '3000',
    ])
    const result = JSON.parse(stdout) as { value: number; damaged: number; slowest: number; maxRSS: number }
    // Both happened often, so the bytes reached the codecs and were not all alike.
    expect(result.damaged).toBeGreaterThan(1000)
    expect(result.value).toBeGreaterThan(50)
    expect(result.maxRSS).toBeLessThan(600 * 1024)
  },
)

test('bytes that claim to be an error never reach a constructor of msgpackr', () => {
  for (const name of ['valueOf', 'constructor', 'toString', '__proto__', 'TypeError']) {
    const packed = new Packr({ useRecords: false }).pack([name, 'message'])
    const value = msgpackCodec.decode(Buffer.concat([Buffer.from([0xd4, 0x65, 0]), packed]))
    expect(value).toBeInstanceOf(Error)
    expect(Object.getPrototypeOf(value)).toBe(Error.prototype)
  }
})

test('a short array that claims to be long is damaged at once', () => {
  // Fifteen bytes from which V8 builds an array of length 2^32 - 1.
  const sparse = serialize(Object.assign([], { length: 2 ** 32 - 1 }))
  expect(sparse.length).toBeLessThan(20)
  expect(() => v8Codec.decode(sparse)).toThrow('mostly holes')
  for (const bytes of [
    [0xdd, 255, 255, 255, 255],
    [0xdf, 255, 255, 255, 255],
    [0xdb, 255, 255, 255, 255, 97],
    [0xc9, 255, 255, 255, 255, 116],
  ]) {
    expect(() => msgpackCodec.decode(Buffer.from(bytes))).toThrow()
  }
})

test('endless nesting is damaged, and the codec works on', () => {
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
