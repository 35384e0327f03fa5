import { CacheError, type CacheErrorCode, cacheErrorCode } from '@cache/core/backend'
import { isBrokenCircuitError, isBulkheadRejectedError, isTaskCancelledError } from 'cockatiel'

/** What failed, for the error that tells it. */
export interface Call {
  readonly operation: string
  readonly backend: string
  readonly key?: string | undefined
}

/** The store did not answer, or not as a store does: what counts against it. A refused argument or a full store does not. */
export function isOutage(error: unknown): boolean {
  const code = cacheErrorCode(error)
  if (code === undefined) return !isBrokenCircuitError(error) && !isBulkheadRejectedError(error)
  return code === 'UNAVAILABLE' || code === 'TIMEOUT' || code === 'BACKEND_FAILURE'
}

const unasked: readonly unknown[] = [
  'INVALID_ARGUMENT',
  'NOT_STORABLE',
  'UNSUPPORTED',
  'CLOSED',
  // Of a guard within this one.
  'CIRCUIT_OPEN',
  'QUEUE_FULL',
  undefined,
]

/** It was refused on the way to the store, and says nothing about it. */
export function isUnasked(error: unknown): boolean {
  return !isOutage(error) && unasked.includes(cacheErrorCode(error))
}

/** The store answered, and its answer was no: it is well. */
export function isRefusal(error: unknown): boolean {
  return !isOutage(error) && !isUnasked(error)
}

/** What may be tried again although the call changes something: the call has ended, so that it cannot land after the next one. */
export function hasEnded(error: unknown): boolean {
  return cacheErrorCode(error) === 'UNAVAILABLE'
}

/** The error of the call as the caller is told of it. One that is a `CacheError` already names the store and stays. */
export function asCacheError(error: unknown, call: Call, lastFailure?: unknown): CacheError {
  if (cacheErrorCode(error) !== undefined) return error as CacheError
  if (isBrokenCircuitError(error)) {
    return made('CIRCUIT_OPEN', 'the circuit is open after repeated failures of the store', call, lastFailure ?? error)
  }
  if (isBulkheadRejectedError(error)) return made('QUEUE_FULL', 'too many calls are under way', call, error)
  if (isTaskCancelledError(error)) return made('TIMEOUT', 'the store did not answer in time', call, error)
  return made('BACKEND_FAILURE', error instanceof Error ? error.message : String(error), call, error)
}

export function timeoutError(call: Call, ms: number): CacheError {
  return made('TIMEOUT', `the store did not answer within ${ms} ms`, call)
}

function made(code: CacheErrorCode, why: string, call: Call, cause?: unknown): CacheError {
  return new CacheError(code, `${call.operation}: ${why}`, { ...call, cause })
}
