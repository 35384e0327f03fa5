import { CacheError, type CacheErrorCode, cacheErrorCode } from '@cache/core/backend'
import { safeCause, withoutSecrets } from './safe-cause.ts'

/** SQLSTATE codes (PostgreSQL's Appendix A) that have a code of their own here. */
const codes: Readonly<Record<string, CacheErrorCode>> = {
  '25006': 'READ_ONLY',
  '53000': 'OUT_OF_MEMORY',
  '53100': 'OUT_OF_MEMORY',
  '53200': 'OUT_OF_MEMORY',
  '53300': 'UNAVAILABLE',
  '55P03': 'TIMEOUT',
  '57014': 'TIMEOUT',
  '57P01': 'UNAVAILABLE',
  '57P02': 'UNAVAILABLE',
  '57P03': 'UNAVAILABLE',
  '57P05': 'UNAVAILABLE',
  '40P01': 'CONFLICT',
  '40001': 'CONFLICT',
}

/** Codes of the socket, of the name look-up, and of TLS, such as a certificate that is not trusted. */
const networkCodes =
  /CERT|ERR_TLS|ERR_SSL|UNABLE_TO_|^(EPROTO|ECONN|EPIPE|ENOTFOUND|EAI_|EHOST|ENET|ETIMEDOUT|ENOENT|EACCES|ESOCKET|ERR_SOCKET|ERR_STREAM)/
/** Messages of `pg` and `pg-pool` that come without a code. */
const connectionMessages =
  /terminat|not queryable|Connection ended|connection error|Client was closed|after calling end/i
const timeoutMessages = /timeout/i

/** The code that an error of `pg` carries: an SQLSTATE, or the system's name for a network error. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : undefined
}

function codeOf(error: unknown): CacheErrorCode {
  const state = sqlState(error)
  if (state !== undefined) {
    const known = codes[state]
    if (known !== undefined) return known
    // Class 08: connection exceptions. A server behind a pooler reports them for its own connection.
    if (state.startsWith('08')) return 'UNAVAILABLE'
    return networkCodes.test(state) ? 'UNAVAILABLE' : 'BACKEND_FAILURE'
  }
  const message = error instanceof Error ? error.message : String(error)
  if (timeoutMessages.test(message)) return 'TIMEOUT'
  return connectionMessages.test(message) ? 'UNAVAILABLE' : 'BACKEND_FAILURE'
}

const hints: Readonly<Record<string, string>> = {
  '42P01': ' (the table does not exist: run the migration, or leave `migrate` on)',
  '42703': ' (the name belongs to a table with other columns: give this one another name)',
  '3F000': ' (the schema does not exist: run the migration, or leave `migrate` on)',
  '42501': ' (the role lacks a right: the README lists the rights that it needs)',
}

/** The `CacheError` for any error of `pg`, without the secrets that it may hold; a `CacheError` stays as it is. */
export function postgresError(error: unknown, method: string): CacheError {
  if (cacheErrorCode(error) !== undefined) return error as CacheError
  const message = error instanceof Error && error.message !== '' ? error.message : String(sqlState(error) ?? error)
  const hint = hints[sqlState(error) ?? ''] ?? ''
  return new CacheError(codeOf(error), withoutSecrets(`${method}: ${message}${hint}`), {
    operation: method,
    backend: 'postgres',
    cause: safeCause(error),
  })
}

/** The error of a call whose time is over. */
export function timeoutError(method: string, timeout: number): CacheError {
  return new CacheError('TIMEOUT', `${method}: no reply within ${Math.round(timeout)} ms`, {
    operation: method,
    backend: 'postgres',
  })
}

/** The error of a reply that no server of this version sends for the statement. */
export function unexpectedReply(method: string, what: string): CacheError {
  return new CacheError('BACKEND_FAILURE', `${method}: the reply of the server cannot be used: ${what}`, {
    operation: method,
    backend: 'postgres',
  })
}

export function closedError(method: string, key?: string): CacheError {
  return new CacheError('CLOSED', `${method}: the backend is closed`, { operation: method, backend: 'postgres', key })
}

/** The same error with the method and key of one call, which may share a statement with other calls. */
export function errorOfCall(error: unknown, method: string, key: string | undefined): CacheError {
  const { code, message, cause } = postgresError(error, method)
  return new CacheError(code, message, { operation: method, backend: 'postgres', key, cause: cause ?? error })
}
