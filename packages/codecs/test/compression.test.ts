import { randomFillSync } from 'node:crypto'
import * as zlib from 'node:zlib'
import { cacheErrorCode, type Item } from '@cache/core/backend'
import { expect, test, vi } from 'vitest'
import { type CompressionOptions, frame, ItemFormat } from '../src/index.ts'

const base: Item = { key: 'k', value: undefined, version: 'v1', createdAt: 0 }
const text = 'All work and no play makes Jack a dull boy. '.repeat(200)
/** Where the length of the payload begins: after the version 'v1' and six bytes of `createdAt`. */
const headerEnd = frame.versionOffset + 2 + 6
const algorithms = ['zstd', 'gzip', 'brotli'] as const

function isCompressed(bytes: Uint8Array): boolean {
  return ((bytes[frame.flagsOffset] as number) & frame.flags.compressed) !== 0
}

for (const algorithm of algorithms) {
  test(`${algorithm} makes a repetitive value a tenth as long, and can be read without an option`, () => {
    const bytes = new ItemFormat({ compression: { algorithm } }).encode({ ...base, value: { text } })
    expect(bytes.length).toBeLessThan(text.length / 10)
    expect(new ItemFormat().decode('k', bytes).value).toEqual({ text })
  })

  test(`${algorithm} does not compress payloads below the threshold or with a small gain`, () => {
    const format = new ItemFormat({ compression: { algorithm } })
    const noise = randomFillSync(new Uint8Array(5000))
    expect(isCompressed(format.encode({ ...base, value: 'x'.repeat(1023) }))).toBe(false)
    expect(isCompressed(format.encode({ ...base, value: 'x'.repeat(1024) }))).toBe(true)
    expect(isCompressed(format.encode({ ...base, value: noise }))).toBe(false)
    expect(format.decode('k', format.encode({ ...base, value: noise })).value).toEqual(noise)
  })

  test(`a bomb of ${algorithm} is damaged before it is decompressed`, () => {
    const huge = Buffer.alloc(256 * 1024 * 1024)
    const packed = { zstd: zlib.zstdCompressSync, gzip: zlib.gzipSync, brotli: quickBrotli }[algorithm](huge)
    const options: CompressionOptions = { algorithm, threshold: 0 }
    const honest = new ItemFormat({ compression: options }).encode({ ...base, value: text })
    const algorithmId = honest[headerEnd + 2] as number
    const bomb = withPayload(honest, Buffer.concat([Buffer.of(algorithmId), packed]))
    const format = new ItemFormat({ maxDecodedBytes: 1024 * 1024 })
    const before = process.memoryUsage().arrayBuffers
    expect(() => format.decode('k', bomb)).toThrow(expect.objectContaining({ code: 'DAMAGED' }))
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024)
  })
}

function quickBrotli(bytes: Uint8Array): Buffer {
  return zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } })
}

/** The same header with another payload; the length is written as the format does. */
function withPayload(bytes: Buffer, payload: Buffer): Buffer {
  const header = bytes.subarray(0, headerEnd)
  const length: number[] = []
  let rest = payload.length >> 6
  length.push((payload.length & 0x3f) | (rest > 0 ? 0x80 : 0))
  for (; rest > 0; rest >>= 7) length.push((rest & 0x7f) | (rest > 127 ? 0x80 : 0))
  return Buffer.concat([header, Buffer.from(length), payload])
}

test('the level reaches the algorithm', () => {
  for (const algorithm of algorithms) {
    const size = (level: number): number =>
      new ItemFormat({ compression: { algorithm, level } }).encode({ ...base, value: varied }).length
    expect(size(1)).toBeGreaterThan(size(9))
  }
})

const varied = Array.from({ length: 3000 }, (_, index) => `row ${(index * 7919) % 1000} of ${index % 77}`).join('\n')

test('compressed bytes of an unknown algorithm are damaged', () => {
  const bytes = new ItemFormat({ compression: { algorithm: 'gzip', threshold: 0 } }).encode({ ...base, value: text })
  const unknown = withPayload(bytes, Buffer.from([9, 1, 2, 3]))
  let code: unknown
  try {
    new ItemFormat().decode('k', unknown)
  } catch (error) {
    code = cacheErrorCode(error)
  }
  expect(code).toBe('DAMAGED')
})

test('a Node without zstd refuses it as UNSUPPORTED, and its items are damaged', async () => {
  const bytes = new ItemFormat({ compression: { algorithm: 'zstd' } }).encode({ ...base, value: text })
  vi.resetModules()
  vi.doMock('node:zlib', () => ({ ...zlib, zstdCompressSync: undefined, zstdDecompressSync: undefined }))
  try {
    const older = await import('../src/index.ts')
    expect(() => new older.ItemFormat({ compression: { algorithm: 'zstd' } })).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED', message: expect.stringContaining('22.15') }),
    )
    expect(() => new older.ItemFormat().decode('k', bytes)).toThrow(expect.objectContaining({ code: 'DAMAGED' }))
    const gzip = new older.ItemFormat({ compression: { algorithm: 'gzip' } })
    expect(gzip.decode('k', gzip.encode({ ...base, value: text })).value).toBe(text)
  } finally {
    vi.doUnmock('node:zlib')
  }
})
