import { isWellFormed } from '@cache/core/backend'
import type { ValueKind } from './value-kind.ts'

/** Codecs without cycles refuse deeper values, which include cycles. */
const deepest = 500

const kindOfPrototype: ReadonlyMap<object, ValueKind> = new Map<object, ValueKind>([
  [Date.prototype, 'date'],
  [Map.prototype, 'map'],
  [Set.prototype, 'set'],
  [RegExp.prototype, 'regexp'],
  [Uint8Array.prototype, 'bytes'],
  [Buffer.prototype, 'buffer'],
  [ArrayBuffer.prototype, 'array buffer'],
  [DataView.prototype, 'typed array'],
  [Int8Array.prototype, 'typed array'],
  [Uint8ClampedArray.prototype, 'typed array'],
  [Int16Array.prototype, 'typed array'],
  [Uint16Array.prototype, 'typed array'],
  [Int32Array.prototype, 'typed array'],
  [Uint32Array.prototype, 'typed array'],
  [Float32Array.prototype, 'typed array'],
  [Float64Array.prototype, 'typed array'],
  [BigInt64Array.prototype, 'typed array'],
  [BigUint64Array.prototype, 'typed array'],
])

/** Throws a `TypeError` for the first part of a value that an encoding with these kinds would lose or change. */
export function refuseUnkept(value: unknown, keeps: ReadonlySet<ValueKind>, encoding: string): void {
  new Walk(keeps, encoding).visit(value, 0)
}

class Walk {
  readonly #keeps: ReadonlySet<ValueKind>
  readonly #encoding: string
  readonly #seen = new Set<object>()
  readonly #cycles: boolean

  constructor(keeps: ReadonlySet<ValueKind>, encoding: string) {
    this.#keeps = keeps
    this.#encoding = encoding
    this.#cycles = keeps.has('cycle')
  }

  visit(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'string':
        if (!isWellFormed(value)) this.#need('lone surrogate')
        break
      case 'number':
        if (!Number.isFinite(value)) this.#need('NaN')
        else if (Object.is(value, -0)) this.#need('-0')
        break
      case 'undefined':
        this.#need('undefined member')
        break
      case 'bigint':
        this.#need(
          BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value ? 'bigint' : 'large bigint',
        )
        break
      case 'object':
        if (value !== null) this.#object(value, depth)
        break
      case 'function':
      case 'symbol':
        this.#refuse(`a ${typeof value}`)
        break
      default:
    }
  }

  #refuse(what: string): never {
    throw new TypeError(`${this.#encoding} cannot keep ${what}`)
  }

  #need(kind: ValueKind): void {
    if (!this.#keeps.has(kind)) this.#refuse(`a value of the kind '${kind}'`)
  }

  #object(value: object, depth: number): void {
    if (this.#cycles) {
      if (this.#seen.has(value)) return
      this.#seen.add(value)
    } else if (depth >= deepest) this.#refuse(`a value nested deeper than ${deepest} levels, or a cycle`)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (Array.isArray(value) && prototype === Array.prototype) this.#array(value, depth)
    else if (prototype === Object.prototype) this.#members(value as Record<string, unknown>, depth)
    else this.#builtIn(value, prototype, depth)
  }

  #array(value: readonly unknown[], depth: number): void {
    const names = Object.keys(value)
    if (names.length < value.length) {
      this.#need('hole')
      // V8 writes such an array in a few bytes, whatever its length. Reading it would be a long loop.
      if (value.length > names.length * 64 + 1024) this.#refuse('an array that is mostly holes')
      for (const name of names) this.visit(value[Number(name)], depth + 1)
    } else for (const element of value) this.visit(element, depth + 1)
    const last = names.at(-1)
    if (last !== undefined && String(Number(last) >>> 0) !== last) this.#refuse('an array with named members')
    if (Object.getOwnPropertySymbols(value).length > 0) this.#refuse('a member named by a symbol')
  }

  #members(value: Readonly<Record<string, unknown>>, depth: number): void {
    for (const name of Object.keys(value)) {
      if (name === '__proto__') this.#need('__proto__ member')
      if (!isWellFormed(name)) this.#need('lone surrogate')
      this.visit(value[name], depth + 1)
    }
    if (Object.getOwnPropertySymbols(value).length > 0) this.#refuse('a member named by a symbol')
  }

  #builtIn(value: object, prototype: unknown, depth: number): void {
    const kind = prototype === null ? undefined : kindOfPrototype.get(prototype as object)
    if (kind === undefined) {
      this.#refuse(
        prototype === null
          ? 'an object without a prototype (copy it: { ...value })'
          : `an instance of ${nameOf(value)}`,
      )
    }
    this.#need(kind)
    if (value instanceof Map) {
      for (const [key, element] of value) {
        this.visit(key, depth + 1)
        this.visit(element, depth + 1)
      }
    } else if (value instanceof Set) for (const element of value) this.visit(element, depth + 1)
    if (value instanceof RegExp && value.lastIndex !== 0) this.#refuse('a RegExp with a lastIndex')
    // The elements of a view are own members, possibly millions.
    if (!ArrayBuffer.isView(value) && Reflect.ownKeys(value).some((name) => name !== 'lastIndex')) {
      this.#refuse('a built-in object with added members')
    }
  }
}

function nameOf(value: object): string {
  return value.constructor?.name || 'a class'
}
