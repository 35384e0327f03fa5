import { invalidArgument } from '../../protocol/argument.ts'
import { CacheError } from '../../protocol/cache-error.ts'

export function checkSignal(signal: unknown, operation: string): void {
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw invalidArgument('signal', signal, 'an AbortSignal', operation)
}

/** The rejection of a caller whose own signal aborted. */
export function aborted(key: string, signal: AbortSignal | undefined, operation: string, cache: string): CacheError {
  return new CacheError('ABORTED', `${operation}: the caller's signal was aborted`, {
    operation,
    cache,
    key,
    cause: signal?.reason,
  })
}
