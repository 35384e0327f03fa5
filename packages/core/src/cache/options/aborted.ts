import { CacheError } from '../../protocol/cache-error.ts'

/** The rejection of a caller whose own signal aborted. */
export function aborted(key: string, signal: AbortSignal | undefined, operation: string, cache: string): CacheError {
  return new CacheError('ABORTED', `${operation}: the caller's signal was aborted`, {
    operation,
    cache,
    key,
    cause: signal?.reason,
  })
}
