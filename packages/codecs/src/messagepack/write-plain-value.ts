import { hasSymbolMember } from '@cache/core/backend'

/** `MessagePackWriter` writes values that take more bytes, and texts and names beyond the shortest forms of MessagePack. */
const room = 512
const longestText = 255
const longestName = 31
const mostMembers = 15
/** With more objects than this, `MessagePackWriter` writes their member names once. */
const mostObjects = 7
/** A value of more levels, or a cycle, is left to `MessagePackWriter`. */
const deepest = 32

/** The written value. The caller copies it before the next call. */
export const plainBytes: Buffer = Buffer.allocUnsafeSlow(room)

let position = 0
let objects = 0
/** Whether a call is running: a getter of the value may store another value. */
let isBusy = false

const hasOwn = Object.prototype.hasOwnProperty

/**
 * Writes a value as MessagePack to the beginning of `plainBytes`, with the same bytes as `MessagePackWriter`, and returns its length.
 * Returns -1 unless the value consists only of a few plain objects and arrays, short ASCII, numbers up to 32 bits, floats,
 * booleans and `null`.
 */
export function writePlainValue(value: unknown): number {
  if (isBusy) return -1
  isBusy = true
  position = 0
  objects = 0
  try {
    return write(value, 0) ? position : -1
  } finally {
    isBusy = false
  }
}

/** Whether this many further bytes fit. */
function fits(bytes: number): boolean {
  return position + bytes <= room
}

function write(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
      return writeText(value, longestText)
    case 'number':
      return fits(9) && writeNumber(value)
    case 'boolean':
      return writeByte(value ? 0xc3 : 0xc2)
    case 'object':
      if (value === null) return writeByte(0xc0)
      return depth < deepest && writeStructure(value, depth)
    default:
      return false
  }
}

function writeByte(byte: number): boolean {
  if (!fits(1)) return false
  plainBytes[position++] = byte
  return true
}

function writeStructure(value: object, depth: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== (Array.isArray(value) ? Array.prototype : Object.prototype)) return false
  // One byte is reserved for the size, which is known at the end.
  const start = position
  if (!writeByte(0)) return false
  const size = Array.isArray(value) ? writeElements(value, depth) : writeMembers(value, depth)
  if (size < 0 || size > mostMembers || hasSymbolMember(value)) return false
  plainBytes[start] = (Array.isArray(value) ? 0x90 : 0x80) | size
  return true
}

/** The number of written members, or -1. */
function writeMembers(value: object, depth: number): number {
  objects += 1
  if (objects > mostObjects) return -1
  let size = 0
  for (const name in value) {
    if (!hasOwn.call(value, name)) continue
    if (name === '__proto__' || !writeText(name, longestName)) return -1
    if (!write((value as Record<string, unknown>)[name], depth + 1)) return -1
    size += 1
  }
  return size
}

/** The number of written elements, or -1. A hole or `undefined` results in -1. */
function writeElements(value: readonly unknown[], depth: number): number {
  const { length } = value
  if (length > mostMembers || Object.keys(value).length !== length) return -1
  for (let index = 0; index < length; index += 1) if (!write(value[index], depth + 1)) return -1
  return length
}

function writeText(text: string, longest: number): boolean {
  const { length } = text
  if (length > longest || !fits(length + 2)) return false
  if (length < 32) plainBytes[position++] = 0xa0 | length
  else {
    plainBytes[position++] = 0xd9
    plainBytes[position++] = length
  }
  let all = 0
  for (let index = 0; index < length; index += 1) {
    const code = text.charCodeAt(index)
    all |= code
    plainBytes[position++] = code
  }
  return all < 128
}

function writeNumber(value: number): boolean {
  if (!Number.isInteger(value)) {
    if (!Number.isFinite(value)) return false
    plainBytes[position] = 0xcb
    position = plainBytes.writeDoubleBE(value, position + 1)
    return true
  }
  if (value > 0xffff_ffff || value < -0x8000_0000 || Object.is(value, -0)) return false
  return value >= 0 ? writePositive(value) : writeNegative(value)
}

function writePositive(value: number): boolean {
  if (value < 0x80) plainBytes[position++] = value
  else if (value < 0x100) {
    plainBytes[position++] = 0xcc
    plainBytes[position++] = value
  } else if (value < 0x1_0000) {
    plainBytes[position] = 0xcd
    position = plainBytes.writeUInt16BE(value, position + 1)
  } else {
    plainBytes[position] = 0xce
    position = plainBytes.writeUInt32BE(value, position + 1)
  }
  return true
}

function writeNegative(value: number): boolean {
  if (value >= -0x20) plainBytes[position++] = value + 0x100
  else if (value >= -0x80) {
    plainBytes[position] = 0xd0
    position = plainBytes.writeInt8(value, position + 1)
  } else if (value >= -0x8000) {
    plainBytes[position] = 0xd1
    position = plainBytes.writeInt16BE(value, position + 1)
  } else {
    plainBytes[position] = 0xd2
    position = plainBytes.writeInt32BE(value, position + 1)
  }
  return true
}
