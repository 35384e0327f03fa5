import { isUtf8 } from 'node:buffer'
import { CacheError, type Codec, checkOptions, type Item, invalidArgument, wholeNumber } from '@cache/core/backend'
import { Compression, decompress } from './compression.ts'
import { Encryption } from './encryption.ts'
import { frame } from './frame.ts'
import { headerBytes, type Mutable, readHeader, writeHeader } from './header.ts'
import { type ItemFormatOptions, itemFormatOptionNames } from './item-format-options.ts'
import { msgpackCodec } from './msgpack-codec.ts'
import { isWellFormed } from './well-formed.ts'

const { formatVersion, codecOffset, flagsOffset, kinds } = frame
const { sealed: sealedFlag, compressed: compressedFlag, clearNumber: clearNumberFlag } = frame.flags

const nothing = Buffer.alloc(0)
/** The longest whole number: a sign and sixteen digits. */
const longestNumber = 17
const defaultMaxDecodedBytes = 64 * 1024 * 1024

/**
 * Items as bytes: a header of a few bytes and the encoded value. FORMAT.md has the layout.
 *
 * Placeholders, safe whole numbers and strings are written without a codec, whatever the codec is.
 */
export class ItemFormat {
  /** Whether payloads are encrypted. A store's own arithmetic on numbers is then impossible. */
  readonly sealed: boolean
  readonly codec: Codec
  readonly maxDecodedBytes: number
  readonly #compression: Compression | undefined
  readonly #encryption: Encryption | undefined
  readonly #inClear: boolean

  /** Throws `INVALID_ARGUMENT` for unknown options and values out of range, `UNSUPPORTED` for zstd on a Node without it. */
  constructor(options: ItemFormatOptions = {}) {
    checkOptions(options, itemFormatOptionNames, 'ItemFormat')
    const { codec = msgpackCodec, compression, encryption, maxDecodedBytes = defaultMaxDecodedBytes } = options
    this.codec = checkCodec(codec)
    this.maxDecodedBytes = wholeNumber(maxDecodedBytes, 'maxDecodedBytes', 'ItemFormat', 1, 2 ** 31 - 1)
    this.#compression = compression === undefined ? undefined : new Compression(compression)
    this.#encryption = encryption === undefined ? undefined : new Encryption(encryption)
    this.sealed = encryption !== undefined
    this.#inClear = compression === undefined && encryption === undefined
  }

  /** The item's bytes, without its key. Throws `NOT_STORABLE` for a value that the codec cannot keep, or that is too long. */
  encode(item: Item): Buffer {
    try {
      return this.#encode(item)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new CacheError('NOT_STORABLE', `The value cannot be stored: ${reason}`, { key: item.key, cause: error })
    }
  }

  /** The item of these bytes. Throws `DAMAGED` for anything that `encode` did not write for this key. */
  decode(key: string, bytes: Uint8Array): Item {
    try {
      return this.#decode(key, bytes)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new CacheError('DAMAGED', `The stored bytes cannot be read: ${reason}`, { key, cause: error })
    }
  }

