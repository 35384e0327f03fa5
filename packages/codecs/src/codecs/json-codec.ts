import { isUtf8 } from 'node:buffer'
import { asBuffer } from '../format/as-buffer.ts'
import type { CodecType } from '../types/codec-type.ts'
import { noTypes, type TypeTable } from '../types/type-table.ts'
import type { TypedCodec } from './keeping-codec.ts'
import { fromMarkedJson, markedStart, toMarkedJson } from './marked-json.ts'
import { refuseUnkept } from './refuse-unkept.ts'
import type { ValueKind } from './value-kind.ts'

const keeps: readonly ValueKind[] = ['-0', 'lone surrogate', '__proto__ member', 'no prototype']
const kept: ReadonlySet<ValueKind> = new Set(keeps)

/** JSON with these types. */
export class JsonCodec implements TypedCodec {
  readonly id = 2
  readonly name = 'json'
  readonly keeps: readonly ValueKind[] = keeps
  readonly #types: TypeTable

  constructor(types: TypeTable) {
    this.#types = types
  }

  withTypes(types: readonly CodecType[]): TypedCodec {
    return new JsonCodec(this.#types.with(types))
  }

  // Own members, so that a copy of the codec with another id works: `{ ...jsonCodec, id: 64 }`.
  readonly encode = (value: unknown): Buffer => {
    const { special } = refuseUnkept(value, kept, 'JSON', this.#types)
    const text = special ? toMarkedJson(value, this.#types) : JSON.stringify(value)
    return Buffer.from(!special && text.startsWith(markedStart) ? toMarkedJson(value, this.#types) : text, 'utf8')
  }

  readonly decode = (bytes: Uint8Array): unknown => {
    if (!isUtf8(bytes)) throw new RangeError('JSON that is not UTF-8')
    const text = asBuffer(bytes).toString('utf8')
    const value: unknown = JSON.parse(text)
    return text.startsWith(markedStart) ? fromMarkedJson(value, this.#types) : value
  }
}

/**
 * JSON, which people and all languages can read. Refuses all values that JSON would drop or change, such as dates and `undefined`.
 * It marks -0, objects without a prototype, and values of types; FORMAT.md describes the marks.
 */
export const jsonCodec: TypedCodec = new JsonCodec(noTypes)
