import { CacheError, type CacheErrorCode, cacheErrorCode } from '@cache/core/backend'

/** SQLSTATE codes (PostgreSQL's Appendix A) that have a meaning of their own here. */
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

/** Errors of the socket, of the name look-up, and of TLS, such as a certificate that is not trusted. */
const network =
  /CERT|ERR_TLS|ERR_SSL|UNABLE_TO_|^(EPROTO|ECONN|EPIPE|ENOTFOUND|EAI_|EHOST|ENET|ETIMEDOUT|ENOENT|EACCES|ESOCKET|ERR_SOCKET|ERR_STREAM)/
/** What `pg` and `pg-pool` say without a code. */
const lost = /terminat|not queryable|Connection ended|connection error|Client was closed|after calling end/i
const late = /timeout/i

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
    return network.test(state) ? 'UNAVAILABLE' : 'BACKEND_FAILURE'
  }
  const message = error instanceof Error ? error.message : String(error)
  if (late.test(message)) return 'TIMEOUT'
  return lost.test(message) ? 'UNAVAILABLE' : 'BACKEND_FAILURE'
}

const hints: Readonly<Record<string, string>> = {
  '42P01': ' (the table is not there: run the migration, or leave `migrate` on)',
  '42703': ' (the table is of another kind: give this one another name)',
  '3F000': ' (the schema is not there: run the migration, or leave `migrate` on)',
  '42501': ' (the role lacks a right: the README lists those that it needs)',
}

/** The `CacheError` for whatever `pg` threw; a `CacheError` passes as it is. */
export function postgresError(error: unknown, operation: string): CacheError {
  if (cacheErrorCode(error) !== undefined) return error as CacheError
  const message = error instanceof Error && error.message !== '' ? error.message : String(sqlState(error) ?? error)
  const hint = hints[sqlState(error) ?? ''] ?? ''
  return new CacheError(codeOf(error), `${operation}: ${message}${hint}`, {
    operation,
    backend: 'postgres',
    cause: error,
  })
}

/** The error for a call whose time is up. */
export function timeoutError(operation: string, timeout: number): CacheError {
  return new CacheError('TIMEOUT', `${operation}: no answer within ${Math.round(timeout)} ms`, {
    operation,
    backend: 'postgres',
  })
}

export function closedError(operation: string, key?: string): CacheError {
  return new CacheError('CLOSED', `${operation}: the backend is closed`, { operation, backend: 'postgres', key })
}

/** The same error with the name of what the caller did, who may share a statement with others. */
export function named(error: unknown, operation: string, key: string | undefined): CacheError {
  const { code, message, cause } = postgresError(error, operation)
  return new CacheError(code, message, { operation, backend: 'postgres', key, cause: cause ?? error })
}
