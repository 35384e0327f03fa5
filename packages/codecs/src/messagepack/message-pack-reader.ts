import { asciiText } from '../format/ascii-text.ts'
import { utf8Text } from '../format/utf8-text.ts'
import { utf16Text } from '../format/utf16-text.ts'
import { noTypes, type TypeTable } from '../types/type-table.ts'
import { blobs, bufferClasses, firstRecord, mostRecordMembers, mostRecords, prefixes } from './extensions.ts'
import { readName } from './name-table.ts'
import { type RecordReader, recordReader } from './record-reader.ts'

/**
 * Short texts are cut out of a longer text of so many bytes, because one call of the runtime for each would cost more. A
 * text of a decoded value keeps at most so much memory alive.
 */
const chunkLength = 4096
const shortestCut = 12
const longestCut = 256

/** From this object on, a record has a reader of its own. Creating one takes as long as reading a few objects. */
const firstCompiled = 8
/** Bytes of an attacker may define records without end. */
const mostCompiled = 64

interface RecordShape {
  readonly names: readonly string[]
  uses: number
  reader: RecordReader | undefined
}

const nothing = Buffer.alloc(0)
const noView = new DataView(new ArrayBuffer(0))

/**
 * Reads values from MessagePack. It does not trust the bytes: it creates no more elements than there are bytes, and throws a
 * `RangeError` or `TypeError` for everything that `MessagePackWriter` does not write, if it can be recognized.
 */
export class MessagePackReader {
  #bytes: Buffer = nothing
  #view: DataView = noView
  #at = 0
  #end = 0
  /** How many more elements the rest can contain: each takes a byte at least. */
  #budget = 0
  #hasRecords = false
  #records: (RecordShape | undefined)[] = []
  #compiled = 0
  readonly #read = (): unknown => this.#value()
  #types: TypeTable = noTypes
  #chunk = ''
  #chunkStart = 0
  #chunkEnd = 0

  /** The value from `start` to the end of `bytes`. `hasRecords` announces the form with records. */
  read(bytes: Buffer, start: number, hasRecords: boolean, types: TypeTable): unknown {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#at = start
    this.#end = bytes.length
    this.#budget = bytes.length - start
    this.#hasRecords = hasRecords
    this.#types = types
    this.#chunkEnd = 0
    this.#compiled = 0
    try {
      const value = this.#value()
      if (this.#at !== this.#end) throw new RangeError('bytes follow the value')
      return value
    } finally {
      this.#bytes = nothing
      this.#view = noView
      this.#records = []
      this.#types = noTypes
      this.#chunk = ''
    }
  }

  #value(): unknown {
    // A byte beyond the end is `undefined`, which no case below accepts.
    const token = this.#bytes[this.#at++] as number
    if (token < 0x80) return this.#hasRecords && token >= firstRecord ? this.#record(token) : token
    if (token < 0x90) return this.#members(token & 0x0f)
    if (token < 0xa0) return this.#array(token & 0x0f)
    if (token < 0xc0) return this.#text(token & 0x1f)
    if (token >= 0xe0) return token - 0x100
    return this.#longToken(token)
  }

