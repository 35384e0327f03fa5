import { recordsMark } from './extensions.ts'

/** Bytes on the heap of V8 with 64 bits, rounded up. Each value also takes a slot in its container. */
const slot = 8
const number = 24
const text = 24
const array = 48
const object = 64
/** A view with its ArrayBuffer, a Map, a Set, a Date, a RegExp, or the value of a type. Their tokens take two bytes at least. */
const large = 256
/** The largest memory that one byte can describe: half of a large value. */
export const mostMessagePackMemory: number = (slot + large) / 2

/** By token: the number of bytes that follow it, except for tokens with `lengthBytes`. */
const operandBytes = new Uint8Array(256)
/** By token: the size of the length that follows it. */
const lengthBytes = new Uint8Array(256)
/** By token: its memory in the form in which 0x40 to 0x7f are numbers, and in the form in which they are records. */
const plainMemory = new Uint16Array(256).fill(slot)
const recordsMemory = new Uint16Array(256).fill(slot)

function describe(from: number, to: number, memory: number, recordMemory: number = memory): void {
  plainMemory.fill(slot + memory, from, to + 1)
  recordsMemory.fill(slot + recordMemory, from, to + 1)
}

describe(0x40, 0x7f, 0, object)
describe(0x80, 0x8f, object)
describe(0x90, 0x9f, array)
describe(0xa0, 0xbf, text + 32)
describe(0xc4, 0xc9, large)
describe(0xca, 0xd3, number)
describe(0xd4, 0xd8, large)
describe(0xd9, 0xdb, text)
describe(0xdc, 0xdd, array)
describe(0xde, 0xdf, object)
for (let length = 0; length < 32; length += 1) operandBytes[0xa0 + length] = length
operandBytes.set([4, 8, 1, 2, 4, 8, 1, 2, 4, 8], 0xca)
operandBytes.set([2, 4, 2, 4], 0xdc)
lengthBytes.set([1, 2, 4, 1, 2, 4], 0xc4)
lengthBytes.set([1, 2, 4], 0xd9)

/** Bytes between two checks whether the limit can still be reached. */
const checkInterval = 16 * 1024

/**
 * Estimates the memory of decoded MessagePack. Stops when the rest cannot reach `most`. Throws a `RangeError` for unknown and
 * truncated tokens.
 *
 * The format is a sequence of tokens with operands of known length, so the scan does not follow the structure.
 * `MessagePackReader` checks whether the tokens fit together.
 */
export function messagePackMemory(bytes: Buffer, most: number): number {
  const end = bytes.length
  const hasRecords = bytes[0] === recordsMark
  const weights = hasRecords ? recordsMemory : plainMemory
  let at = hasRecords ? 1 : 0
  let memory = 0
  while (at < end) {
    if (memory + (end - at) * mostMessagePackMemory <= most) return memory
    for (const stop = Math.min(end, at + checkInterval); at < stop; ) {
      const token = bytes[at] as number
      memory += weights[token] as number
      const size = lengthBytes[token] as number
      if (size > 0) {
        const length = readLength(bytes, at + 1, size)
        memory += length
        // The type of an extension is one byte more.
        at += size + length + (token >= 0xc7 && token <= 0xc9 ? 2 : 1)
      } else if (token >= 0xd4 && token <= 0xd8) at += 2 + (1 << (token - 0xd4))
      else if (token === recordsMark) throw new RangeError('MessagePack with an unknown token')
      else at += 1 + (operandBytes[token] as number)
    }
  }
  if (at > end) throw new RangeError('MessagePack is truncated')
  return memory
}

function readLength(bytes: Buffer, start: number, size: number): number {
  let length = 0
  for (let at = start; at < start + size; at += 1) length = length * 256 + (bytes[at] ?? 0)
  return length
}
