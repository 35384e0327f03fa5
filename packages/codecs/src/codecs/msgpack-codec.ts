import { addExtension, Packr } from 'msgpackr'
import { asBuffer } from '../format/as-buffer.ts'
import type { KeepingCodec } from './keeping-codec.ts'
import { inspectForMessagePack } from './messagepack-check.ts'
import { longestPlain, readPlainValue } from './read-plain-value.ts'
import { plainBytes, writePlainValue } from './write-plain-value.ts'

/** The first byte of the form with record definitions. MessagePack itself never uses it. */
export const recordsMark = 0xc1

const settings = { moreTypes: true, structuredClone: false, useToJSON: false, copyBuffers: true }

/** Smaller and faster for single small values. Reads every MessagePack map as an object. */
const plain = new Packr({ ...settings, useRecords: false, mapsAsObjects: true, variableMapSize: true })

/** Writes the member names of similar objects once, and distinguishes a `Map` from an object. */
const recordSettings = { ...settings, useRecords: true }
const records = new Packr(recordSettings)

// msgpackr looks up the name of an error in a plain object, so the name 'valueOf' would return its table of constructors.
// This library never writes errors. Bytes of an error become an `Error` without a look-up.
addExtension({
  type: 0x65,
  read: (data: unknown): Error => {
    const [name, message] = Array.isArray(data) ? data : []
    const error = new Error(String(message))
    error.name = String(name)
    return error
  },
})

/** Bytes within a buffer that the next call overwrites. */
export interface PackedBytes extends Buffer {
  readonly start: number
  readonly end: number
}

/** REUSE_BUFFER_MODE and RESET_BUFFER_MODE of msgpackr: the result stays in its buffer, and the next call starts there again. */
const inPlace = 512 + 1024
/** RESERVE_START_SPACE of msgpackr and the number of bytes. */
const reserveOneByte = 2048 + 1

const plainPacked: { -readonly [Name in keyof PackedBytes]: PackedBytes[Name] } = Object.assign(plainBytes, {
  start: 0,
  end: 0,
})

/** Like `msgpackCodec.encode`, in a buffer that the next call overwrites: copy from `start` to `end` at once. */
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

/** From this many bytes on, msgpackr reads a view of the payload. */
const largePayload = 64 * 1024

const range = { start: 0, end: 0 }

/** Like `msgpackCodec.decode`, from `start` on. */
export function unpackFrom(bytes: Buffer, start: number): unknown {
  if (bytes.length - start <= longestPlain) {
    const value = readPlainValue(bytes, start)
    if (value !== undefined) return value
  }
  range.end = bytes.length
  const hasRecords = bytes[start] === recordsMark
  range.start = hasRecords ? start + 1 : start
  if (range.start >= range.end) throw new RangeError('MessagePack is empty')
  if (range.end - range.start >= largePayload) return unpackLarge(bytes.subarray(range.start), hasRecords)
  return (hasRecords ? records : plain).unpack(bytes, range)
}

/**
 * Like `unpackFrom`, for a large payload. If bytes follow the value, `unpack` creates the whole JSON of the value for its error
 * message, which takes seconds and gigabytes for a large value. `unpackMultiple` does not.
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
 * MessagePack, by msgpackr: the default codec. It keeps the kinds in `keeps`. For all others `encode` throws, because
 * msgpackr would write bytes of another value.
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
