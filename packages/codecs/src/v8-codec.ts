import { deserialize, serialize } from 'node:v8'
import type { KeepingCodec } from './keeping-codec.ts'
import { refuseUnkept } from './refuse-unkept.ts'
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
 * V8 alone; an older Node may not read what a newer one wrote (a miss). Only for stores that nobody else can write to.
 */
export const v8Codec: KeepingCodec = {
  id: 3,
  name: 'v8',
  keeps,
  encode(value) {
    refuseUnkept(value, kept, 'structured clone')
    return serialize(value)
  },
  decode(bytes) {
    // Copied, because typed arrays would otherwise share the memory of whatever the bytes lie in.
    const value: unknown = deserialize(new Uint8Array(bytes))
    // Fifteen bytes can make an array of length 2^32 - 1, and bytes that are cut can pass for an instance of something.
    refuseUnkept(value, kept, 'structured clone')
    return value
  },
}
