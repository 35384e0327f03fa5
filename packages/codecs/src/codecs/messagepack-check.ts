import { isWellFormed } from '@cache/core/backend'

/**
 * Checks whether the MessagePack of msgpackr keeps a value. msgpackr itself does not check: it drops the sign of -0, replaces
 * lone surrogates, fills holes, drops classes, renames the member `__proto__`, and duplicates shared objects.
 */

/** With this many objects, one definition of their member names saves more than it costs. */
const manyObjects = 8
/** Deeper values are refused, which include cycles. */
const deepest = 500

let objects = 0
let maps = 0
let reservedName = false

/** Returns whether the value needs the form with record definitions. Throws a `TypeError` with the reason if it cannot be kept. */
export function inspectForMessagePack(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) {
    inspect(value, 0)
    return false
  }
  objects = 0
  maps = 0
  reservedName = false
  inspect(value, 0)
  if (!reservedName) return maps > 0 || objects >= manyObjects
  // msgpackr stores its table of members under this name, so one such object would damage all later ones.
  if (maps > 0) refuse("an object with a member '__keys__' beside a Map")
  return false
}

function refuse(what: string): never {
  throw new TypeError(`MessagePack cannot keep ${what}`)
}

function inspect(value: unknown, depth: number): void {
  switch (typeof value) {
    case 'string':
      if (!isWellFormed(value)) refuse('a string with a lone surrogate')
      return
    case 'number':
      if (value === 0 && 1 / value < 0) refuse('-0')
      return
    case 'object':
      if (value !== null) inspectObject(value, depth)
      return
    case 'bigint':
      if (BigInt.asIntN(64, value) !== value && BigInt.asUintN(64, value) !== value)
        refuse('a bigint of more than 64 bits')
      return
    case 'function':
    case 'symbol':
      refuse(`a ${typeof value}`)
      break
    default:
  }
}

function inspectObject(value: object, depth: number): void {
  if (depth >= deepest) refuse(`a value nested deeper than ${deepest} levels, or a cycle`)
  const prototype = Object.getPrototypeOf(value)
  if (prototype === Object.prototype) inspectPlain(value as Record<string, unknown>, depth)
  else if (prototype === Array.prototype && Array.isArray(value)) inspectArray(value, depth)
  else if (prototype === Map.prototype) inspectMap(value as Map<unknown, unknown>, depth)
  else if (prototype === Set.prototype) inspectSet(value as Set<unknown>, depth)
  else if (!keptBuiltIns.has(prototype)) refuse(nameOf(value, prototype))
  else if (prototype === RegExp.prototype && (value as RegExp).lastIndex !== 0) refuse('a RegExp with a lastIndex')
  // The elements of a view are own members, possibly millions.
  else if (!ArrayBuffer.isView(value)) inspectNoMembers(value)
}

function nameOf(value: object, prototype: unknown): string {
  return prototype === null
    ? 'an object without a prototype (copy it: { ...value })'
    : `an instance of ${value.constructor?.name || 'a class'} (store its data instead: { ...value })`
}

const keptBuiltIns: ReadonlySet<object> = new Set([
  Date.prototype,
  RegExp.prototype,
  ArrayBuffer.prototype,
  Buffer.prototype,
  Int8Array.prototype,
  Uint8Array.prototype,
  Uint8ClampedArray.prototype,
  Int16Array.prototype,
  Uint16Array.prototype,
  Int32Array.prototype,
  Uint32Array.prototype,
  Float32Array.prototype,
  Float64Array.prototype,
  BigInt64Array.prototype,
  BigUint64Array.prototype,
  DataView.prototype,
])

// V8 optimizes this call in a for-in loop, but not `Object.hasOwn`.
const hasOwn = Object.prototype.hasOwnProperty

function inspectPlain(value: Record<string, unknown>, depth: number): void {
  objects += 1
  for (const name in value) {
    if (!hasOwn.call(value, name)) continue
    if (name === '__proto__') refuse("a member named '__proto__'")
    if (name === '__keys__') reservedName = true
    if (!isWellFormed(name)) refuse('a member name with a lone surrogate')
    inspect(value[name], depth + 1)
  }
  if (Object.getOwnPropertySymbols(value).length > 0) refuse('a member named by a symbol')
}

function inspectArray(value: readonly unknown[], depth: number): void {
  const { length } = value
  for (let index = 0; index < length; index += 1) {
    const element = value[index]
    if (element === undefined && !(index in value)) refuse('an array with holes')
    inspect(element, depth + 1)
  }
  if (Object.keys(value).length !== length) refuse('an array with named members')
  if (Object.getOwnPropertySymbols(value).length > 0) refuse('a member named by a symbol')
}

function inspectMap(value: Map<unknown, unknown>, depth: number): void {
  maps += 1
  for (const [key, element] of value) {
    inspect(key, depth + 1)
    inspect(element, depth + 1)
  }
  inspectNoMembers(value)
}

function inspectSet(value: Set<unknown>, depth: number): void {
  for (const element of value) inspect(element, depth + 1)
  inspectNoMembers(value)
}

function inspectNoMembers(value: object): void {
  // A RegExp has the non-enumerable member lastIndex.
  if (Object.keys(value).length > 0 || Object.getOwnPropertySymbols(value).length > 0) {
    refuse('a built-in object with added members')
  }
}
