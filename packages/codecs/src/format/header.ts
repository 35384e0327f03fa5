import { type Item, isWellFormed } from '@cache/core/backend'
import { asciiText } from './ascii-text.ts'
import { frame } from './frame.ts'
import { utf8Text } from './utf8-text.ts'
import { utf16Text } from './utf16-text.ts'

const { sealed, staleAt: staleFlag, expiresAt: expiresFlag, tags: tagsFlag, cost: costFlag, clearNumber } = frame.flags

/**
 * Headers are written here and copied when their length is known. The code that writes and copies never awaits, so all
 * calls share one buffer.
 */
let scratch = Buffer.allocUnsafeSlow(1024)
let position = 0

/** The header of the last `writeHeader`, valid until the next call. */
export function headerBytes(): Buffer {
  return scratch
}

/** Instead of the length of a payload: no length is written. A clear number may grow, and a seal covers the length. */
export const openEnd = -1

/**
 * Writes all members of the item except key and value, then the length of the payload, which reveals a truncated frame.
 * Returns the length of the header. The caller sets the codec id and further flags in the bytes.
 */
export function writeHeader(item: Item, payloadLength: number): number {
  const { version, createdAt, staleAt, expiresAt, tags, cost } = item
  const { length } = version
  if (length === 0 || length > 255) throw new TypeError(`a version of ${length} characters`)
  scratch[0] = frame.formatVersion
  scratch[frame.versionLengthOffset] = length
  position = frame.versionOffset
  writeAscii(version)
  writeInstant(createdAt)
  let flags = 0
  if (staleAt !== undefined) {
    flags |= staleFlag
    writeWhole(staleAt - createdAt)
  }
  if (expiresAt !== undefined) {
    flags |= expiresFlag
    writeWhole(expiresAt - createdAt)
  }
  if (tags !== undefined) {
    flags |= tagsFlag
    writeTags(tags)
  }
  if (cost !== undefined) {
    flags |= costFlag
    writeNumber(cost)
  }
  if (payloadLength !== openEnd) {
    makeRoom(16)
    writeWhole(payloadLength)
  }
  scratch[frame.flagsOffset] = flags
  return position
}

function makeRoom(bytes: number): void {
  if (position + bytes <= scratch.length) return
  const larger = Buffer.allocUnsafeSlow((position + bytes) * 2)
  scratch.copy(larger, 0, 0, position)
  scratch = larger
}

function writeAscii(text: string): void {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code > 126 || code < 32) throw new TypeError('a version that is not printable ASCII')
    scratch[position++] = code
  }
}

/** Announces an instant that does not fit into six bytes; a float of eight bytes follows. */
const instantMark = 2 ** 48 - 1

/** Six bytes, the high byte first: the years 1970 to 10889. */
function writeInstant(value: number): void {
  if (!Number.isSafeInteger(value)) throw new TypeError(`an instant that is not a whole number: ${value}`)
  if (value < 0 || value >= instantMark) {
    scratch.fill(0xff, position, position + 6)
    position = scratch.writeDoubleBE(value, position + 6)
    return
  }
  const high = (value / 0x1_0000_0000) | 0
  const low = value | 0
  scratch[position++] = high >> 8
  scratch[position++] = high
  scratch[position++] = low >> 24
  scratch[position++] = low >> 16
  scratch[position++] = low >> 8
  scratch[position++] = low
}

