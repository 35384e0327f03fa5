import { serialize } from 'node:v8'
import type { CodecType } from '../types/codec-type.ts'
import { noTypes, type TypeTable } from '../types/type-table.ts'
import type { TypedCodec } from './keeping-codec.ts'
import { markForV8, unmarkFromV8 } from './marked-v8.ts'
import { refuseTooDeep } from './refuse-too-deep.ts'
import { refuseUnkept } from './refuse-unkept.ts'
import { readV8 } from './v8-reader.ts'
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
  'no prototype',
  'cycle',
]
const kept: ReadonlySet<ValueKind> = new Set(keeps)
const encoding = 'structured clone'

/** In front of a value with marks. The structured clone itself begins with 255. */
const markedStart = 1

/** The structured clone of V8 with these types. */
export class V8Codec implements TypedCodec {
  readonly id = 3
  readonly name = 'v8'
  readonly keeps: readonly ValueKind[] = keeps
  readonly #types: TypeTable

  constructor(types: TypeTable) {
    this.#types = types
  }

  withTypes(types: readonly CodecType[]): TypedCodec {
    return new V8Codec(this.#types.with(types))
  }

  // Own members, so that a copy of the codec with another id works: `{ ...v8Codec, id: 64 }`.
  readonly encode = (value: unknown): Buffer => refuseTooDeep(encoding, () => this.#encode(value))

  #encode(value: unknown): Buffer {
    const { special } = refuseUnkept(value, kept, encoding, this.#types)
    const bytes = serialize(special ? markForV8(value, this.#types) : value)
    // Bytes that `decode` would refuse must not be stored.
    scanV8(bytes)
    return special ? Buffer.concat([Buffer.of(markedStart), bytes]) : bytes
  }

  readonly decode = (bytes: Uint8Array): unknown => {
    const isMarked = bytes[0] === markedStart
    const clone = isMarked ? bytes.subarray(1) : bytes
    scanV8(clone)
    const value = readV8(clone)
    // Valid tokens can still describe a value that `encode` would refuse, such as an array of holes.
    refuseUnkept(value, kept, encoding)
    return isMarked ? unmarkFromV8(value, this.#types) : value
  }
}

/**
 * The structured clone of V8: keeps nearly everything, including cycles and shared objects. It is slower and larger, and
 * only V8 can read it. An older Node may not read the bytes of a newer one (a miss). Use it in stores that only your
 * application can write, or with encryption: lengths are checked before V8 reads them, but its reader does not resist an attacker.
 */
export const v8Codec: TypedCodec = new V8Codec(noTypes)
