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
 * V8's structured clone: keeps nearly everything, also cycles and which objects are the same one. Slower, larger, and read by
 * V8 alone; an older Node may not read what a newer one wrote (a miss). For stores that nobody else can write to, or with
 * encryption: lengths are checked before V8 reads them, but its reader is not made for an attacker's bytes.
 */
export const v8Codec: KeepingCodec = {
  id: 3,
  name: 'v8',
  keeps,
  encode(value) {
    refuseUnkept(value, kept, 'structured clone')
    const bytes = serialize(value)
    // What could not be read again must not be stored.
    scanV8(bytes)
    return bytes
  },
  decode(bytes) {
    scanV8(bytes)
    // Copied, because typed arrays would otherwise share the memory of whatever the bytes lie in.
    const value: unknown = deserialize(new Uint8Array(bytes))
    // Tokens that make sense can still make something that `encode` would have refused, such as endless holes.
    refuseUnkept(value, kept, 'structured clone')
    return value
  },
}
