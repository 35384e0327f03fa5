import { type Brand, brandOf, hasSymbolMember, isWellFormed } from '@cache/core/backend'
import { noTypes, type TypeTable } from '../types/type-table.ts'
import { blobs, bufferClasses, firstRecord, prefixes, recordsMark } from './extensions.ts'
import { RecordShapes } from './record-shapes.ts'

/** With more objects than this, their member names are written once, as records. */
const mostPlainObjects = 7
/** Deeper values are refused, which include cycles. */
const deepest = 500
/** A larger buffer is not kept after the call. */
const largestKept = 1024 * 1024
const firstSize = 16 * 1024
/** Texts of more characters are written by the runtime. */
const longestShortText = 48

const tooManyObjects: unique symbol = Symbol('too many objects')

/** Thrown by `write` for a value that MessagePack cannot keep. The codec finds the reason then. */
export const unkept: TypeError = new TypeError('MessagePack cannot keep the value')

/**
 * Writes values as MessagePack. One walk checks and writes. It is not shared with other users of a library, so extensions of an
 * application cannot change the bytes.
 */
export class MessagePackWriter {
  /** The written bytes begin at 0. The next `write` overwrites them. */
  bytes: Buffer = Buffer.allocUnsafeSlow(firstSize)
  #view = new DataView(this.bytes.buffer)
  #at = 0
  #objects = 0
  #hasRecords = false
  #types: TypeTable = noTypes
  readonly #shapes = new RecordShapes()

  /** Writes the value to `bytes`, and returns the number of bytes. Throws `unkept`. */
  write(value: unknown, types: TypeTable): number {
    if (this.bytes.length > largestKept) this.#resize(firstSize)
    this.#types = types
    try {
      this.#begin(false)
      this.#value(value, 0)
    } catch (error) {
      if (error !== tooManyObjects) throw error
      this.#begin(true)
      this.bytes[this.#at++] = recordsMark
      this.#value(value, 0)
    } finally {
      this.#types = noTypes
      this.#shapes.clear()
    }
    return this.#at
  }

  #begin(hasRecords: boolean): void {
    this.#at = 0
    this.#objects = 0
    this.#hasRecords = hasRecords
  }

