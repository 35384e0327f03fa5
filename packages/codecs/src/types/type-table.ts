import { invalidArgument, isList, isWellFormed, withMethods } from '@cache/core/backend'
import type { CodecType } from './codec-type.ts'

/** The types of one codec. */
export class TypeTable {
  readonly types: readonly CodecType[]
  readonly #byName: ReadonlyMap<string, CodecType>

  /** Throws `INVALID_ARGUMENT` for a type without a name or method, and for a name that appears twice. */
  constructor(types: readonly CodecType[]) {
    if (!isList(types)) throw invalidArgument('types', types, 'an array of types', 'withTypes')
    for (const type of types) check(type)
    this.types = [...types]
    this.#byName = new Map(types.map((type) => [type.name, type]))
    if (this.#byName.size < types.length) {
      throw invalidArgument('types', types, 'types with different names', 'withTypes')
    }
  }

  /** A table with further types. */
  with(types: readonly CodecType[]): TypeTable {
    return new TypeTable(isList(types) ? [...this.types, ...types] : types)
  }

  /** The type of an object that is neither a plain object nor an array. */
  find(value: object): CodecType | undefined {
    // Indexed: an iterator for each object would cost more than the questions.
    for (let index = 0; index < this.types.length; index += 1) {
      const type = this.types[index] as CodecType
      if (type.is(value)) return type
    }
    return undefined
  }

  /** The value of stored data. Throws if the codec has no type of this name. */
  decode(name: string, data: unknown): unknown {
    const type = this.#byName.get(name)
    if (type === undefined) {
      throw new TypeError(`its type ${JSON.stringify(name)} is unknown to the codec; add the type with \`withTypes\``)
    }
    return type.decode(data)
  }
}

/** The table of a codec without types. */
export const noTypes: TypeTable = new TypeTable([])

function check(type: CodecType): void {
  withMethods(type, ['is', 'encode', 'decode'], 'type', 'a type', 'withTypes')
  if (typeof type.name !== 'string' || type.name === '' || !isWellFormed(type.name)) {
    throw invalidArgument('type.name', type.name, 'a text that is not empty', 'withTypes')
  }
}
