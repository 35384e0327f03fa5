/** The built-in kinds of objects whose content is data. */
export type Brand =
  | 'Object'
  | 'null prototype'
  | 'Array'
  | 'Date'
  | 'Map'
  | 'Set'
  | 'RegExp'
  | 'ArrayBuffer'
  | 'DataView'
  | 'Buffer'
  | 'Int8Array'
  | 'Uint8Array'
  | 'Uint8ClampedArray'
  | 'Int16Array'
  | 'Uint16Array'
  | 'Int32Array'
  | 'Uint32Array'
  | 'Float32Array'
  | 'Float64Array'
  | 'BigInt64Array'
  | 'BigUint64Array'
  | 'Error'

/** Reads internal slots, so it throws for objects that only inherit from the prototype. These work in every realm. */
const getTime = Date.prototype.getTime
const sizeOfMap = getterOf(Map.prototype, 'size')
const sizeOfSet = getterOf(Set.prototype, 'size')
const sourceOfRegExp = getterOf(RegExp.prototype, 'source')
const lengthOfBuffer = getterOf(ArrayBuffer.prototype, 'byteLength')
const nameOfView = getterOf(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)

const slots: Readonly<Record<string, (value: object) => unknown>> = {
  Date: (value) => getTime.call(value),
  Map: sizeOfMap,
  Set: sizeOfSet,
  RegExp: sourceOfRegExp,
  ArrayBuffer: lengthOfBuffer,
}

const views: ReadonlySet<string> = new Set([
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
])

const errors: ReadonlySet<string> = new Set([
  'Error',
  'AggregateError',
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError',
])

/**
 * The brand of an object, whichever realm created it: another `node:vm` context, such as that of a Jest test, has its own
 * `Object.prototype`. `undefined` for instances of other classes and of subclasses, and for objects that only inherit from a
 * built-in prototype.
 */
export function brandOf(value: object): Brand | undefined {
  const prototype: object | null = Object.getPrototypeOf(value)
  if (prototype === Array.prototype && Array.isArray(value)) return 'Array'
  if (Array.isArray(value)) return prototype !== null && nameOf(prototype) === 'Array' ? 'Array' : undefined
  if (prototype === Object.prototype) return 'Object'
  if (prototype === null) return 'null prototype'
  const name = nameOf(prototype)
  if (name === 'Object') return 'Object'
  if (name === '') return isBuffer(value, prototype) ? 'Buffer' : isFakeDate(value) ? 'Date' : undefined
  if (views.has(name)) return ArrayBuffer.isView(value) && nameOfView(value) === name ? (name as Brand) : undefined
  if (name === 'DataView') return ArrayBuffer.isView(value) && nameOfView(value) === undefined ? 'DataView' : undefined
  if (errors.has(name)) return Object.prototype.toString.call(value) === '[object Error]' ? 'Error' : undefined
  return hasSlots(value, name) ? (name as Brand) : undefined
}

function getterOf(prototype: object, name: PropertyKey): (value: object) => unknown {
  const getter = Object.getOwnPropertyDescriptor(prototype, name)?.get
  return (value) => getter?.call(value)
}

function hasSlots(value: object, name: string): boolean {
  const read = Object.hasOwn(slots, name) ? slots[name] : undefined
  if (read === undefined) return false
  try {
    read(value)
    return true
  } catch {
    return false
  }
}

const names = new WeakMap<object, string>()

/** The name of the built-in class whose prototype this is, in any realm. An empty text for every other object. */
function nameOf(prototype: object): string {
  const known = names.get(prototype)
  if (known !== undefined) return known
  const name = nameOfConstructor(prototype, Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value)
  names.set(prototype, name)
  return name
}

/** No class of an application has such a source text: bound functions and proxies of functions have no name in it. */
const nativeFunction = /^function (\w+)\(\) \{ \[native code\] \}$/

function nameOfConstructor(prototype: object | undefined, builder: unknown): string {
  if (typeof builder !== 'function') return ''
  const own = Object.getOwnPropertyDescriptor(builder, 'prototype')
  if (own === undefined || own.writable === true || (prototype !== undefined && own.value !== prototype)) return ''
  try {
    return nativeFunction.exec(Function.prototype.toString.call(builder))?.[1] ?? ''
  } catch {
    return ''
  }
}

/** `Buffer` is a function of Node and not of the realm, so there is one. */
function isBuffer(value: object, prototype: object): boolean {
  const { Buffer: known } = globalThis as { readonly Buffer?: { readonly prototype: object } }
  return prototype === known?.prototype && ArrayBuffer.isView(value)
}

/**
 * Fake timers (`vi.useFakeTimers`, `jest.useFakeTimers`, sinon) replace `Date` by a subclass whose instances name the built-in
 * class as their own constructor.
 */
function isFakeDate(value: object): boolean {
  const own = Object.getOwnPropertyDescriptor(value, 'constructor')
  return own?.enumerable === false && nameOfConstructor(undefined, own.value) === 'Date' && hasSlots(value, 'Date')
}
