import { hash } from 'node:crypto'
import { type Brand, CacheError, canonicalText, memberPath, type PathStep } from '@cache/core/backend'
import { hashText } from './hash-text.ts'
import { ownHash } from './own-hash.ts'

export interface HashedValue {
  readonly hash: string
  /** The length of the canonical text, plus the bytes of binary parts: about the size of the value. */
  readonly bytes: number
}

/**
 * The hash of a value: equal for equal data, different for all other data. The order of the members of objects, sets and maps has no
 * effect. `subject` returns the subject of the error: `run: the input 'dir'`. Throws `INVALID_ARGUMENT` for a value that has no hash.
 */
export function hashValue(value: unknown, subject: () => string): HashedValue {
  let binary = 0
  const text = canonicalText(value, {
    refuse: (part, path, isTooDeep) => refused(subject, part, path, isTooDeep),
    textOf: (part, brand) => {
      const own = ownText(part, subject)
      if (own !== undefined) return own
      if (brand === 'RegExp') return patternText(part as RegExp)
      const bytes = bytesOf(part, brand)
      if (bytes === undefined) return undefined
      binary += bytes.byteLength
      return `b${brand}:${bytes.byteLength}:${hash('sha256', bytes, 'hex')}`
    },
  })
  return { hash: hashText(text), bytes: text.length + binary }
}

function ownText(part: object, subject: () => string): string | undefined {
  const method = (part as { readonly [ownHash]?: unknown })[ownHash]
  if (method === undefined) return undefined
  const text: unknown = typeof method === 'function' ? method.call(part) : method
  const name = part.constructor?.name ?? ''
  if (typeof text === 'string') return `o${name.length}:${name}${text.length}:${text}`
  throw new CacheError(
    'INVALID_ARGUMENT',
    `${subject()}: the method [ownHash] of ${name} must return a string, but returned ${typeof text}`,
  )
}

/** Without `lastIndex`, which codecs and `structuredClone` do not keep. */
function patternText({ source, flags }: RegExp): string {
  return `r${source.length}:${source}${flags}`
}

/** The bytes of a binary object. */
function bytesOf(part: object, brand: Brand | undefined): Uint8Array | undefined {
  if (ArrayBuffer.isView(part) && brand !== undefined)
    return new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
  return brand === 'ArrayBuffer' ? new Uint8Array(part as ArrayBuffer) : undefined
}

function refused(subject: () => string, part: unknown, path: readonly PathStep[], isTooDeep: boolean): CacheError {
  const message = isTooDeep
    ? `${subject()} is nested too deeply to be hashed; pass a flatter value`
    : `${subject()} has ${describe(part)} at ${memberPath(path)}, which has no hash; pass plain data, or give its class a method [ownHash]`
  return new CacheError('INVALID_ARGUMENT', message)
}

function describe(part: unknown): string {
  if (typeof part !== 'object' || part === null) return `a ${typeof part}`
  if (Array.isArray(part)) return 'an array with a cycle, a hole or a named member'
  const name: unknown = part.constructor?.name
  if (name === undefined || name === 'Object') return 'an object with a cycle or a member named by a symbol'
  return `an instance of ${String(name)}`
}
