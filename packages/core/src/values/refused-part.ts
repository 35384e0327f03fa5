import { memberPath, type PathStep } from './member-path.ts'

/** What to store instead, by the class of the refused part. `{ ...value }` copies no content of these. */
const alternatives: Readonly<Record<string, string>> = {
  AggregateError: 'store its name, message and errors',
  Blob: 'store its bytes: `await blob.bytes()`',
  Date: 'store its time: `date.getTime()`',
  Error: 'store its name and message',
  File: 'store its name and bytes: `await file.bytes()`',
  FormData: 'store its entries: `[...formData]`',
  Headers: 'store its entries: `[...headers]`',
  Map: 'store its entries: `[...map]`',
  Promise: 'await it first',
  Request: 'store its url, headers and text',
  Response: 'store its text or JSON: `await response.text()`',
  RegExp: 'store its source and flags',
  Set: 'store its elements: `[...set]`',
  SharedArrayBuffer: 'store a copy of its bytes: `new Uint8Array(buffer).slice()`',
  URL: 'store its text: `url.href`',
  URLSearchParams: 'store its text: `String(params)`',
  WeakMap: 'leave it out',
  WeakRef: 'leave it out',
  WeakSet: 'leave it out',
}

const boxes: ReadonlySet<string> = new Set(['BigInt', 'Boolean', 'Number', 'String', 'Symbol'])

/**
 * The error for the part of a value that a codec or a copy cannot keep. The message has the part, its path, and advice that
 * works for its class. It never has the content of the value. `by` is the subject: `MessagePack cannot keep …`.
 */
export function refusedPart(by: string, what: string, path: readonly PathStep[], advice: string): TypeError {
  return new TypeError(`${by} cannot keep ${what} at ${memberPath(path)}; ${advice}`)
}

/** The error for a function, a symbol, or an object whose class is not kept. `types` says how to teach the class, if that is possible. */
export function refusedClass(by: string, value: unknown, path: readonly PathStep[], types?: string): TypeError {
  if (typeof value !== 'object' || value === null) return refusedPart(by, `a ${typeof value}`, path, 'leave it out')
  const name = classNameOf(value)
  const own = adviceFor(value, name)
  const more = types === undefined || own === 'leave it out' ? '' : `, or ${types}`
  return refusedPart(by, `an instance of ${name}`, path, own + more)
}

function classNameOf(value: object): string {
  try {
    const { name } = (value as { constructor?: { name?: unknown } }).constructor ?? {}
    return typeof name === 'string' && name !== '' ? name : 'a class without a name'
  } catch {
    return 'a class without a name'
  }
}

function adviceFor(value: object, name: string): string {
  if (Object.hasOwn(alternatives, name)) return alternatives[name] as string
  if (boxes.has(name)) return 'store the primitive: `value.valueOf()`'
  if (Object.prototype.toString.call(value) === '[object Error]') return alternatives.Error as string
  if (value instanceof Map || value instanceof Set || Array.isArray(value)) return 'store its elements: `[...value]`'
  if (ArrayBuffer.isView(value)) return 'store a copy of its elements: `Array.from(value)`'
  if (Object.keys(value).length > 0) return 'store its data: `{ ...value }`'
  return typeof (value as { toJSON?: unknown }).toJSON === 'function'
    ? 'store its data: `value.toJSON()`'
    : 'store its data'
}