/** A continuation bit, a sign bit and six bits, then seven bits per byte, low bits first. A few days take four or five bytes. */
function writeWhole(value: number): void {
  if (!Number.isSafeInteger(value)) throw new TypeError(`an instant that is not a whole number: ${value}`)
  let rest = value < 0 ? -value : value
  const first = (value < 0 ? 0x40 : 0) | (rest & 0x3f)
  rest = rest < 64 ? 0 : Math.floor(rest / 64)
  if (rest === 0) {
    scratch[position++] = first
    return
  }
  scratch[position++] = first | 0x80
  while (rest > 127) {
    scratch[position++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  scratch[position++] = rest
}

/** The varint -0 is never written for a whole number, so it announces a float. */
const floatMark = 0x40

function writeNumber(value: number): void {
  makeRoom(16)
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    writeWhole(value)
    return
  }
  scratch[position++] = floatMark
  position = scratch.writeDoubleBE(value, position)
}

function writeTags(tags: Readonly<Record<string, string>>): void {
  const names = Object.keys(tags)
  makeRoom(16)
  writeWhole(names.length)
  for (const name of names) {
    writeText(name)
    writeText(tags[name] as string)
  }
}

/** The length in bytes, then UTF-8. A negative length announces UTF-16, for texts with lone surrogates. */
function writeText(text: string): void {
  makeRoom(text.length * 3 + 16)
  if (!isWellFormed(text)) {
    writeWhole(-text.length * 2)
    position += scratch.write(text, position, 'utf16le')
    return
  }
  const bytes = Buffer.byteLength(text, 'utf8')
  writeWhole(bytes)
  position += scratch.write(text, position, 'utf8')
}

let source: Buffer = scratch
let cursor = 0

/**
 * Reads a header into an item without its value. `payloadStart` then returns the position of the value. Throws for bytes
 * that `writeHeader` did not write, if they can be recognized. For a sealed frame, `bytes` must be only the header.
 */
export function readHeader(key: string, bytes: Buffer): Mutable<Item> {
  source = bytes
  const flags = bytes[frame.flagsOffset] as number
  const versionLength = bytes[frame.versionLengthOffset] as number
  cursor = frame.versionOffset + versionLength
  // Shorter than a version and an instant. This also catches the `undefined` bytes above.
  if (!(bytes.length >= cursor + 6) || versionLength === 0) throw new RangeError('the frame is truncated')
  if ((flags & 0x80) !== 0) throw new RangeError('the frame has a flag of a later format')
  const version = asciiText(bytes, frame.versionOffset, cursor)
  if (version === undefined) throw new RangeError('its version is not ASCII')
  const createdAt = readInstant()
  const item =
    (flags & optionalParts) === expiresFlag ? expiringItem(key, version, createdAt) : plainItem(key, version, createdAt)
  if ((flags & optionalParts & ~expiresFlag) !== 0) readOptional(flags, createdAt, item)
  if ((flags & (clearNumber | sealed)) === 0 && bytes.length !== readWhole() + cursor) {
    throw new RangeError('the frame has another length than when it was written')
  }
  return item
}

/** The start of the payload after the last header that `readHeader` read. */
export function payloadStart(): number {
  return cursor
}

function plainItem(key: string, version: string, createdAt: number): Mutable<Item> {
  return { key, value: undefined, version, createdAt }
}

/** The most common item, created with all its members: one that is added later costs more than all others. */
function expiringItem(key: string, version: string, createdAt: number): Mutable<Item> {
  return { key, value: undefined, version, createdAt, expiresAt: instant(createdAt + readWhole()) }
}

export type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const optionalParts = staleFlag | expiresFlag | tagsFlag | costFlag

function readOptional(flags: number, createdAt: number, into: Mutable<Item>): void {
  if ((flags & staleFlag) !== 0) into.staleAt = instant(createdAt + readWhole())
  if ((flags & expiresFlag) !== 0) into.expiresAt = instant(createdAt + readWhole())
  if ((flags & tagsFlag) !== 0) into.tags = readTags()
  if ((flags & costFlag) !== 0) into.cost = readNumber()
}

function instant(value: number): number {
  if (!Number.isSafeInteger(value)) throw new RangeError('an instant is out of range')
  return value
}

function readInstant(): number {
  const value = source.readUIntBE(cursor, 6)
  cursor += 6
  return value === instantMark ? instant(readDouble()) : value
}

function readDouble(): number {
  const value = source.readDoubleBE(cursor)
  cursor += 8
  return value
}

function nextByte(): number {
  const byte = source[cursor++]
  if (byte === undefined) throw new RangeError('the frame is truncated')
  return byte
}

function readWhole(): number {
  const first = nextByte()
  let value = first & 0x3f
  let factor = 64
  for (let byte = first; (byte & 0x80) !== 0; factor *= 128) {
    byte = nextByte()
    value += (byte & 0x7f) * factor
    // 0 times an infinite factor is NaN, which a comparison with `>` would accept.
    if (!(value <= Number.MAX_SAFE_INTEGER)) throw new RangeError('a number is out of range')
  }
  return (first & 0x40) !== 0 ? -value : value
}

function readNumber(): number {
  if (source[cursor] !== floatMark) return readWhole()
  cursor += 1
  return readDouble()
}

function readTags(): Record<string, string> {
  const count = readWhole()
  // Each tag takes at least two bytes, so a larger count is refused before the loop.
  if (count < 0 || count * 2 > source.length - cursor) throw new RangeError('there are fewer tags than announced')
  const tags: Record<string, string> = {}
  for (let index = 0; index < count; index += 1) {
    const name = readText()
    const version = readText()
    if (name === '__proto__') {
      Object.defineProperty(tags, name, { value: version, writable: true, enumerable: true, configurable: true })
    } else tags[name] = version
  }
  return tags
}

function readText(): string {
  const length = readWhole()
  const size = length < 0 ? -length : length
  if (cursor + size > source.length) throw new RangeError('a text is truncated')
  const end = cursor + size
  const text =
    length < 0 ? utf16Text(source, cursor, end) : (asciiText(source, cursor, end) ?? utf8Text(source, cursor, end))
  cursor = end
  return text
}
