import {
  CacheError,
  type Clock,
  type Codec,
  checkClock,
  checkOptions,
  type Item,
  invalidArgument,
  isWellFormed,
  wholeNumber,
} from '@cache/core/backend'
import { DecodedMemory } from './codecs/decoded-memory.ts'
import { MessagePackCodec, msgpackCodec } from './codecs/msgpack-codec.ts'
import { asBuffer } from './format/as-buffer.ts'
import { frame } from './format/frame.ts'
import { headerBytes, openEnd, payloadStart, readHeader, writeHeader } from './format/header.ts'
import { utf8Text } from './format/utf8-text.ts'
import { utf16Text } from './format/utf16-text.ts'
import { type ItemFormatOptions, itemFormatOptionNames } from './item-format-options.ts'
import { Compression, decompress } from './protection/compression.ts'
import { Encryption } from './protection/encryption.ts'

const { formatVersion, codecOffset, flagsOffset, kinds } = frame
const { sealed: sealedFlag, compressed: compressedFlag, clearNumber: clearNumberFlag } = frame.flags

const nothing = Buffer.alloc(0)
/** The longest whole number: a sign and sixteen digits. */
const longestNumber = 17
const dash = 45
const zero = 48
const defaultMaxDecodedBytes = 64 * 1024 * 1024

/**
 * Items as bytes: a header of a few bytes and the encoded value. FORMAT.md has the layout.
 *
 * Placeholders, safe whole numbers and strings are written without a codec, whatever the codec is.
 */
export class ItemFormat {
  /** Whether payloads are encrypted. Then the store cannot calculate with numbers itself. */
  readonly sealed: boolean
  readonly codec: Codec
  readonly maxDecodedBytes: number
  readonly #compression: Compression | undefined
  readonly #encryption: Encryption | undefined
  readonly #clock: Clock
  readonly #inClear: boolean
  readonly #memory: DecodedMemory
  /** The codec, where it can write and read in place. */
  readonly #messagePack: MessagePackCodec | undefined

  /**
   * `place` names where the items are stored, such as the kind of store and the prefix. Encryption authenticates it: an item
   * that was sealed for another place is damaged. `clock` tells whether the lifetime of a sealed item has ended. Throws
   * `INVALID_ARGUMENT` for unknown options and values out of range, `UNSUPPORTED` for zstd on a Node without it.
   */
  constructor(options: ItemFormatOptions = {}, place = '', clock?: Clock) {
    checkOptions(options, itemFormatOptionNames, 'ItemFormat')
    const { codec = msgpackCodec, compression, encryption, maxDecodedBytes = defaultMaxDecodedBytes } = options
    this.codec = checkCodec(codec)
    this.#messagePack = codec instanceof MessagePackCodec ? codec : undefined
    this.maxDecodedBytes = wholeNumber(maxDecodedBytes, 'maxDecodedBytes', 'ItemFormat', 1, 2 ** 31 - 1)
    this.#compression = compression === undefined ? undefined : new Compression(compression)
    if (typeof place !== 'string') throw invalidArgument('place', place, 'a string', 'ItemFormat')
    this.#encryption = encryption === undefined ? undefined : new Encryption(encryption, place)
    this.#clock = checkClock(clock, 'ItemFormat')
    this.sealed = encryption !== undefined
    this.#memory = new DecodedMemory(this.codec, this.maxDecodedBytes)
    this.#inClear = compression === undefined && encryption === undefined
  }

