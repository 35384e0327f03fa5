import type { IncrementalValue } from './next-types.ts'

/**
 * The value as any codec keeps it: buffers are plain bytes, also in maps such as `segmentData`, and members without a value are left
 * out, as are such headers.
 */
export function toStored(value: IncrementalValue): IncrementalValue {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [name, storedMember(name, member)]),
  ) as IncrementalValue
}

function storedMember(name: string, member: unknown): unknown {
  if (Buffer.isBuffer(member)) return bytesOf(member)
  if (member instanceof Map) {
    return new Map([...member].map(([key, one]) => [key, Buffer.isBuffer(one) ? bytesOf(one) : one]))
  }
  if (name === 'headers' && member !== null && typeof member === 'object') {
    return Object.fromEntries(Object.entries(member).filter(([, header]) => header !== undefined))
  }
  return member
}

/** A copy: a buffer of Node may be a part of a larger one, which would be kept with it. */
export function bytesOf(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer)
}

/** The value as Next wants it: with buffers for bytes. */
export function fromStored(value: IncrementalValue): IncrementalValue {
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, restoredMember(member)]),
  ) as IncrementalValue
}

function restoredMember(member: unknown): unknown {
  if (member instanceof Uint8Array) return bufferOf(member)
  if (!(member instanceof Map)) return member
  return new Map([...member].map(([key, one]) => [key, one instanceof Uint8Array ? bufferOf(one) : one]))
}

/** The same memory as a buffer. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** About the bytes of the value. */
export function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (value instanceof Uint8Array) return value.byteLength
  if (value instanceof Map) return [...value.values()].reduce((sum: number, one) => sum + sizeOf(one), 8)
  if (value !== null && typeof value === 'object')
    return Object.values(value).reduce((sum: number, one) => sum + sizeOf(one), 8)
  return 8
}
