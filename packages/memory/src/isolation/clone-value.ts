import { brandOf, hasSymbolMember, type PathStep, refusedClass, refusedPart } from '@cache/core/backend'

/**
 * A copy that shares nothing changeable with the value, or a `TypeError` for the first part that cannot be copied exactly.
 * `structuredClone` would return other values: it drops classes, symbols, prototypes and the members of errors.
 */
export function cloneValue(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? new Cloner().clone(value) : checkPrimitive(value, [])
}

/** As loaded: fake timers replace the global. */
const RealDate = Date
const { getTime } = Date.prototype

/** A primitive is its own copy. A symbol is no data: no codec keeps it. */
function checkPrimitive(value: unknown, path: readonly PathStep[]): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') throw refusedClass('a copy', value, path)
  return value
}

class Cloner {
  /** Copies by their originals, so that shared parts stay shared and cycles end. */
  readonly #copies = new Map<object, object>()
  readonly #path: PathStep[] = []

  clone(value: object): object {
    const known = this.#copies.get(value)
    if (known !== undefined) return known
    const brand = brandOf(value)
    switch (brand) {
      case 'Object':
      case 'null prototype':
        return this.#members(value, this.#note(value, Object.create(Object.getPrototypeOf(value))))
      case 'Array':
        return this.#array(value as readonly unknown[])
      case 'Map':
        return this.#map(value as ReadonlyMap<unknown, unknown>)
      case 'Set':
        return this.#set(value as ReadonlySet<unknown>)
      case 'Error':
        return this.#error(value as Error)
      case undefined:
        throw refusedClass('a copy', value, this.#path)
      case 'Date':
        return this.#date(value as Date)
      default:
        return this.#alike(value, this.#members(value, this.#note(value, this.#content(value, brand)), brand))
    }
  }

  /** A date of fake timers becomes a real one: later copies could not recognize the class after it was removed. */
  #date(value: Date): object {
    const copy = this.#members(value, this.#note(value, new RealDate(getTime.call(value))))
    return Object.hasOwn(value, 'constructor') ? copy : this.#alike(value, copy)
  }

  #note<Copy extends object>(value: object, copy: Copy): Copy {
    this.#copies.set(value, copy)
    return copy
  }

  #part(value: unknown, step: PathStep): unknown {
    this.#path.push(step)
    const copy = typeof value === 'object' && value !== null ? this.clone(value) : checkPrimitive(value, this.#path)
    this.#path.pop()
    return copy
  }

  /** The same prototype: that of another realm is kept. */
  #alike<Copy extends object>(value: object, copy: Copy): Copy {
    const prototype = Object.getPrototypeOf(value)
    return Object.getPrototypeOf(copy) === prototype ? copy : Object.setPrototypeOf(copy, prototype)
  }

  /** Copies the enumerable members, including those that symbols name. The elements of a view are in its bytes already. */
  #members<Copy extends object>(value: object, copy: Copy, brand?: string): Copy {
    if (brand !== undefined && ArrayBuffer.isView(value)) return copy
    for (const name of Object.keys(value)) this.#member(value, copy, name, name)
    if (hasSymbolMember(value)) {
      for (const symbol of Object.getOwnPropertySymbols(value)) {
        if (Object.prototype.propertyIsEnumerable.call(value, symbol)) this.#member(value, copy, symbol, String(symbol))
      }
    }
    return copy
  }

  #member(value: object, copy: object, name: PropertyKey, step: string): void {
    const member = this.#part((value as Record<PropertyKey, unknown>)[name], step)
    if (name === '__proto__') define(copy, name, member, true)
    else (copy as Record<PropertyKey, unknown>)[name] = member
  }

  #array(value: readonly unknown[]): object {
    const copy: unknown[] = this.#note(value, new Array(value.length))
    for (let index = 0; index < value.length; index += 1) {
      const element = value[index]
      // A hole stays a hole.
      if (element !== undefined || Object.hasOwn(value, index)) copy[index] = this.#part(element, index)
    }
    if (Object.keys(value).length > value.length || hasSymbolMember(value)) {
      throw refusedPart('a copy', 'an array with named members', this.#path, 'store an object')
    }
    return this.#alike(value, copy)
  }

  #map(value: ReadonlyMap<unknown, unknown>): object {
    const copy = this.#note(value, new Map<unknown, unknown>())
    let index = 0
    for (const [key, element] of value) {
      copy.set(this.#part(key, `(key ${index})`), this.#part(element, `(value ${index})`))
      index += 1
    }
    return this.#alike(value, this.#members(value, copy))
  }

  #set(value: ReadonlySet<unknown>): object {
    const copy = this.#note(value, new Set<unknown>())
    let index = 0
    for (const element of value) {
      copy.add(this.#part(element, `(element ${index})`))
      index += 1
    }
    return this.#alike(value, this.#members(value, copy))
  }

  /** A bare error of the same class, with all own members of the original: `message`, `stack` and `cause` are not enumerable. */
  #error(value: Error): object {
    const copy = this.#note(value, new Error())
    Reflect.deleteProperty(copy, 'stack')
    for (const name of Reflect.ownKeys(value)) {
      const enumerable = Object.prototype.propertyIsEnumerable.call(value, name)
      const member = this.#part((value as unknown as Record<PropertyKey, unknown>)[name], String(name))
      define(copy, name, member, enumerable)
    }
    return this.#alike(value, copy)
  }

  #content(value: object, brand: string): object {
    switch (brand) {
      case 'RegExp': {
        const { source, flags, lastIndex } = value as RegExp
        return Object.assign(new RegExp(source, flags), { lastIndex })
      }
      case 'ArrayBuffer':
        return (value as ArrayBuffer).slice(0)
      case 'Buffer':
        return toBuffer(bytesOf(value as Uint8Array).buffer)
      case 'DataView':
        return new DataView(bytesOf(value as DataView).buffer)
      default:
        return this.#view(value as Uint8Array, brand)
    }
  }

  #view(value: Uint8Array, brand: string): object {
    const { [brand]: View } = globalThis as unknown as Record<string, new (buffer: ArrayBuffer) => object>
    if (View === undefined) throw refusedClass('a copy', value, this.#path)
    return new View(bytesOf(value).buffer)
  }
}

/** A copy of the bytes that the view shows, in memory of its own. */
function bytesOf(view: ArrayBufferView): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(view.byteLength)
  copy.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
  return copy
}

function toBuffer(bytes: ArrayBuffer): object {
  return (globalThis as unknown as { Buffer: { from(bytes: ArrayBuffer): object } }).Buffer.from(bytes)
}

function define(target: object, name: PropertyKey, value: unknown, enumerable: boolean): void {
  Object.defineProperty(target, name, { value, enumerable, writable: true, configurable: true })
}
