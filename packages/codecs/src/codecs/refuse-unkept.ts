import {
  type Brand,
  brandOf,
  hasSymbolMember,
  isWellFormed,
  type PathStep,
  refusedClass,
  refusedPart,
} from '@cache/core/backend'
import type { CodecType } from '../types/codec-type.ts'
import { noTypes, type TypeTable } from '../types/type-table.ts'
import type { ValueKind } from './value-kind.ts'

/** Codecs without cycles refuse deeper values, which include cycles. */
const deepest = 500

const kindOfBrand: Readonly<Partial<Record<Brand, ValueKind>>> = {
  Date: 'date',
  Map: 'map',
  Set: 'set',
  RegExp: 'regexp',
  Uint8Array: 'bytes',
  Buffer: 'buffer',
  ArrayBuffer: 'array buffer',
  DataView: 'typed array',
  Int8Array: 'typed array',
  Uint8ClampedArray: 'typed array',
  Int16Array: 'typed array',
  Uint16Array: 'typed array',
  Int32Array: 'typed array',
  Uint32Array: 'typed array',
  Float32Array: 'typed array',
  Float64Array: 'typed array',
  BigInt64Array: 'typed array',
  BigUint64Array: 'typed array',
}

const otherCodec = 'use a codec that keeps it (see the table in the README of @cache/codecs)'

/** What to store instead of a kind that an encoding does not keep. */
const adviceByKind: Readonly<Record<ValueKind, string>> = {
  'undefined member': 'leave it out or store null',
  NaN: `store null, or ${otherCodec}`,
  '-0': 'store 0',
  'lone surrogate': `store well-formed text (\`text.toWellFormed()\`), or ${otherCodec}`,
  bigint: `store \`String(value)\`, or ${otherCodec}`,
  'large bigint': `store \`String(value)\`, or ${otherCodec}`,
  date: `store \`date.getTime()\`, or ${otherCodec}`,
  map: `store \`[...map]\`, or ${otherCodec}`,
  set: `store \`[...set]\`, or ${otherCodec}`,
  bytes: `store a text (\`Buffer.from(bytes).toString('base64')\`), or ${otherCodec}`,
  buffer: `store a text (\`buffer.toString('base64')\`), or ${otherCodec}`,
  'typed array': `store \`Array.from(value)\`, or ${otherCodec}`,
  'array buffer': `store a text of its bytes, or ${otherCodec}`,
  regexp: `store its source and flags, or ${otherCodec}`,
  hole: 'fill the holes, for example with null',
  '__proto__ member': 'give the member another name',
  'no prototype': 'store `{ ...value }`',
  cycle: `remove the cycle, or use v8Codec`,
}

/** What a walk found. */
export interface Findings {
  /** Whether the value has parts that an encoding without marks for them would lose: -0, objects without a prototype, types, `toJSON`. */
  readonly special: boolean
}

/**
 * Throws a `TypeError` for the first part of a value that an encoding with these kinds would lose or change. The message has the
 * path of the part, its class, and advice.
 */
export function refuseUnkept(
  value: unknown,
  keeps: ReadonlySet<ValueKind>,
  encoding: string,
  types: TypeTable = noTypes,
): Findings {
  const walk = new Walk(keeps, encoding, types)
  walk.visit(value, 0)
  return walk
}

class Walk implements Findings {
  special = false
  readonly #keeps: ReadonlySet<ValueKind>
  readonly #encoding: string
  readonly #types: TypeTable
  readonly #seen = new Set<object>()
  readonly #cycles: boolean
  /** The step into each level. Only those up to the current level count. */
  readonly #steps: PathStep[] = []

  constructor(keeps: ReadonlySet<ValueKind>, encoding: string, types: TypeTable) {
    this.#keeps = keeps
    this.#encoding = encoding
    this.#types = types
    this.#cycles = keeps.has('cycle')
  }

