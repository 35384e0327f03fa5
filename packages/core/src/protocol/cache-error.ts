/**
 * The kind of a failure. Codes are stable; messages are not.
 *
 * - `INVALID_ARGUMENT` an argument or option was refused before anything was written
 * - `CLOSED` the cache or backend was closed
 * - `UNSUPPORTED` the backend lacks a member, and a fallback would break a promise
 * - `UNAVAILABLE` the backend could not be reached; the call had no known effect
 * - `TIMEOUT` no answer came in time; a write may have happened
 * - `OUT_OF_MEMORY` the store is full
 * - `READ_ONLY` the store currently refuses writes
 * - `DAMAGED` stored bytes could not be read; reported as an event, read as a miss
 * - `NOT_STORABLE` the codec cannot keep this value without changing it
 * - `NOT_A_NUMBER` `increment` met a value that is not a whole number
 * - `OUT_OF_RANGE` a counter would leave the range of exact whole numbers (2^53 - 1)
 * - `CONFLICT` an update lost its compare-and-set race more often than allowed
 * - `LOCK_TIMEOUT` a lock was not free within `wait`
 * - `LOCK_LOST` a lock ran out or was taken while its work was running
 * - `LOAD_TIMEOUT` a load took longer than its hard timeout
 * - `ABORTED` the caller's signal aborted
 * - `QUEUE_FULL` a bounded queue (write-behind, recovery, bulkhead) refuses more
 * - `CIRCUIT_OPEN` the circuit breaker currently refuses calls
 * - `BACKEND_FAILURE` any other failure of the backend; see `cause`
 */
export type CacheErrorCode =
  | 'INVALID_ARGUMENT'
  | 'CLOSED'
  | 'UNSUPPORTED'
  | 'UNAVAILABLE'
  | 'TIMEOUT'
  | 'OUT_OF_MEMORY'
  | 'READ_ONLY'
  | 'DAMAGED'
  | 'NOT_STORABLE'
  | 'NOT_A_NUMBER'
  | 'OUT_OF_RANGE'
  | 'CONFLICT'
  | 'LOCK_TIMEOUT'
  | 'LOCK_LOST'
  | 'LOAD_TIMEOUT'
  | 'ABORTED'
  | 'QUEUE_FULL'
  | 'CIRCUIT_OPEN'
  | 'BACKEND_FAILURE'

export interface CacheErrorDetails {
  /** The method that failed, such as `get` or `deleteByTag`. */
  readonly operation?: string | undefined
  /** The `name` of the backend. */
  readonly backend?: string | undefined
  readonly key?: string | undefined
  /** The `name` of the cache. */
  readonly cache?: string | undefined
  readonly cause?: unknown
}

/**
 * The one error of every `@cache/*` package. Test its `code`, never `instanceof`: an application may hold two copies of
 * core.
 */
export class CacheError extends Error {
  override readonly name: string = 'CacheError'
  readonly code: CacheErrorCode
  readonly operation: string | undefined
  readonly backend: string | undefined
  readonly key: string | undefined
  /** The `name` of the cache whose caller gets the error. A backend leaves it out; the cache fills it in. */
  cache: string | undefined

  constructor(code: CacheErrorCode, message: string, details: CacheErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.operation = details.operation
    this.backend = details.backend
    this.key = details.key
    this.cache = details.cache
  }
}

/** The code of a `CacheError`, whichever copy of core made it, or `undefined` for anything else. */
export function cacheErrorCode(error: unknown): CacheErrorCode | undefined {
  if (!(error instanceof Error) || error.name !== 'CacheError') return undefined
  return (error as CacheError).code
}
