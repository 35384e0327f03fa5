import { checkOptions, invalidArgument } from '../../protocol/argument.ts'
import { type LoadingOptions, type LoadSettings, resolveLoading } from './cache-options.ts'
import { checkWriteOptions, type WriteOptions, writeOptionNames } from './write-options.ts'

/** Options of one `getOrSet` of a `SyncCache`; an absent option has the value of the cache. */
export interface SyncGetOrSetOptions
  extends WriteOptions,
    Pick<LoadingOptions, 'retryAfter' | 'nullTtl' | 'jitter' | 'readFailure'> {
  /** Loads even though a fresh value is there; it is still served when the load fails. Default `false`. */
  readonly forceRefresh?: boolean | undefined
}

export const syncGetOrSetOptionNames: readonly string[] = [
  ...writeOptionNames,
  'retryAfter',
  'nullTtl',
  'jitter',
  'readFailure',
  'forceRefresh',
]

/** The options with their defaults filled in. Throws `INVALID_ARGUMENT`. */
export function resolveSyncGetOrSetOptions(
  options: SyncGetOrSetOptions,
  fallback: LoadSettings,
  operation: string,
): LoadSettings {
  checkOptions(options, syncGetOrSetOptionNames, operation)
  checkWriteOptions(options, operation, syncGetOrSetOptionNames)
  const { forceRefresh } = options
  if (forceRefresh !== undefined && typeof forceRefresh !== 'boolean')
    throw invalidArgument('forceRefresh', forceRefresh, 'true or false', operation)
  return resolveLoading(options, fallback, operation)
}