  visit(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'string':
        if (!isWellFormed(value)) this.#need('lone surrogate', depth)
        break
      case 'number':
        if (!Number.isFinite(value)) this.#need('NaN', depth)
        else if (Object.is(value, -0)) {
          this.special = true
          this.#need('-0', depth)
        }
        break
      case 'undefined':
        this.#need('undefined member', depth)
        break
      case 'bigint':
        this.#need(
          BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value ? 'bigint' : 'large bigint',
          depth,
        )
        break
      case 'object':
        if (value !== null) this.#object(value, depth)
        break
      case 'function':
      case 'symbol':
        throw this.#refusedClass(value, depth)
      default:
    }
  }

  #path(depth: number): PathStep[] {
    return this.#steps.slice(0, depth)
  }

  #refuse(what: string, advice: string, depth: number): never {
    throw refusedPart(this.#encoding, what, this.#path(depth), advice)
  }

  #refusedClass(value: unknown, depth: number): TypeError {
    return refusedClass(this.#encoding, value, this.#path(depth), 'give the codec a type for the class (`withTypes`)')
  }

  #need(kind: ValueKind, depth: number): void {
    if (!this.#keeps.has(kind)) this.#refuse(`a value of the kind '${kind}'`, adviceByKind[kind], depth)
  }

  /** Visits a part of the value at this level. */
  #into(step: PathStep, value: unknown, depth: number): void {
    this.#steps[depth] = step
    this.visit(value, depth + 1)
  }

  #object(value: object, depth: number): void {
    if (this.#cycles) {
      if (this.#seen.has(value)) return
      this.#seen.add(value)
    } else if (depth >= deepest) {
      this.#refuse(`a value nested deeper than ${deepest} levels, or a cycle`, adviceByKind.cycle, depth)
    }
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype && !Array.isArray(value)) this.#members(value, depth)
    else if (prototype === Array.prototype && Array.isArray(value)) this.#array(value, depth)
    else this.#rare(value, prototype, depth)
  }

  #rare(value: object, prototype: unknown, depth: number): void {
    const type = prototype === null ? undefined : this.#types.find(value)
    if (type !== undefined) {
      this.#typed(value, type, depth)
      return
    }
    const brand = brandOf(value)
    switch (brand) {
      case 'Object':
        this.#members(value, depth)
        return
      case 'null prototype':
        this.special = true
        this.#need('no prototype', depth)
        this.#members(value, depth)
        return
      case 'Array':
        this.#array(value as readonly unknown[], depth)
        return
      default:
        this.#builtIn(value, brand, depth)
    }
  }

  #typed(value: object, type: CodecType, depth: number): void {
    this.special = true
    this.#into(`(data of the type ${type.name})`, type.encode(value), depth)
  }

  #array(value: readonly unknown[], depth: number): void {
    const names = Object.keys(value)
    if (names.length < value.length) {
      this.#need('hole', depth)
      // V8 writes such an array in a few bytes, whatever its length. Reading it would be a long loop.
      if (value.length > names.length * 64 + 1024)
        this.#refuse('an array that is mostly holes', adviceByKind.hole, depth)
      for (const name of names) this.#into(Number(name), value[Number(name)], depth)
    } else {
      for (let index = 0; index < value.length; index += 1) this.#into(index, value[index], depth)
    }
    const last = names.at(-1)
    if (last !== undefined && String(Number(last) >>> 0) !== last) {
      this.#refuse('an array with named members', 'store an object', depth)
    }
    if ('toJSON' in value) this.special = true
    this.#noSymbols(value, depth)
  }

  #noSymbols(value: object, depth: number): void {
    if (hasSymbolMember(value)) this.#refuse('a member named by a symbol', 'name it by a text, or leave it out', depth)
  }

  #members(value: object, depth: number): void {
    for (const name of Object.keys(value)) {
      if (name === '__proto__') this.#need('__proto__ member', depth)
      if (!isWellFormed(name)) this.#need('lone surrogate', depth)
      this.#into(name, (value as Readonly<Record<string, unknown>>)[name], depth)
    }
    // Also one that is not enumerable, and so no member: `JSON.stringify` would call it.
    if ('toJSON' in value) this.special = true
    this.#noSymbols(value, depth)
  }

  #builtIn(value: object, brand: Brand | undefined, depth: number): void {
    const kind = brand === undefined ? undefined : kindOfBrand[brand]
    if (kind === undefined) throw this.#refusedClass(value, depth)
    this.#need(kind, depth)
    if (brand === 'Map') {
      let index = 0
      for (const [key, element] of value as ReadonlyMap<unknown, unknown>) {
        this.#into(`(key ${index})`, key, depth)
        this.#into(`(value ${index})`, element, depth)
        index += 1
      }
    } else if (brand === 'Set') {
      let index = 0
      for (const element of value as ReadonlySet<unknown>) {
        this.#into(`(element ${index})`, element, depth)
        index += 1
      }
    }
    if (brand === 'RegExp' && (value as RegExp).lastIndex !== 0) {
      this.#refuse('a RegExp with a lastIndex', 'set its lastIndex to 0', depth)
    }
    // The elements of a view are own members, possibly millions.
    if (!ArrayBuffer.isView(value) && (Object.keys(value).length > 0 || hasSymbolMember(value))) {
      this.#refuse('a built-in object with added members', 'store these members apart', depth)
    }
  }
}