  /** The bytes of the item, without its key. Throws `NOT_STORABLE` for a value that the codec cannot keep, or that is too long. */
  encode(item: Item): Buffer {
    try {
      return this.#encode(item)
    } catch (error) {
      if (typeof item !== 'object' || item === null) throw invalidArgument('item', item, 'an item', 'encode')
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
    // The codec runs before the header is written: a codec of the application may use this format itself.
    if (typeof value === 'number' && Number.isSafeInteger(value) && !Object.is(value, -0)) {
      return this.#encodeWholeNumber(item, String(value))
    }
    if (value === undefined) return this.#finish(item, kinds.placeholder, nothing)
    if (typeof value === 'string') return this.#encodeString(item, value)
    if (this.#inClear && this.#messagePack !== undefined) return this.#encodeMessagePack(item, value, this.#messagePack)
    const payload = this.codec.encode(value)
    this.#memory.check(payload, 0, payload.length)
    return this.#finish(item, this.codec.id, payload)
  }

  /** Not compressed: seventeen bytes would hardly become smaller, and the store could not read them. */
  #encodeWholeNumber(item: Item, digits: string): Buffer {
    if (this.#encryption === undefined) return clearNumber(item, digits)
    return this.#seal(item, kinds.wholeNumber, 0, Buffer.from(digits, 'latin1'), this.#encryption)
  }

  #encodeMessagePack(item: Item, value: unknown, codec: MessagePackCodec): Buffer {
    const { bytes, length } = codec.packInPlace(value)
    this.#checkLength(length)
    this.#memory.check(bytes, 0, length)
    const headerLength = writeHeader(item, length)
    const out = newFrame(headerLength, length, this.codec.id, 0)
    bytes.copy(out, headerLength, 0, length)
    return out
  }

  #encodeString(item: Item, value: string): Buffer {
    if (!isWellFormed(value)) return this.#finish(item, kinds.utf16, Buffer.from(value, 'utf16le'))
    if (!this.#inClear) return this.#finish(item, kinds.utf8, Buffer.from(value, 'utf8'))
    const bytes = Buffer.byteLength(value, 'utf8')
    this.#checkLength(bytes)
    const headerLength = writeHeader(item, bytes)
    const out = newFrame(headerLength, bytes, kinds.utf8, 0)
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
    const flags = smaller === undefined ? 0 : compressedFlag
    if (this.#encryption !== undefined) return this.#seal(item, kind, flags, smaller ?? payload, this.#encryption)
    return join(item, kind, flags, smaller ?? payload)
  }

  #seal(item: Item, kind: number, flags: number, payload: Uint8Array, encryption: Encryption): Buffer {
    const headerLength = writeHeader(item, openEnd)
    return encryption.seal(item.key, newFrame(headerLength, 0, kind, flags | sealedFlag), payload)
  }

  #decode(key: string, given: Uint8Array): Item {
    const bytes = asBuffer(given)
    if (bytes[0] !== formatVersion) {
      throw new RangeError(`format version ${bytes[0]}, and only ${formatVersion} is known`)
    }
    const flags = bytes[flagsOffset] as number
    if (this.#encryption !== undefined) return this.#decodeSealed(key, bytes, this.#encryption)
    if ((flags & sealedFlag) !== 0) throw new Error('it is sealed, and there is no key')
    const item = readHeader(key, bytes)
    const offset = payloadStart()
    const kind = bytes[codecOffset] as number
    if ((flags & compressedFlag) !== 0) {
      item.value = this.#value(kind, decompress(bytes.subarray(offset), this.maxDecodedBytes), 0)
    } else {
      this.#checkLength(bytes.length - offset)
      item.value = this.#value(kind, bytes, offset)
    }
    return item
  }

  /** Opens the frame first: the code that reads headers must not get one that an attacker wrote. */
  #decodeSealed(key: string, bytes: Buffer, encryption: Encryption): Item {
    // Anyone with write access to the store could have written an item that is not sealed.
    if (((bytes[flagsOffset] as number) & sealedFlag) === 0) throw new Error('it is not sealed')
    const { header, payload } = encryption.open(key, bytes)
    const item = readHeader(key, header)
    if (payloadStart() !== header.length) throw new RangeError('the header is longer than its content')
    this.#refuseExpired(item.expiresAt, encryption.clockTolerance)
    const kind = header[codecOffset] as number
    if (((header[flagsOffset] as number) & compressedFlag) !== 0) {
      item.value = this.#value(kind, decompress(payload, this.maxDecodedBytes), 0)
    } else {
      this.#checkLength(payload.length)
      item.value = this.#value(kind, payload, 0)
    }
    return item
  }

