import { CacheError, cacheErrorCode } from '@cache/core/backend'

/** The noun of this backend in errors and logs. */
export const backendName = 'layered'

/** The failure as a `CacheError`: one that is already is left as it is, since it names the layer that failed. */
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
  const message = `delete: the last layer failed, and ${bound} deletes wait for it already; this one was not done`
  return new CacheError('QUEUE_FULL', message, { operation: 'delete', backend: backendName, key, cause })
}

/** Whether the store itself failed, so that the same call may succeed later; a refused argument never does. */
export function mayPass(error: unknown): boolean {
  const code = cacheErrorCode(error)
  return code !== 'INVALID_ARGUMENT' && code !== 'CLOSED' && code !== 'UNSUPPORTED'
}
