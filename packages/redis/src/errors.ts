import { CacheError, type CacheErrorCode, cacheErrorCode } from '@cache/core/backend'

/** The codes of errors that this package makes, so that their messages need no parsing. */
const codes = new WeakMap<Error, CacheErrorCode>()

/** An error that `redisError` gives this code. */
export function errorWithCode(code: CacheErrorCode, message: string): Error {
  const error = new Error(message)
  codes.set(error, code)
  return error
}

/** Codes by the first word of an error reply of Redis. */
const codesOfReplies: Readonly<Record<string, CacheErrorCode>> = {
  OOM: 'OUT_OF_MEMORY',
  READONLY: 'READ_ONLY',
  // The server cannot save its data, and refuses writes until it can.
  MISCONF: 'READ_ONLY',
  NOREPLICAS: 'READ_ONLY',
  LOADING: 'UNAVAILABLE',
  MASTERDOWN: 'UNAVAILABLE',
  CLUSTERDOWN: 'UNAVAILABLE',
  TRYAGAIN: 'UNAVAILABLE',
  MOVED: 'UNAVAILABLE',
  ASK: 'UNAVAILABLE',
  BUSY: 'UNAVAILABLE',
  // The server refuses the connection.
  WRONGPASS: 'UNAVAILABLE',
  NOAUTH: 'UNAVAILABLE',
}

/** Messages of ioredis for a missing connection. These errors have no code. */
const connectionMessages =
  /Connection is closed|Stream isn't writeable|max retries per request|isn't ready|None of startup nodes|Failed to refresh slots cache|Cluster is|All sentinels are unreachable|Too many Cluster redirections|aborted due to connection close|Socket timeout|No subscriber/

const systemCodes = /^(?:E[A-Z]+|ERR_TLS_.*|ERR_SSL_.*|[A-Z_]*CERT[A-Z_]*|SELF_SIGNED.*|UNABLE_TO_.*)$/

/** Whether ioredis could not parse a reply. */
export function isParserFailure(error: Error): boolean {
  return error.message.endsWith('. Please report this.')
}

/** The `CacheError` for any failure. A `CacheError` that names its operation stays as it is. */
export function redisError(error: unknown, operation: string, key?: string): CacheError {
  if (cacheErrorCode(error) !== undefined) return withOperation(error as CacheError, operation, key)
  const cause = publicError(error)
  const code = codeOf(cause)
  return new CacheError(code, messageOf(code, cause), { operation, backend: 'redis', key, cause })
}

/** The members of an error of a connection that explain it. */
const systemMembers = ['code', 'errno', 'syscall', 'address', 'port'] as const
/** The arguments of a command that Redis does not know, which may be AUTH. */
const echoedArguments = /, with args beginning with:.*/g
const deepestCause = 8

/**
 * A copy of an error without its secrets: errors of ioredis have the arguments of their command as a member, and those of
 * AUTH are a user and a password. `hide` removes known secrets from texts.
 */
export function publicError(error: unknown, hide: (text: string) => string = (text) => text, depth = 0): Error {
  if (!(error instanceof Error)) return new Error(hide(String(error)))
  const clean = (text: string): string => hide(text.replace(echoedArguments, ''))
  const copy = new Error(clean(error.message))
  define(copy, 'name', error.name)
  define(copy, 'stack', clean(String(error.stack)))
  const given = error as unknown as Record<string, unknown>
  for (const name of systemMembers) {
    const value = given[name]
    if (typeof value === 'string') Object.assign(copy, { [name]: clean(value) })
    else if (typeof value === 'number') Object.assign(copy, { [name]: value })
  }
  if (error.cause instanceof Error && depth < deepestCause) {
    define(copy, 'cause', publicError(error.cause, hide, depth + 1))
  }
  const code = codes.get(error)
  if (code !== undefined) codes.set(copy, code)
  return copy
}

/** Like the members of the same names that the constructor of `Error` sets. */
function define(error: Error, name: string, value: unknown): void {
  Object.defineProperty(error, name, { value, writable: true, configurable: true, enumerable: false })
}

/** Errors of the codecs have a code, but do not name the operation. */
function withOperation(error: CacheError, operation: string, key: string | undefined): CacheError {
  if (error.operation !== undefined) return error
  const details = { operation, backend: 'redis', key: error.key ?? key, cause: error.cause }
  return new CacheError(error.code, error.message, details)
}

function codeOf(error: Error): CacheErrorCode {
  const known = codes.get(error)
  if (known !== undefined) return known
  const reply = codesOfReplies[error.message.split(' ', 1)[0] ?? '']
  if (reply !== undefined) return reply
  if (error.message.startsWith('Command timed out')) return 'TIMEOUT'
  if (connectionMessages.test(error.message) || isParserFailure(error)) return 'UNAVAILABLE'
  const system = (error as NodeJS.ErrnoException).code
  if (typeof system === 'string' && systemCodes.test(system)) return 'UNAVAILABLE'
  return 'BACKEND_FAILURE'
}

function messageOf(code: CacheErrorCode, cause: Error): string {
  switch (code) {
    case 'UNAVAILABLE':
      return `Redis cannot be reached: ${cause.message}`
    case 'TIMEOUT':
      return `Redis did not reply in time: ${cause.message}`
    case 'OUT_OF_MEMORY':
      return `Redis is out of memory (maxmemory) and evicts nothing: ${cause.message}`
    case 'READ_ONLY':
      return `Redis refuses writes for now: ${cause.message}`
    default:
      return cause.message
  }
}
