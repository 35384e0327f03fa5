import { brandOf } from '@cache/core/backend'
import type { KeepingCodec } from './keeping-codec.ts'

const uint8Array = 0
const buffer = 1

/** Bytes, after one byte that distinguishes a `Buffer` from a `Uint8Array`. Refuses all other values; strings and whole numbers need no codec. */
export const rawCodec: KeepingCodec = {
  id: 4,
  name: 'raw',
  keeps: ['bytes', 'buffer'],
  encode(value) {
    const brand = typeof value === 'object' && value !== null ? brandOf(value) : undefined
    if (brand !== 'Uint8Array' && brand !== 'Buffer') {
      throw new TypeError('rawCodec keeps bytes (Uint8Array or Buffer) only')
    }
    const given = value as Uint8Array
    const bytes = Buffer.allocUnsafe(given.length + 1)
    bytes[0] = brand === 'Buffer' ? buffer : uint8Array
    bytes.set(given, 1)
    return bytes
  },
  decode(bytes) {
    if (bytes[0] !== buffer && bytes[0] !== uint8Array) throw new RangeError('bytes of an unknown kind')
    // A copy: aligned, and without the surrounding memory.
    const copy = new Uint8Array(bytes.length - 1)
    copy.set(bytes.subarray(1))
    return bytes[0] === buffer ? Buffer.from(copy.buffer) : copy
  },
}
