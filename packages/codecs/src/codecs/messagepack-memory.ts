import { recordsMark } from './msgpack-codec.ts'

/** Bytes on V8's heap on 64 bits, rounded up. A value takes a slot in whatever holds it. */
const slot = 8
const number = 24
const text = 24
const array = 48
const object = 64
const map = 192
/** A view with its ArrayBuffer, a Set, a Date or a RegExp. */
const large = 256
/** The most that a byte can stand for: a Map. */
export const mostMessagePackMemory: number = slot + map

/** msgpackr's extension whose length says where else in the bytes to go on. `msgpackCodec` never writes it. */
const bundleType = 0x62

/** By token: the bytes that follow it, in all forms but those of `lengthBytes`. */
const operandBytes = new Uint8Array(256)
/** By token: the bytes of the length that follows it. */
const lengthBytes = new Uint8Array(256)
/** By token: what it takes in the form where all maps are objects, and in the form with record definitions and Maps. */
const plainMemory = new Uint16Array(256).fill(slot)
const recordsMemory = new Uint16Array(256).fill(slot)

function describe(from: number, to: number, memory: number, recordMemory: number = memory): void {
  plainMemory.fill(slot + memory, from, to + 1)
  recordsMemory.fill(slot + recordMemory, from, to + 1)
}

describe(0x40, 0x7f, 0, object)
describe(0x80, 0x8f, object, map)
describe(0x90, 0x9f, array)
describe(0xa0, 0xbf, text + 32)
describe(0xc4, 0xc9, large)
describe(0xca, 0xd3, number)
describe(0xd4, 0xd8, large)
describe(0xd9, 0xdb, text)
describe(0xdc, 0xdd, array)
describe(0xde, 0xdf, object, map)
for (let length = 0; length < 32; length++) operandBytes[0xa0 + length] = length
operandBytes.set([4, 8, 1, 2, 4, 8, 1, 2, 4, 8], 0xca)
operandBytes.set([2, 4, 2, 4], 0xdc)
lengthBytes.set([1, 2, 4, 1, 2, 4], 0xc4)
lengthBytes.set([1, 2, 4], 0xd9)

/** Bytes between two looks at whether the limit can still be reached. */
const stretch = 16 * 1024

/**
 * Estimates the memory that MessagePack takes when it is decoded. Stops where the rest cannot reach `most` any more. Throws a
 * `RangeError` for tokens that are unknown or cut.
 *
 * The format is a row of tokens, each with operands of known length, so that no structure has to be followed: whether the
 * tokens make sense together is left to msgpackr.
 */
export function messagePackMemory(bytes: Buffer, most: number): number {
  const end = bytes.length
  const hasRecords = bytes[0] === recordsMark
  const weights = hasRecords ? recordsMemory : plainMemory
  let at = hasRecords ? 1 : 0
  let memory = 0
  while (at < end) {
    // A text counts as its bytes, so no token takes more for each of its bytes than a Map does.
    if (memory + (end - at) * mostMessagePackMemory <= most) return memory
    for (const stop = Math.min(end, at + stretch); at < stop; ) {
      const token = bytes[at] as number
      memory += weights[token] as number
      const size = lengthBytes[token] as number
      if (size > 0) {
        const length = readLength(bytes, at + 1, size)
        memory += length
        at += 1 + size + length
        if (token >= 0xc7 && token <= 0xc9) {
          checkType(bytes[at - length])
          at += 1
        }
      } else if (token >= 0xd4 && token <= 0xd8) {
        checkType(bytes[at + 1])
        at += 2 + (1 << (token - 0xd4))
      } else if (token === recordsMark) throw new RangeError('MessagePack with an unknown token')
      else at += 1 + (operandBytes[token] as number)
    }
  }
  if (at > end) throw new RangeError('MessagePack ends too early')
  return memory
}

function readLength(bytes: Buffer, start: number, size: number): number {
  let length = 0
  for (let at = start; at < start + size; at++) length = length * 256 + (bytes[at] ?? 0)
  return length
}

function checkType(type: number | undefined): void {
  if (type === bundleType) throw new RangeError('MessagePack with an extension for texts in another place')
}
