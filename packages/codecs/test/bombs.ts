/**
 * Decodes small items that would fill the heap, and prints the code and message of each. Run by hostile.test.ts in a process with
 * little memory, because a full heap ends the process.
 */
import { zstdCompressSync } from 'node:zlib'
import { type Codec, cacheErrorCode } from '@cache/core/backend'
import { ItemFormat, jsonCodec, msgpackCodec, v8Codec } from '../src/index.ts'

const size = 24_000_000

/** A pattern of bytes again and again, between a beginning and an end. */
function repeat(start: readonly number[], pattern: readonly number[], end: readonly number[] = []): Buffer {
  return Buffer.concat([Buffer.from(start), Buffer.alloc(size, Buffer.from(pattern)), Buffer.from(end)])
}

const bytes = (text: string): number[] => [...Buffer.from(text)]
/** The beginning of a MessagePack array of as many elements as patterns of this length. */
const arrayOf = (patternLength: number): number[] => {
  const head = Buffer.from([0xdd, 0, 0, 0, 0])
  head.writeUInt32BE(size / patternLength, 1)
  return [...head]
}
const binary = Buffer.from([0xc6, 0, 0, 0, 0])
binary.writeUInt32BE(size, 1)

const bombs: readonly [name: string, codec: Codec, payload: Buffer][] = [
  ['MessagePack arrays', msgpackCodec, repeat(arrayOf(1), [0x90])],
  ['MessagePack objects', msgpackCodec, repeat(arrayOf(1), [0x80])],
  ['MessagePack Maps', msgpackCodec, repeat([0xc1, ...arrayOf(1)], [0x80])],
  ['MessagePack records', msgpackCodec, repeat([0xc1, ...arrayOf(1), 0xd4, 0x72, 0x40, 0x90], [0x40])],
  ['MessagePack bytes', msgpackCodec, repeat(arrayOf(2), [0xc4, 0])],
  ['MessagePack Sets', msgpackCodec, repeat(arrayOf(4), [0xd4, 0x73, 0, 0x90])],
  ['MessagePack dates', msgpackCodec, repeat(arrayOf(3), [0xd4, 0xff, 0])],
  ['MessagePack with bytes behind it', msgpackCodec, repeat([...binary], [1], [0])],
  ['MessagePack records with bytes behind them', msgpackCodec, repeat([0xc1, ...binary], [1], [0])],
  ['JSON arrays', jsonCodec, repeat(bytes('[[]'), bytes(',[]'), bytes(']'))],
  ['JSON objects', jsonCodec, repeat(bytes('[{}'), bytes(',{}'), bytes(']'))],
  ['V8 objects', v8Codec, repeat([0xff, 15, ...bytes('A'), 0x80, 0x80, 0x80, 0x08], [0x6f, 0x7b, 0])],
  ['V8 views', v8Codec, repeat([0xff, 15, ...bytes('A'), 0x80, 0x80, 0x80, 0x08], [0x5c, 1, 0])],
  ['V8 Maps', v8Codec, repeat([0xff, 15, ...bytes('A'), 0x80, 0x80, 0x80, 0x08], [0x3b, 0x3a, 0])],
]

const outcomes: Record<string, string> = {}
for (const [name, codec, payload] of bombs) {
  const options = { codec, compression: { algorithm: 'zstd' }, maxDecodedBytes: size + 1000 } as const
  const frame = new ItemFormat(options).encode({ key: 'k', value: 'x'.repeat(5000), version: 'v', createdAt: 1 })
  // Flags and kind of the frame stay as `encode` wrote them; kind and payload are the bomb's.
  const squeezed = Buffer.concat([Buffer.of(1), zstdCompressSync(payload)])
  const rest = squeezed.length
  const length = [(rest & 63) | 128, ((rest >> 6) & 127) | 128, rest >> 13]
  const header = Buffer.concat([frame.subarray(0, 11), Buffer.from(length)])
  header[1] = codec.id
  try {
    new ItemFormat(options).decode('k', Buffer.concat([header, squeezed]))
    outcomes[name] = 'a value'
  } catch (error) {
    outcomes[name] = `${cacheErrorCode(error)}: ${(error as Error).message}`
  }
}
console.log(JSON.stringify({ outcomes, maxRSS: process.resourceUsage().maxRSS }))