  #resize(size: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(size)
    this.#view = new DataView(bytes.buffer)
    this.bytes = bytes
    return bytes
  }

  /** Makes room for this many further bytes. */
  #room(bytes: number): void {
    if (this.#at + bytes <= this.bytes.length) return
    const { bytes: old } = this
    this.#resize((this.#at + bytes) * 2).set(old.subarray(0, this.#at))
  }

  #byte(byte: number): void {
    this.#room(1)
    this.bytes[this.#at++] = byte
  }

  #value(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'string':
        this.#text(value)
        return
      case 'number':
        this.#number(value)
        return
      case 'boolean':
        this.#byte(value ? 0xc3 : 0xc2)
        return
      case 'object':
        if (value === null) this.#byte(0xc0)
        else this.#object(value, depth)
        return
      case 'undefined':
        this.#prefix(prefixes.undefined)
        return
      case 'bigint':
        this.#bigint(value)
        return
      default:
        throw unkept
    }
  }

  #prefix(type: number): void {
    this.#room(3)
    this.bytes[this.#at++] = 0xd4
    this.bytes[this.#at++] = type
    this.bytes[this.#at++] = 0
  }

  #object(value: object, depth: number): void {
    if (depth >= deepest) throw unkept
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype && !Array.isArray(value)) this.#members(value, depth)
    else if (prototype === Array.prototype && Array.isArray(value)) this.#array(value, depth)
    else this.#rare(value, depth)
  }

  #members(value: object, depth: number): void {
    this.#objects += 1
    if (hasSymbolMember(value)) throw unkept
    const names = Object.keys(value)
    if (this.#hasRecords && names.length > 0) {
      if (this.#record(names)) {
        for (const name of names) this.#value((value as Record<string, unknown>)[name], depth + 1)
        return
      }
    } else if (this.#objects > mostPlainObjects && !this.#hasRecords) throw tooManyObjects
    this.#size(names.length, 0x80, 0xde)
    for (const name of names) {
      this.#text(name)
      this.#value((value as Record<string, unknown>)[name], depth + 1)
    }
  }

  /** Whether the token of a record was written for these names. Otherwise they must be written as a map. */
  #record(names: readonly string[]): boolean {
    const known = this.#shapes.find(names)
    if (known >= 0) {
      this.#byte(known)
      return true
    }
    const token = this.#shapes.add(names)
    if (token < 0) return false
    this.#prefix(prefixes.record)
    this.bytes[this.#at - 1] = token
    this.#size(names.length, 0x90, 0xdc)
    for (const name of names) this.#text(name)
    return true
  }

  /** A number of elements or members: within the `short` token, or behind the `long` one. */
  #size(size: number, short: number, long: number): void {
    this.#room(5)
    if (size < 16) this.bytes[this.#at++] = short | size
    else if (size < 0x1_0000) {
      this.bytes[this.#at] = long
      this.#view.setUint16(this.#at + 1, size)
      this.#at += 3
    } else {
      this.bytes[this.#at] = long + 1
      this.#view.setUint32(this.#at + 1, size)
      this.#at += 5
    }
  }

  #array(value: readonly unknown[], depth: number): void {
    const { length } = value
    this.#size(length, 0x90, 0xdc)
    for (let index = 0; index < length; index += 1) {
      const element = value[index]
      // A hole.
      if (element === undefined && !Object.hasOwn(value, index)) throw unkept
      this.#value(element, depth + 1)
    }
    if (Object.keys(value).length !== length || hasSymbolMember(value)) throw unkept
  }

  #rare(value: object, depth: number): void {
    const prototype: unknown = Object.getPrototypeOf(value)
    const type = prototype === null ? undefined : this.#types.find(value)
    if (type !== undefined) {
      this.#prefix(prefixes.typed)
      this.#text(type.name)
      this.#value(type.encode(value), depth + 1)
      return
    }
    const brand = brandOf(value)
    switch (brand) {
      case 'Object':
        this.#members(value, depth)
        return
      case 'null prototype':
        this.#prefix(prefixes.noPrototype)
        this.#members(value, depth)
        return
      case 'Array':
        this.#array(value as readonly unknown[], depth)
        return
      case undefined:
      case 'Error':
        throw unkept
      default:
        this.#builtIn(value, brand, depth)
    }
  }

  #builtIn(value: object, brand: Brand, depth: number): void {
    // The elements of a view are own members, possibly millions.
    if (!ArrayBuffer.isView(value) && (Object.keys(value).length > 0 || hasSymbolMember(value))) throw unkept
    switch (brand) {
      case 'Date':
        this.#date(Date.prototype.getTime.call(value))
        return
      case 'Map':
        this.#map(value as ReadonlyMap<unknown, unknown>, depth)
        return
      case 'Set':
        this.#set(value as ReadonlySet<unknown>, depth)
        return
      case 'RegExp':
        if ((value as RegExp).lastIndex !== 0) throw unkept
        this.#prefix(prefixes.regexp)
        this.#text((value as RegExp).source)
        this.#text((value as RegExp).flags)
        return
      case 'Buffer':
        this.#blob(value as Uint8Array)
        return
      case 'ArrayBuffer':
        this.#buffer(new Uint8Array(value as ArrayBuffer), brand)
        return
      default: {
        const { buffer, byteOffset, byteLength } = value as DataView
        this.#buffer(new Uint8Array(buffer, byteOffset, byteLength), brand)
      }
    }
  }

  #map(value: ReadonlyMap<unknown, unknown>, depth: number): void {
    this.#prefix(prefixes.map)
    const { size } = value
    this.#size(size * 2, 0x90, 0xdc)
    let count = 0
    for (const [key, element] of value) {
      this.#value(key, depth + 1)
      this.#value(element, depth + 1)
      count += 1
    }
    checkCount(count, size)
  }

  #set(value: ReadonlySet<unknown>, depth: number): void {
    const { size } = value
    this.#prefix(prefixes.set)
    this.#size(size, 0x90, 0xdc)
    let count = 0
    for (const element of value) {
      this.#value(element, depth + 1)
      count += 1
    }
    checkCount(count, size)
  }

  #date(time: number): void {
    this.#room(10)
    this.bytes[this.#at] = 0xd7
    this.bytes[this.#at + 1] = blobs.date
    this.#view.setFloat64(this.#at + 2, time)
    this.#at += 10
  }

  /** The bytes of a `Buffer`. */
  #blob(value: Uint8Array): void {
    this.#length(value.length, 0xc4)
    this.#room(value.length)
    this.bytes.set(value, this.#at)
    this.#at += value.length
  }

  /** The bytes of all other classes. */
  #buffer(value: Uint8Array, brand: Brand): void {
    this.#length(value.length + 1, 0xc7)
    this.#room(value.length + 2)
    this.bytes[this.#at++] = blobs.buffer
    this.bytes[this.#at++] = bufferClasses.indexOf(brand)
    this.bytes.set(value, this.#at)
    this.#at += value.length
  }

  /** A length in bytes. The tokens for one, two and four bytes follow each other. */
  #length(length: number, token: number): void {
    this.#room(5)
    if (length < 0x100) {
      this.bytes[this.#at++] = token
      this.bytes[this.#at++] = length
    } else if (length < 0x1_0000) {
      this.bytes[this.#at] = token + 1
      this.#view.setUint16(this.#at + 1, length)
      this.#at += 3
    } else {
      this.bytes[this.#at] = token + 2
      this.#view.setUint32(this.#at + 1, length)
      this.#at += 5
    }
  }

  #text(text: string): void {
    const { length } = text
    if (length > longestShortText) {
      this.#longText(text)
      return
    }
    this.#room(longestShortText + 2)
    const { bytes } = this
    const start = this.#at
    let at = start
    if (length < 32) bytes[at++] = 0xa0 | length
    else {
      bytes[at++] = 0xd9
      bytes[at++] = length
    }
    let all = 0
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index)
      all |= code
      bytes[at++] = code
    }
    if (all < 128) this.#at = at
    else this.#longText(text)
  }

  #longText(text: string): void {
    const { length } = text
    this.#room(length * 3 + 5)
    // The length in bytes is known after they were written; for ASCII it is the number of characters.
    const headLength = textHeadLength(length)
    const start = this.#at
    const written = this.bytes.write(text, start + headLength, 'utf8')
    if (written !== length) {
      if (!isWellFormed(text)) {
        this.#utf16(text)
        return
      }
      const needed = textHeadLength(written)
      if (needed !== headLength) {
        this.bytes.copyWithin(start + needed, start + headLength, start + headLength + written)
      }
    }
    if (written < 32) this.bytes[this.#at++] = 0xa0 | written
    else this.#length(written, 0xd9)
    this.#at += written
  }

  /** UTF-8 cannot hold lone surrogates. */
  #utf16(text: string): void {
    const length = text.length * 2
    this.#length(length, 0xc7)
    this.#room(length + 1)
    this.bytes[this.#at++] = blobs.utf16
    this.#at += this.bytes.write(text, this.#at, 'utf16le')
  }

  #number(value: number): void {
    this.#room(9)
    const { bytes } = this
    if (!Number.isInteger(value) || value > 0xffff_ffff || value < -0x8000_0000 || Object.is(value, -0)) {
      bytes[this.#at] = 0xcb
      this.#view.setFloat64(this.#at + 1, value)
      this.#at += 9
    } else if (value < 0) this.#negative(value)
    else if (value < firstRecord || (value < 0x80 && !this.#hasRecords)) bytes[this.#at++] = value
    else if (value < 0x100) {
      bytes[this.#at++] = 0xcc
      bytes[this.#at++] = value
    } else if (value < 0x1_0000) {
      bytes[this.#at] = 0xcd
      this.#view.setUint16(this.#at + 1, value)
      this.#at += 3
    } else {
      bytes[this.#at] = 0xce
      this.#view.setUint32(this.#at + 1, value)
      this.#at += 5
    }
  }

  #negative(value: number): void {
    const { bytes } = this
    if (value >= -0x20) bytes[this.#at++] = value + 0x100
    else if (value >= -0x80) {
      bytes[this.#at++] = 0xd0
      bytes[this.#at++] = value + 0x100
    } else if (value >= -0x8000) {
      bytes[this.#at] = 0xd1
      this.#view.setInt16(this.#at + 1, value)
      this.#at += 3
    } else {
      bytes[this.#at] = 0xd2
      this.#view.setInt32(this.#at + 1, value)
      this.#at += 5
    }
  }

  #bigint(value: bigint): void {
    if (BigInt.asIntN(64, value) === value) {
      this.#room(9)
      this.bytes[this.#at] = 0xd3
      this.#view.setBigInt64(this.#at + 1, value)
      this.#at += 9
    } else if (BigInt.asUintN(64, value) === value) {
      this.#room(9)
      this.bytes[this.#at] = 0xcf
      this.#view.setBigUint64(this.#at + 1, value)
      this.#at += 9
    } else {
      this.#prefix(prefixes.bigint)
      this.#text(value.toString(16))
    }
  }
}

/** A getter within the value may add or remove elements, and the size was written before. */
function checkCount(count: number, size: number): void {
  if (count !== size) throw unkept
}

function textHeadLength(bytes: number): number {
  if (bytes < 32) return 1
  if (bytes < 0x100) return 2
  return bytes < 0x1_0000 ? 3 : 5
}
