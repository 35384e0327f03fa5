import { asciiText } from '../format/ascii-text.ts'
import { readName as readKnownName } from './name-table.ts'

/** Payloads up to this many bytes are read here. For longer ones `MessagePackReader` is faster. */
export const longestPlain = 512

let source: Buffer = Buffer.alloc(0)
let position = 0
let end = 0

/**
 * The value of the MessagePack from `start` to the end of `bytes`, if it contains only small objects and arrays, ASCII,
 * numbers up to 32 bits, floats, booleans and `null`. `undefined` for all others, which `MessagePackReader` must read: it
 * creates a view of each buffer first, which costs half as much as reading a small object.
 */
export function readPlainValue(bytes: Buffer, start: number): unknown {
  source = bytes
  position = start
  end = bytes.length
  const value = read()
  return position === end ? value : undefined
}

/** Makes `position` differ from `end`, so that the whole read fails. */
function giveUp(): undefined {
  position = Number.POSITIVE_INFINITY
  return undefined
}

function read(): unknown {
  const token = source[position++] as number
  if (token < 0x80) return token
  if (token < 0x90) return readObject(token & 0x0f)
  if (token < 0xa0) return readArray(token & 0x0f)
  if (token < 0xc0) return readText(token & 0x1f)
  if (token >= 0xe0) return token - 0x100
  switch (token) {
    case 0xc0:
      return null
    case 0xc2:
      return false
    case 0xc3:
      return true
    case 0xcb:
      return has(8) ? source.readDoubleBE(position - 8) : giveUp()
    case 0xcc:
      return has(1) ? source[position - 1] : giveUp()
    case 0xcd:
      return has(2) ? source.readUInt16BE(position - 2) : giveUp()
    case 0xce:
      return has(4) ? source.readUInt32BE(position - 4) : giveUp()
    case 0xd0:
      return has(1) ? source.readInt8(position - 1) : giveUp()
    case 0xd1:
      return has(2) ? source.readInt16BE(position - 2) : giveUp()
    case 0xd2:
      return has(4) ? source.readInt32BE(position - 4) : giveUp()
    case 0xd9:
      return readText(source[position++] as number)
    default:
      return giveUp()
  }
}

/** Skips this many bytes. Returns whether they were present. */
function has(bytes: number): boolean {
  position += bytes
  return position <= end
}

function readObject(size: number): unknown {
  const object: Record<string, unknown> = {}
  for (let index = 0; index < size; index += 1) {
    const name = readName()
    if (name === undefined) return giveUp()
    object[name] = read()
  }
  return object
}

function readArray(size: number): unknown {
  const array: unknown[] = []
  for (let index = 0; index < size; index += 1) array.push(read())
  return array
}

function readText(length: number): string | undefined {
  const start = position
  position += length
  // A missing length makes `position` NaN, so the comparison fails.
  return position <= end ? (asciiText(source, start, position) ?? giveUp()) : giveUp()
}

function readName(): string | undefined {
  const length = (source[position] as number) - 0xa0
  const start = position + 1
  if (!(length > 0 && length < 32 && start + length <= end)) return undefined
  position = start + length
  return readKnownName(source, start, position)
}
