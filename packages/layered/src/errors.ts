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

export function queueFull(key: string, bound: number, cause: unknown): CacheError {
  const full = `the recovery queue is full (maxPending: ${bound})`
  const message = `delete: the last layer failed, and ${full}; the item was not deleted`
  return new CacheError('QUEUE_FULL', message, { operation: 'delete', backend: backendName, key, cause })
}

/** Whether the same call may succeed later. A refused argument never does. */
export function isTemporary(error: unknown): boolean {
  const code = cacheErrorCode(error)
  return code !== 'INVALID_ARGUMENT' && code !== 'CLOSED' && code !== 'UNSUPPORTED'
}
