import { brandOf } from '@cache/core/backend'
import type { TypeTable } from '../types/type-table.ts'

/**
 * JSON for values that plain JSON would change. The text is an object whose only member is named by `mark`. Within it, an object
 * whose only member has one of these names stands for another value. FORMAT.md describes them.
 */
const mark = '$cache'
const minusZero = '$cache:-0'
const noPrototype = '$cache:no-prototype'
const typed = '$cache:type'
/** An object with a member whose name begins with `$cache:`, as pairs. */
const pairs = '$cache:pairs'

/** The beginning of every marked text. A plain text that begins so is marked too. */
export const markedStart: string = `{"${mark}":`

/** The marked text of a value that the codec keeps. */
export function toMarkedJson(value: unknown, types: TypeTable): string {
  return JSON.stringify({ [mark]: new Marker(types).value(value) })
}

class Marker {
  readonly #types: TypeTable

  constructor(types: TypeTable) {
    this.#types = types
  }

  value(value: unknown): unknown {
    if (Object.is(value, -0)) return { [minusZero]: true }
    if (typeof value !== 'object' || value === null) return value
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === null) return { [noPrototype]: this.#members(value) }
    if (prototype !== Object.prototype && prototype !== Array.prototype) {
      const type = this.#types.find(value)
      if (type !== undefined) return { [typed]: [type.name, this.value(type.encode(value))] }
    }
    return brandOf(value) === 'Array'
      ? Array.from(value as readonly unknown[], (element) => this.value(element))
      : this.#members(value)
  }

  #members(value: object): object {
    const entries = Object.entries(value).map(([name, member]) => [name, this.value(member)] as const)
    if (entries.some(([name]) => name.startsWith('$cache:'))) return { [pairs]: entries }
    // Defines `__proto__` as a member too.
    return Object.fromEntries(entries)
  }
}

/** The value of a marked text, parsed. Throws for marks that `toMarkedJson` does not write. */
export function fromMarkedJson(parsed: unknown, types: TypeTable): unknown {
  const names = Object.keys(parsed as object)
  if (names.length !== 1) throw new RangeError('JSON with members beside its mark')
  return unmark((parsed as Readonly<Record<string, unknown>>)[mark], types)
}

function unmark(value: unknown, types: TypeTable): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((element) => unmark(element, types))
  const names = Object.keys(value)
  const marked = names.find((name) => name.startsWith('$cache:'))
  if (marked === undefined) return members(Object.entries(value), types)
  if (names.length > 1) throw new RangeError('JSON with members beside a mark')
  const content: unknown = (value as Readonly<Record<string, unknown>>)[marked]
  switch (marked) {
    case minusZero:
      return -0
    case noPrototype: {
      const object = unmark(content, types)
      if (typeof object !== 'object' || object === null || Array.isArray(object)) break
      return Object.setPrototypeOf(object, null)
    }
    case typed:
      if (!Array.isArray(content) || typeof content[0] !== 'string') break
      return types.decode(content[0], unmark(content[1], types))
    case pairs:
      if (!Array.isArray(content) || !content.every(isPair)) break
      return members(content, types)
  }
  throw new RangeError(`JSON with a bad mark: ${JSON.stringify(marked.slice(0, 40))}`)
}

function isPair(pair: unknown): pair is [string, unknown] {
  return Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string'
}

function members(entries: readonly (readonly [string, unknown])[], types: TypeTable): object {
  return Object.fromEntries(entries.map(([name, member]) => [name, unmark(member, types)]))
}