  /**
   * The store removes expired items. One that is still there was put back after its end, or its expiry in the store was
   * changed. The clock of the writer set `expiresAt`, so the clocks of two machines are compared here, with a tolerance.
   */
  #refuseExpired(expiresAt: number | undefined, tolerance: number): void {
    if (expiresAt === undefined || tolerance === Infinity) return
    // Also refuses where the clock gives no number.
    if (this.#clock.now() < expiresAt + tolerance) return
    throw new RangeError(`its sealed lifetime ended more than ${tolerance} ms ago`)
  }

  #decodeValue(bytes: Buffer, start: number): unknown {
    this.#memory.check(bytes, start, bytes.length)
    const codec = this.#messagePack
    const value = codec === undefined ? this.codec.decode(bytes.subarray(start)) : codec.unpackFrom(bytes, start)
    // It would be taken for a placeholder.
    if (value === undefined) throw new RangeError('its value is undefined')
    return value
  }

  /** The value whose payload begins at `start` and ends with `bytes`. */
  #value(kind: number, bytes: Buffer, start: number): unknown {
    if (kind === this.codec.id) return this.#decodeValue(bytes, start)
    switch (kind) {
      case kinds.utf8:
        return utf8Text(bytes, start, bytes.length)
      case kinds.wholeNumber:
        return readWholeNumber(bytes, start)
      case kinds.placeholder:
        if (bytes.length > start) throw new RangeError('a placeholder carries a value')
        return undefined
      case kinds.utf16:
        return utf16Text(bytes, start, bytes.length)
      default:
        throw new RangeError(`codec ${kind} wrote it, and ${this.codec.id} reads`)
    }
  }
}

/** A frame of the final length, with its header. */
function newFrame(headerLength: number, payloadLength: number, kind: number, flags: number): Buffer {
  const out = Buffer.allocUnsafe(headerLength + payloadLength)
  const header = headerBytes()
  header[codecOffset] = kind
  header[flagsOffset] = (header[flagsOffset] as number) | flags
  header.copy(out, 0, 0, headerLength)
  return out
}

function join(item: Item, kind: number, flags: number, payload: Uint8Array): Buffer {
  const headerLength = writeHeader(item, payload.length)
  const out = newFrame(headerLength, payload.length, kind, flags)
  out.set(payload, headerLength)
  return out
}

function clearNumber(item: Item, digits: string): Buffer {
  const headerLength = writeHeader(item, openEnd)
  const out = newFrame(headerLength, digits.length, kinds.wholeNumber, clearNumberFlag)
  for (let index = 0; index < digits.length; index += 1) out[headerLength + index] = digits.charCodeAt(index)
  return out
}

/** Reads the digits one by one: a string, a pattern and a conversion would cost several times as much. */
function readWholeNumber(bytes: Buffer, start: number): number {
  const { length } = bytes
  const isNegative = bytes[start] === dash
  const first = isNegative ? start + 1 : start
  let value = 0
  for (let at = first; at < length; at += 1) {
    const digit = (bytes[at] as number) - zero
    if (digit < 0 || digit > 9) throw notWhole()
    value = value * 10 + digit
  }
  const isPadded = bytes[first] === zero && (length > first + 1 || isNegative)
  if (length <= first || length - start > longestNumber || isPadded || value > Number.MAX_SAFE_INTEGER) throw notWhole()
  return isNegative ? -value : value
}

function notWhole(): RangeError {
  return new RangeError('its number is not a safe whole number')
}

function checkCodec(codec: Codec): Codec {
  const given: Partial<Codec> | null = codec
  if (given === null || typeof given?.encode !== 'function' || typeof given.decode !== 'function') {
    throw invalidArgument('codec', codec, 'an object with id, name, encode and decode', 'ItemFormat')
  }
  const id = wholeNumber(given.id, 'codec.id', 'ItemFormat', 1, 255)
  if (id >= kinds.wholeNumber && id <= kinds.utf16) {
    throw invalidArgument('codec.id', id, `something else than ${kinds.wholeNumber} to ${kinds.utf16}`, 'ItemFormat')
  }
  return codec
}
