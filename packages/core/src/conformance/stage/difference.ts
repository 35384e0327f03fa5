import { isDeepStrictEqual } from 'node:util'
import { show } from './show.ts'

/** Levels below which a value is shown as a whole. */
const deepest = 8

/**
 * The first difference between two values as text, or `undefined` when they are deeply and strictly equal. The text stays
 * short for values of any size: the diff of `assert.deepEqual` takes gigabytes for a megabyte of bytes.
 */
export function difference(found: unknown, expected: unknown, path: string): string | undefined {
  return isSame(found, expected) ? undefined : firstDifference(found, expected, path, 0)
}

function firstDifference(found: unknown, expected: unknown, path: string, depth: number): string {
  const whole = `${path} is ${shown(found)} instead of ${shown(expected)}`
  if (ArrayBuffer.isView(found) && ArrayBuffer.isView(expected)) return bytesDifference(found, expected, path) ?? whole
  if (depth === deepest || !isPlain(found) || !isPlain(expected) || kindOf(found) !== kindOf(expected)) {
    return shown(found) === shown(expected) ? `${path} is ${shown(found)}, but with other content or members` : whole
  }
  const [own, wanted] = [Reflect.ownKeys(found), Reflect.ownKeys(expected)]
  if (own.length > 1000 || wanted.length > 1000) return whole
  for (const name of new Set([...wanted, ...own])) {
    const at = `${path}.${String(name)}`
    if (!Object.hasOwn(found, name)) return `${at} is missing; ${shown(expected[name])} was expected`
    if (!Object.hasOwn(expected, name)) return `${at} is ${shown(found[name])} although it was not expected`
    if (!isSame(found[name], expected[name])) return firstDifference(found[name], expected[name], at, depth + 1)
  }
  return whole
}

/** Node 22 takes two invalid dates for different ones. */
function isSame(found: unknown, expected: unknown): boolean {
  return isDeepStrictEqual(found, expected) || (isInvalidDate(found) && isInvalidDate(expected))
}

function isInvalidDate(value: unknown): boolean {
  return kindOf(value) === 'Date' && value instanceof Date && Number.isNaN(value.getTime())
}

/** The first byte that differs, of two views of the same kind and length. */
function bytesDifference(found: ArrayBufferView, expected: ArrayBufferView, path: string): string | undefined {
  if (kindOf(found) !== kindOf(expected) || found.byteLength !== expected.byteLength) return undefined
  const [one, other] = [found, expected].map((view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
  const place = one?.findIndex((byte, n) => byte !== other?.[n]) ?? -1
  return place < 0 ? undefined : `byte ${place} of ${path} is ${one?.[place]} instead of ${other?.[place]}`
}

function isPlain(value: unknown): value is Record<string | symbol, unknown> {
  return typeof value === 'object' && value !== null && (Array.isArray(value) || kindOf(value) === 'Object')
}

function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return typeof value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === null) return 'Object without a prototype'
  return (value.constructor as { name?: string } | undefined)?.name ?? 'object'
}

/** The value with its type, short enough for a message. */
function shown(value: unknown): string {
  if (Object.is(value, -0)) return '-0'
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? `${value}n` : show(value)
  if (value instanceof Date) return `Date ${Number.isNaN(value.getTime()) ? 'invalid' : value.toISOString()}`
  if (ArrayBuffer.isView(value)) return `${kindOf(value)} of ${value.byteLength} bytes`
  if (value instanceof Map || value instanceof Set) return `${kindOf(value)} of ${value.size}`
  if (Array.isArray(value)) return `an array of ${value.length}`
  return `an object (${kindOf(value)}) with ${Object.keys(value).length} members`
}
