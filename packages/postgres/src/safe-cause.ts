import { isNativeError } from 'node:util/types'

/** Members of the errors of Node and `pg` that describe a failure and never hold a secret. */
const describing: ReadonlySet<string> = new Set([
  ...['name', 'message', 'stack', 'cause', 'errors', 'code', 'errno', 'syscall', 'address', 'port', 'hostname', 'path'],
  ...['length', 'severity', 'detail', 'hint', 'position', 'internalPosition', 'internalQuery', 'where', 'schema'],
  ...['table', 'column', 'dataType', 'constraint', 'file', 'line', 'routine', 'reason', 'library', 'opensslErrorStack'],
])

/** Errors may refer to each other in a circle. */
const deepest = 8

/** URLs of databases, and the user information of all other URLs. */
const databaseUrl = /\b(postgres(?:ql)?:\/\/)[^\s'"]+/gi
const userInformation = /\b([a-z][a-z\d+.-]*:\/\/)[^\s'"/]*@/gi

/** The text without the parts of URLs that may hold a password. */
export function withoutSecrets(text: string): string {
  return text.includes('://') ? text.replace(databaseUrl, '$1…').replace(userInformation, '$1…@') : text
}

/**
 * The error as the `cause` of another one. `pg` and its pool attach whole clients to errors, with their passwords; an
 * unreadable URL is attached too. The result is the same error where it has no such member, else a copy without them.
 */
export function safeCause(error: unknown, depth: number = deepest): unknown {
  if (typeof error === 'string') return withoutSecrets(error)
  if (typeof error !== 'object' || error === null) return typeof error === 'function' ? undefined : error
  if (!isError(error) || depth === 0) return undefined
  if (isSafe(error, depth)) return error
  const copy = new Error(withoutSecrets(error.message))
  Object.setPrototypeOf(copy, Object.getPrototypeOf(error) as object)
  for (const [name, value] of describingMembers(error)) {
    if (name === 'message') continue
    Object.defineProperty(copy, name, {
      value: safeMember(value, depth),
      configurable: true,
      enumerable: name !== 'stack' && name !== 'cause' && name !== 'errors',
      writable: true,
    })
  }
  return copy
}

function isError(value: unknown): value is Error {
  return isNativeError(value) || value instanceof Error
}

function isSafe(error: Error, depth: number): boolean {
  const names = Reflect.ownKeys(error)
  return names.every(
    (name) =>
      typeof name === 'string' &&
      describing.has(name) &&
      safeMember((error as unknown as Record<string, unknown>)[name], depth) ===
        (error as unknown as Record<string, unknown>)[name],
  )
}

function describingMembers(error: Error): [string, unknown][] {
  return Object.getOwnPropertyNames(error)
    .filter((name) => describing.has(name))
    .map((name) => [name, (error as unknown as Record<string, unknown>)[name]])
}

/** The errors of a list are safe one by one; a list of safe errors stays the same list. */
function safeMember(value: unknown, depth: number): unknown {
  if (!Array.isArray(value)) return safeCause(value, depth - 1)
  const safe = value.map((entry) => safeCause(entry, depth - 1))
  return safe.every((entry, index) => entry === value[index]) ? value : safe
}
