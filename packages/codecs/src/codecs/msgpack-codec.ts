import { asBuffer } from '../format/as-buffer.ts'
import { recordsMark } from '../messagepack/extensions.ts'
import { MessagePackReader } from '../messagepack/message-pack-reader.ts'
import { MessagePackWriter, unkept } from '../messagepack/message-pack-writer.ts'
import { longestPlain, readPlainValue } from '../messagepack/read-plain-value.ts'
import { plainBytes, writePlainValue } from '../messagepack/write-plain-value.ts'
import type { CodecType } from '../types/codec-type.ts'
import { noTypes, type TypeTable } from '../types/type-table.ts'
import type { TypedCodec } from './keeping-codec.ts'
import { refuseUnkept } from './refuse-unkept.ts'
import type { ValueKind } from './value-kind.ts'

const keeps: readonly ValueKind[] = [
  'undefined member',
  'NaN',
  '-0',
  'lone surrogate',
  'bigint',
  'large bigint',
  'date',
  'map',
  'set',
  'bytes',
  'buffer',
  'typed array',
  'array buffer',
  'regexp',
  '__proto__ member',
  'no prototype',
]
const kept: ReadonlySet<ValueKind> = new Set(keeps)

/** Bytes that the next call overwrites: copy them at once. */
export interface PackedBytes {
  readonly bytes: Buffer
  readonly length: number
}

const packed: { -readonly [Name in keyof PackedBytes]: PackedBytes[Name] } = { bytes: plainBytes, length: 0 }

const sharedWriter = new MessagePackWriter()
const sharedReader = new MessagePackReader()
/** Whether the shared one is in use: a getter of a value, or a type of the application, may encode or decode another value. */
let isWriting = false
let isReading = false

/** MessagePack with these types. */
export class MessagePackCodec implements TypedCodec {
  readonly id = 1
  readonly name = 'msgpack'
  readonly keeps: readonly ValueKind[] = keeps
  readonly #types: TypeTable

  constructor(types: TypeTable) {
    this.#types = types
  }

  withTypes(types: readonly CodecType[]): TypedCodec {
    return new MessagePackCodec(this.#types.with(types))
  }

  // Own members, so that a copy of the codec with another id works: `{ ...msgpackCodec, id: 64 }`.
  readonly encode = (value: unknown): Buffer => {
    const { bytes, length } = this.packInPlace(value)
    return Buffer.from(bytes.subarray(0, length))
  }

  readonly decode = (bytes: Uint8Array): unknown => this.unpackFrom(asBuffer(bytes), 0)

  /** Like `encode`, in a buffer that the next call overwrites. */
  packInPlace(value: unknown): PackedBytes {
    const length = writePlainValue(value)
    if (length < 0) return this.#pack(value)
    packed.bytes = plainBytes
    packed.length = length
    return packed
  }

  #pack(value: unknown): PackedBytes {
    const isShared = !isWriting
    const writer = isShared ? sharedWriter : new MessagePackWriter()
    isWriting = true
    try {
      const length = writer.write(value, this.#types)
      packed.bytes = writer.bytes
      packed.length = length
      return packed
    } catch (error) {
      // The second walk finds the path of the part.
      if (error === unkept) refuseUnkept(value, kept, 'MessagePack', this.#types)
      throw error
    } finally {
      if (isShared) isWriting = false
    }
  }

  /** Like `decode`, from `start` on. */
  unpackFrom(bytes: Buffer, start: number): unknown {
    if (bytes.length - start <= longestPlain) {
      const value = readPlainValue(bytes, start)
      if (value !== undefined) return value
    }
    const hasRecords = bytes[start] === recordsMark
    const isShared = !isReading
    const reader = isShared ? sharedReader : new MessagePackReader()
    isReading = true
    try {
      return reader.read(bytes, hasRecords ? start + 1 : start, hasRecords, this.#types)
    } finally {
      if (isShared) isReading = false
    }
  }
}

/**
 * MessagePack: the default codec. It keeps the kinds in `keeps`. For all others `encode` throws a `TypeError` with the path of the
 * part and its class.
 */
export const msgpackCodec: TypedCodec = new MessagePackCodec(noTypes)
