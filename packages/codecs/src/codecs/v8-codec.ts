import { deserialize, serialize } from 'node:v8'
import type { KeepingCodec } from './keeping-codec.ts'
import { refuseUnkept } from './refuse-unkept.ts'
import { scanV8 } from './v8-scan.ts'
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
  'hole',
  '__proto__ member',
  'cycle',
]
const kept: ReadonlySet<ValueKind> = new Set(keeps)

/**
 * The structured clone of V8: keeps nearly everything, including cycles and shared objects. It is slower and larger, and
 * only V8 can read it. An older Node may not read the bytes of a newer one (a miss). Use it in stores that no one else can
 * write, or with encryption: lengths are checked before V8 reads them, but its reader does not resist an attacker.
 */
export const v8Codec: KeepingCodec = {
  id: 3,
  name: 'v8',
  keeps,
  encode(value) {
    refuseUnkept(value, kept, 'structured clone')
    const bytes = serialize(value)
    // Bytes that `decode` would refuse must not be stored.
    scanV8(bytes)
    return bytes
  },
  decode(bytes) {
    scanV8(bytes)
    // A copy, because typed arrays would share the memory that contains the bytes.
    const value: unknown = deserialize(new Uint8Array(bytes))
    // Valid tokens can still describe a value that `encode` would refuse, such as an array of holes.
    refuseUnkept(value, kept, 'structured clone')
    return value
  },
}
