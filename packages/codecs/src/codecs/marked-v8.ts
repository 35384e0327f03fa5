import { isMap, isSet } from 'node:util/types'
import { brandOf } from '@cache/core/backend'
import type { TypeTable } from '../types/type-table.ts'

/**
 * A value with parts that the structured clone would change, and the list of these parts: objects without a prototype, each by
 * itself, and values of types, each as the object `{ data }` in its place. The structured clone keeps the identity of objects,
 * so the objects of the list are found in the value again.
 */
export type Marked = readonly [value: unknown, parts: readonly (readonly [object, name: string | null])[]]

/** The copy of a value that the codec keeps. */
export function markForV8(value: unknown, types: TypeTable): Marked {
  const marker = new Marker(types)
  return [marker.value(value), marker.parts]
}

class Marker {
  readonly parts: (readonly [object, string | null])[] = []
  readonly #types: TypeTable
  /** Copies by their originals: shared parts stay shared, and cycles end. */
  readonly #copies = new Map<object, object>()
  /** Values of types whose data is being copied. */
  readonly #open = new Set<object>()

  constructor(types: TypeTable) {
    this.#types = types
  }

  value(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value
    if (this.#open.has(value)) throw new TypeError('structured clone cannot keep a cycle through a value of a type')
    return this.#copies.get(value) ?? this.#copy(value)
  }

  #note<Copy extends object>(value: object, copy: Copy): Copy {
    this.#copies.set(value, copy)
    return copy
  }

  #copy(value: object): object {
    const prototype: unknown = Object.getPrototypeOf(value)
    const isPlain = prototype === null || prototype === Object.prototype || prototype === Array.prototype
    const type = isPlain ? undefined : this.#types.find(value)
    if (type !== undefined) {
      this.#open.add(value)
      const wrapper = { data: this.value(type.encode(value)) }
      this.#open.delete(value)
      this.parts.push([wrapper, type.name])
      return this.#note(value, wrapper)
    }
    switch (brandOf(value)) {
      case 'null prototype': {
        const copy = this.#note(value, {})
        this.parts.push([copy, null])
        return this.#members(value, copy)
      }
      case 'Object':
        return this.#members(value, this.#note(value, {}))
      case 'Array':
        return this.#members(value, this.#note(value, new Array((value as readonly unknown[]).length)))
      case 'Map': {
        const copy = this.#note(value, new Map<unknown, unknown>())
        for (const [key, element] of value as ReadonlyMap<unknown, unknown>) {
          copy.set(this.value(key), this.value(element))
        }
        return copy
      }
      case 'Set': {
        const copy = this.#note(value, new Set<unknown>())
        for (const element of value as ReadonlySet<unknown>) copy.add(this.value(element))
        return copy
      }
      default:
        return value
    }
  }

  /** Copies the members, or the elements without the holes. */
  #members(value: object, copy: object): object {
    for (const name of Object.keys(value)) {
      define(copy, name, this.value((value as Readonly<Record<string, unknown>>)[name]))
    }
    return copy
  }
}

/** The value of a marked copy. Changes the copy. Throws for parts that `markForV8` does not create. */
export function unmarkFromV8(marked: unknown, types: TypeTable): unknown {
  if (!Array.isArray(marked) || marked.length !== 2 || !Array.isArray(marked[1]) || !marked[1].every(isPart)) {
    throw new RangeError('structured clone with bad marks')
  }
  return new Unmarker((marked as unknown as Marked)[1], types).value(marked[0])
}

function isPart(part: unknown): boolean {
  if (!Array.isArray(part) || part.length !== 2) return false
  const [object, name] = part
  if (typeof object !== 'object' || object === null || Object.getPrototypeOf(object) !== Object.prototype) return false
  return name === null || (typeof name === 'string' && Object.hasOwn(object, 'data'))
}

class Unmarker {
  readonly #types: TypeTable
  readonly #names: ReadonlyMap<object, string | null>
  /** The results so far. A value of a type whose data is being read has none yet. */
  readonly #done = new Map<object, unknown>()
  readonly #open = new Set<object>()

  constructor(parts: Marked[1], types: TypeTable) {
    this.#types = types
    this.#names = new Map(parts)
  }

  value(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value
    if (this.#done.has(value)) return this.#done.get(value)
    const name = this.#names.get(value)
    if (typeof name === 'string') return this.#typed(value, name)
    this.#done.set(value, value)
    if (isMap(value)) this.#map(value)
    else if (isSet(value)) this.#set(value)
    else if (!ArrayBuffer.isView(value)) this.#members(value)
    return name === null ? Object.setPrototypeOf(value, null) : value
  }

  #typed(value: object, name: string): unknown {
    if (this.#open.has(value)) throw new RangeError('structured clone with a cycle through a value of a type')
    this.#open.add(value)
    const result = this.#types.decode(name, this.value((value as { readonly data?: unknown }).data))
    this.#open.delete(value)
    this.#done.set(value, result)
    return result
  }

  #members(value: object): void {
    for (const name of Object.keys(value)) {
      const member = (value as Readonly<Record<string, unknown>>)[name]
      const result = this.value(member)
      if (result !== member) define(value, name, result)
    }
  }

  #map(value: Map<unknown, unknown>): void {
    const entries = [...value]
    value.clear()
    for (const [key, element] of entries) value.set(this.value(key), this.value(element))
  }

  #set(value: Set<unknown>): void {
    const elements = [...value]
    value.clear()
    for (const element of elements) value.add(this.value(element))
  }
}

function define(target: object, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true })
  } else (target as Record<string, unknown>)[name] = value
}
