import { addExtension, Packr } from 'msgpackr'
import { asBuffer } from '../format/as-buffer.ts'
import type { KeepingCodec } from './keeping-codec.ts'
import { inspectForMessagePack } from './messagepack-check.ts'
import { longestPlain, readPlainValue } from './read-plain-value.ts'
import { plainBytes, writePlainValue } from './write-plain-value.ts'

/** Written in front of the form with record definitions; MessagePack never uses this byte itself. */
export const recordsMark = 0xc1

const settings = { moreTypes: true, structuredClone: false, useToJSON: false, copyBuffers: true }

/** Smaller and faster for single small values. Reads every MessagePack map as an object. */
const plain = new Packr({ ...settings, useRecords: false, mapsAsObjects: true, variableMapSize: true })

/** Names the members of alike objects once, and tells a `Map` from an object. */
const recordSettings = { ...settings, useRecords: true }
const records = new Packr(recordSettings)

// msgpackr looks the name of an error up in a plain object, so that the name 'valueOf' hands out its live table of
// constructors. This library never writes errors; whatever bytes claim to be one become an `Error` without a look-up.
addExtension({
  type: 0x65,
  read: (data: unknown): Error => {
    const [name, message] = Array.isArray(data) ? data : []
    const error = new Error(String(message))
    error.name = String(name)
    return error
  },
})

/** Bytes within a buffer that is used again by the next call. */
export interface PackedBytes extends Buffer {
  readonly start: number
  readonly end: number
}

/** msgpackr's REUSE_BUFFER_MODE and RESET_BUFFER_MODE: leave the bytes in its own buffer, and begin there again next time. */
const inPlace = 512 + 1024
/** msgpackr's RESERVE_START_SPACE and the number of bytes. */
const reserveOneByte = 2048 + 1

const plainPacked: { -readonly [Name in keyof PackedBytes]: PackedBytes[Name] } = Object.assign(plainBytes, {
  start: 0,
  end: 0,
})

/** The same as `msgpackCodec.encode`, in a buffer that the next call overwrites: copy from `start` to `end` at once. */
export function packInPlace(value: unknown): PackedBytes {
  const length = writePlainValue(value)
  if (length >= 0) {
    plainPacked.end = length
    return plainPacked
  }
  if (!inspectForMessagePack(value)) return plain.pack(value, inPlace) as PackedBytes
  const bytes = records.pack(value, inPlace + reserveOneByte) as PackedBytes
  bytes[bytes.start] = recordsMark
  return bytes
}

/** From so many bytes on msgpackr reads a view of the payload. */
const largePayload = 64 * 1024

const range = { start: 0, end: 0 }

/** The same as `msgpackCodec.decode`, from `start` on. */
export function unpackFrom(bytes: Buffer, start: number): unknown {
  if (bytes.length - start <= longestPlain) {
    const value = readPlainValue(bytes, start)
    if (value !== undefined) return value
  }
  range.end = bytes.length
  const hasRecords = bytes[start] === recordsMark
  range.start = hasRecords ? start + 1 : start
  if (range.start >= range.end) throw new RangeError('MessagePack ends before it begins')
  if (range.end - range.start >= largePayload) return unpackLarge(bytes.subarray(range.start), hasRecords)
  return (hasRecords ? records : plain).unpack(bytes, range)
}

/**
 * The same for a large payload. Where bytes follow the value, `unpack` puts the beginning of its JSON into the message of its
 * error: the whole JSON is made for it, which takes seconds and gigabytes for a large value. `unpackMultiple` does not.
 */
function unpackLarge(bytes: Buffer, hasRecords: boolean): unknown {
  let value: unknown
  let end = 0
  // `unpackMultiple` keeps the record definitions of earlier calls, so each call gets a reader of its own.
  const reader = hasRecords ? new Packr(recordSettings) : plain
  reader.unpackMultiple(bytes, (read: unknown, _start?: number, readTo?: number) => {
    value = read
    end = readTo ?? 0
    return false
  })
  if (end !== bytes.length) throw new RangeError('bytes follow the value')
  return value
}

/**
 * MessagePack, by msgpackr: the default codec. Keeps what its `keeps` lists, and throws in `encode` for everything else,
 * where msgpackr by itself would write something that reads back differently.
 */
export const msgpackCodec: KeepingCodec = {
  id: 1,
  name: 'msgpack',
  keeps: [
    'undefined member',
    'NaN',
    'bigint',
    'date',
    'map',
    'set',
    'bytes',
    'buffer',
    'typed array',
    'array buffer',
    'regexp',
  ],
  encode(value) {
    const packed = packInPlace(value)
    return Buffer.from(packed.subarray(packed.start, packed.end))
  },
  decode: (bytes) => unpackFrom(asBuffer(bytes), 0),
}
