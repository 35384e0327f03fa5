import { CacheError, cacheErrorCode } from '@cache/core/backend'

/** The name of this backend in errors and logs. */
export const backendName = 'layered'

/**
 * The failure as a `CacheError`. An error that is one already stays as it is, because it names the layer that failed.
 */
export function asCacheError(error: unknown, operation: string, key?: string): CacheError {
  if (cacheErrorCode(error) !== undefined) return error as CacheError
  const message = error instanceof Error ? error.message : String(error)
  return new CacheError('BACKEND_FAILURE', `${operation}: ${message}`, {
    operation,
    backend: backendName,
    key,
    cause: error,
  })
}

export function queueFull(operation: string, target: string, bound: number, cause: unknown): CacheError {
  const full = `the recovery queue is full (maxPending: ${bound})`
  const message = `${operation}: the last layer failed, and ${full}; nothing was removed`
  const key = operation === 'delete' ? target : undefined
  return new CacheError('QUEUE_FULL', message, { operation, backend: backendName, key, cause })
}

/** Whether the same call may succeed later. A refused argument never does. */
export function isTemporary(error: unknown): boolean {
  const code = cacheErrorCode(error)
  return code !== 'INVALID_ARGUMENT' && code !== 'CLOSED' && code !== 'UNSUPPORTED'
}

/** Whether a write that failed so may have left the old item at the authority. A refused value leaves it on purpose. */
export function keepsOldItem(error: unknown): boolean {
  return isTemporary(error) && cacheErrorCode(error) !== 'NOT_STORABLE'
}