  #encode(item: Item): Buffer {
    const { value } = item
    // The codec runs before the header is begun: it may be the application's own, and may use this format itself.
    if (typeof value === 'number' && Number.isSafeInteger(value) && !Object.is(value, -0)) {
      return this.#inClear
        ? clearNumber(item, value)
        : this.#finish(item, kinds.wholeNumber, Buffer.from(String(value)))
    }
    if (value === undefined) return this.#finish(item, kinds.placeholder, nothing)
    if (typeof value === 'string') return this.#encodeString(item, value)
    return this.#finish(item, this.codec.id, this.codec.encode(value))
  }

  #encodeString(item: Item, value: string): Buffer {
    if (!isWellFormed(value)) return this.#finish(item, kinds.utf16, Buffer.from(value, 'utf16le'))
    if (!this.#inClear) return this.#finish(item, kinds.utf8, Buffer.from(value, 'utf8'))
    const bytes = Buffer.byteLength(value, 'utf8')
    this.#checkLength(bytes)
    const headerLength = writeHeader(item)
    const out = begin(headerLength, bytes, kinds.utf8, 0)
    out.write(value, headerLength, 'utf8')
    return out
  }

  #checkLength(bytes: number): void {
    if (bytes > this.maxDecodedBytes)
      throw new RangeError(`it takes ${bytes} bytes, and ${this.maxDecodedBytes} are allowed`)
  }

  #finish(item: Item, kind: number, payload: Uint8Array): Buffer {
    this.#checkLength(payload.length)
    const smaller = this.#compression?.compress(payload)
    const compressed = smaller ?? payload
    let flags = smaller === undefined ? 0 : compressedFlag
    if (this.#encryption === undefined) return this.#join(item, kind, flags, compressed)
    flags |= sealedFlag
    const headerLength = writeHeader(item)
    const header = begin(headerLength, 0, kind, flags)
    return Buffer.concat([header, this.#encryption.seal(item.key, header, compressed)])
  }

  #join(item: Item, kind: number, flags: number, payload: Uint8Array): Buffer {
    if (kind === kinds.wholeNumber) flags |= clearNumberFlag
    const headerLength = writeHeader(item)
    const out = begin(headerLength, payload.length, kind, flags)
    out.set(payload, headerLength)
    return out
  }

  #decode(key: string, bytes: Uint8Array): Item {
    if (bytes[0] !== formatVersion)
      throw new RangeError(`format version ${bytes[0]}, and only ${formatVersion} is known`)
    const item: Mutable<Item> = { key, value: undefined, version: '', createdAt: 0 }
    const offset = readHeader(bytes, item)
    const payload = this.#open(key, bytes, offset)
    item.value = this.#value(bytes[codecOffset] as number, payload)
    return item
  }

  #open(key: string, bytes: Uint8Array, offset: number): Uint8Array {
    const flags = bytes[flagsOffset] as number
    let payload = bytes.subarray(offset)
    if ((flags & sealedFlag) !== 0) {
      if (this.#encryption === undefined) throw new Error('it is sealed, and there is no key')
      payload = this.#encryption.open(key, bytes.subarray(0, offset), payload)
    } else if (this.#encryption !== undefined) {
      // Whoever can write to the store could otherwise put values of their own beside the sealed ones.
      throw new Error('it is not sealed')
    }
    if ((flags & compressedFlag) !== 0) return decompress(payload, this.maxDecodedBytes)
    if (payload.length > this.maxDecodedBytes) throw new RangeError(`it takes ${payload.length} bytes`)
    return payload
  }

  #value(kind: number, payload: Uint8Array): unknown {
    if (kind === this.codec.id) return this.codec.decode(payload)
    switch (kind) {
      case kinds.utf8:
        if (!isUtf8(payload)) throw new RangeError('its text is not UTF-8')
        return text(payload, 'utf8')
      case kinds.wholeNumber:
        return wholeNumberOf(text(payload, 'latin1'))
      case kinds.placeholder:
        if (payload.length > 0) throw new RangeError('a placeholder carries a value')
        return undefined
      case kinds.utf16:
        if (payload.length % 2 !== 0) throw new RangeError('its text ends within a character')
        return text(payload, 'utf16le')
      default:
        throw new RangeError(`codec ${kind} wrote it, and ${this.codec.id} reads`)
    }
  }
}

/** A frame of its final length with the header in place. */
function begin(headerLength: number, payloadLength: number, kind: number, flags: number): Buffer {
  const out = Buffer.allocUnsafe(headerLength + payloadLength)
  const header = headerBytes()
  header[codecOffset] = kind
  header[flagsOffset] = (header[flagsOffset] as number) | flags
  header.copy(out, 0, 0, headerLength)
  return out
}

function clearNumber(item: Item, value: number): Buffer {
  const digits = String(value)
  const headerLength = writeHeader(item)
  const out = begin(headerLength, digits.length, kinds.wholeNumber, clearNumberFlag)
  out.write(digits, headerLength, 'latin1')
  return out
}

function text(bytes: Uint8Array, encoding: 'utf8' | 'latin1' | 'utf16le'): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(encoding)
}

const decimals = /^(?:0|-?[1-9]\d{0,15})$/

function wholeNumberOf(digits: string): number {
  const value = digits.length <= longestNumber && decimals.test(digits) ? Number(digits) : Number.NaN
  if (!Number.isSafeInteger(value)) throw new RangeError('its number is not a safe whole number')
  return value
}

function checkCodec(codec: Codec): Codec {
  const allowed = 'a codec with id (1 to 47 or 64 to 255), name, encode and decode'
  if (typeof codec !== 'object' || codec === null) throw invalidArgument('codec', codec, allowed, 'ItemFormat')
  const { id, encode, decode } = codec
  const reserved = Number.isInteger(id) && id >= kinds.wholeNumber && id <= kinds.utf16
  if (typeof encode !== 'function' || typeof decode !== 'function') {
    throw invalidArgument('codec', codec, allowed, 'ItemFormat')
  }
  if (reserved) throw invalidArgument('codec.id', id, '1 to 47 or 51 to 255', 'ItemFormat')
  wholeNumber(id, 'codec.id', 'ItemFormat', 1, 255)
  return codec
}
