import { checkOptions, invalidArgument } from '../../protocol/argument.ts'
import type { ReadFailure } from './cache-options.ts'
import { readFailure } from './cache-options.ts'

/** Options of a single read. */
export interface ReadOptions {
  /** Serves a value that is past its `ttl` and within its `staleFor`. Default `false`. */
  readonly stale?: boolean | undefined
  /** The effect of a failing backend on this call. Default: the cache's `readFailure`. */
  readonly readFailure?: 'miss' | 'reject' | undefined
}

/** The options with their defaults filled in. Throws `INVALID_ARGUMENT`. */
export function resolveReadOptions(
  options: ReadOptions,
  fallback: ReadFailure,
  operation: string,
): { readonly failure: ReadFailure; readonly stale: boolean } {
  checkOptions(options, ['stale', 'readFailure'], operation)
  const { stale } = options
  if (stale !== undefined && typeof stale !== 'boolean')
    throw invalidArgument('stale', stale, 'true or false', operation)
  return { failure: readFailure(options.readFailure, fallback, operation), stale: stale === true }
}