  #longToken(token: number): unknown {
    switch (token) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#blob(this.#length(token - 0xc4))
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#buffer(this.#length(token - 0xc7))
      case 0xd4:
        return this.#prefixed()
      case 0xd7:
        return this.#date()
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#length(token - 0xd9))
      case 0xdc:
      case 0xdd:
        return this.#array(this.#length(token - 0xdb))
      case 0xde:
      case 0xdf:
        return this.#members(this.#length(token - 0xdd))
      default:
        return this.#number(token)
    }
  }

  #number(token: number): unknown {
    const at = this.#at
    switch (token) {
      case 0xca:
        this.#at += 4
        return this.#view.getFloat32(at)
      case 0xcb:
        this.#at += 8
        return this.#view.getFloat64(at)
      case 0xcc:
        this.#at += 1
        return this.#view.getUint8(at)
      case 0xcd:
        this.#at += 2
        return this.#view.getUint16(at)
      case 0xce:
        this.#at += 4
        return this.#view.getUint32(at)
      case 0xcf:
        this.#at += 8
        return this.#view.getBigUint64(at)
      case 0xd0:
        this.#at += 1
        return this.#view.getInt8(at)
      case 0xd1:
        this.#at += 2
        return this.#view.getInt16(at)
      case 0xd2:
        this.#at += 4
        return this.#view.getInt32(at)
      case 0xd3:
        this.#at += 8
        return this.#view.getBigInt64(at)
      default:
        throw unexpected(token)
    }
  }

  /** A length in 1, 2 or 4 bytes, by the logarithm of that number. */
  #length(size: number): number {
    const at = this.#at
    this.#at += 1 << size
    if (size === 0) return this.#view.getUint8(at)
    return size === 1 ? this.#view.getUint16(at) : this.#view.getUint32(at)
  }

  /** Skips this many bytes. Returns where they begin. */
  #skip(length: number): number {
    const start = this.#at
    this.#at = start + length
    if (this.#at > this.#end) throw new RangeError('MessagePack is truncated')
    return start
  }

  /** Reserves elements. Nested containers that each claim the rest of the bytes would otherwise take quadratic memory. */
  #reserve(elements: number): void {
    this.#budget -= elements
    if (this.#budget < 0) throw new RangeError('MessagePack is truncated')
  }

  #array(length: number): unknown[] {
    this.#reserve(length)
    const array = new Array<unknown>(length)
    for (let index = 0; index < length; index += 1) array[index] = this.#value()
    return array
  }

  #members(size: number): object {
    this.#reserve(size * 2)
    const object: Record<string, unknown> = {}
    for (let count = 0; count < size; count += 1) {
      const name = this.#name()
      if (name === '__proto__') defineProto(object, this.#value())
      else object[name] = this.#value()
    }
    return object
  }

  #name(): string {
    const token = this.#bytes[this.#at] as number
    if (token > 0xa0 && token < 0xc0) {
      const end = this.#at + 1 + (token & 0x1f)
      const known = end <= this.#end ? readName(this.#bytes, this.#at + 1, end) : undefined
      if (known !== undefined) {
        this.#at = end
        return known
      }
    }
    return this.#anyText()
  }

  /** A text where no other value may stand. */
  #anyText(): string {
    const text = this.#value()
    if (typeof text !== 'string') throw new TypeError('MessagePack with a value in the place of a text')
    return text
  }

  #record(token: number): object {
    const shape = this.#records[token - firstRecord]
    if (shape === undefined) throw unexpected(token)
    return shape.reader === undefined ? this.#slowRecord(shape) : shape.reader(this.#read)
  }

  #slowRecord(shape: RecordShape): object {
    shape.uses += 1
    if (shape.uses === firstCompiled && this.#compiled < mostCompiled) {
      this.#compiled += 1
      shape.reader = recordReader(shape.names)
    }
    const { names } = shape
    const object: Record<string, unknown> = {}
    for (let index = 0; index < names.length; index += 1) {
      const name = names[index] as string
      if (name === '__proto__') defineProto(object, this.#value())
      else object[name] = this.#value()
    }
    return object
  }

  #newRecord(token: number): object {
    const place = token - firstRecord
    if (!this.#hasRecords || !(place >= 0 && place < mostRecords)) throw unexpected(token)
    const names = this.#value()
    if (!Array.isArray(names) || names.length > mostRecordMembers) throw new RangeError('a record without names')
    if (!names.every((name) => typeof name === 'string')) throw new TypeError('a record with a bad name')
    const shape: RecordShape = { names, uses: 0, reader: undefined }
    this.#records[place] = shape
    return this.#slowRecord(shape)
  }

  #text(length: number): string {
    const start = this.#skip(length)
    const end = start + length
    return length > longestCut ? utf8Text(this.#bytes, start, end) : this.#shortText(start, end)
  }

  #shortText(start: number, end: number): string {
    const bytes = this.#bytes
    if (end - start < shortestCut) return asciiText(bytes, start, end) ?? utf8Text(bytes, start, end)
    let all = 0
    for (let index = start; index < end; index += 1) all |= bytes[index] as number
    if (all > 127) return utf8Text(bytes, start, end)
    if (end > this.#chunkEnd) {
      this.#chunkStart = start
      this.#chunkEnd = Math.min(this.#end, start + chunkLength)
      this.#chunk = bytes.toString('latin1', start, this.#chunkEnd)
    }
    return this.#chunk.slice(start - this.#chunkStart, end - this.#chunkStart)
  }

  /** A `Buffer`, in memory of its own: the bytes and the pool of Node belong to others. */
  #blob(length: number): Buffer {
    const start = this.#skip(length)
    return Buffer.from(this.#copy(start, start + length))
  }

  #copy(start: number, end: number): ArrayBuffer {
    const copy = new Uint8Array(end - start)
    copy.set(this.#bytes.subarray(start, end))
    return copy.buffer
  }

  #buffer(length: number): unknown {
    const start = this.#skip(length + 1)
    const end = this.#at
    const type = this.#bytes[start] as number
    if (type === blobs.utf16) return utf16Text(this.#bytes, start + 1, end)
    if (type !== blobs.buffer || length < 1) throw new RangeError(`MessagePack with the extension ${type}`)
    const name = bufferClasses[this.#bytes[start + 1] as number]
    const bytes = this.#copy(start + 2, end)
    if (name === undefined) throw new RangeError('bytes of an unknown class')
    if (name === 'ArrayBuffer') return bytes
    const { [name]: View } = globalThis as unknown as Record<string, new (bytes: ArrayBuffer) => object>
    // Throws a `RangeError` for bytes that end within an element.
    return View === undefined ? undefined : new View(bytes)
  }

  #date(): Date {
    const start = this.#skip(9)
    if (this.#bytes[start] !== blobs.date) throw new RangeError('MessagePack with an unknown extension')
    return new Date(this.#view.getFloat64(start + 1))
  }

  #prefixed(): unknown {
    const start = this.#skip(2)
    const type = this.#bytes[start] as number
    const filler = this.#bytes[start + 1] as number
    if (type === prefixes.record) return this.#newRecord(filler)
    if (filler !== 0) throw new RangeError(`MessagePack with the extension ${type}`)
    switch (type) {
      case prefixes.undefined:
        return undefined
      case prefixes.bigint:
        return readBigint(this.#anyText())
      case prefixes.map:
        return this.#map()
      case prefixes.set:
        return new Set(this.#elements())
      case prefixes.noPrototype:
        return this.#withoutPrototype()
      case prefixes.regexp:
        return new RegExp(this.#anyText(), this.#anyText())
      case prefixes.typed:
        return this.#typed()
      default:
        throw new RangeError(`MessagePack with the extension ${type}`)
    }
  }

  #elements(): readonly unknown[] {
    const elements = this.#value()
    if (!Array.isArray(elements)) throw new TypeError('a Map or Set without elements')
    return elements
  }

  #map(): Map<unknown, unknown> {
    const elements = this.#elements()
    if (elements.length % 2 !== 0) throw new RangeError('a Map with a key that has no value')
    const map = new Map<unknown, unknown>()
    for (let index = 0; index < elements.length; index += 2) map.set(elements[index], elements[index + 1])
    return map
  }

  #withoutPrototype(): object {
    const object = this.#value()
    // Only an object that was just read has this prototype, so none is changed that is in use elsewhere.
    if (typeof object !== 'object' || object === null || Object.getPrototypeOf(object) !== Object.prototype) {
      throw new TypeError('an object without a prototype that is no object')
    }
    return Object.setPrototypeOf(object, null)
  }

  #typed(): unknown {
    const name = this.#anyText()
    return this.#types.decode(name, this.#value())
  }
}

function readBigint(digits: string): bigint {
  const isNegative = digits.startsWith('-')
  const magnitude = isNegative ? digits.slice(1) : digits
  if (!/^[0-9a-f]+$/.test(magnitude)) throw new RangeError('a bigint with other characters than digits')
  const value = BigInt(`0x${magnitude}`)
  return isNegative ? -value : value
}

function defineProto(object: object, value: unknown): void {
  Object.defineProperty(object, '__proto__', { value, writable: true, enumerable: true, configurable: true })
}

function unexpected(token: number | undefined): RangeError {
  return token === undefined
    ? new RangeError('MessagePack is truncated')
    : new RangeError(`MessagePack with the token ${token}`)
}
