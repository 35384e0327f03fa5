import { checkOptions, invalidArgument } from '../../protocol/argument.ts'
import { type LoadingOptions, type LoadSettings, loadingOptionNames, resolveLoading } from './cache-options.ts'
import { checkSignal } from './signal.ts'
import { checkWriteOptions, type WriteOptions, writeOptionNames } from './write-options.ts'

/** Options of one `getOrSet`; what is absent the cache's own options say. Callers that join a running load take its options. */
export interface GetOrSetOptions extends WriteOptions, LoadingOptions {
  /** Aborting rejects this caller with `ABORTED`; others go on waiting. */
  readonly signal?: AbortSignal | undefined
  /** Loads even though a fresh value is there, or joins the load that runs; the value is still served when the load fails. Default `false`. */
  readonly forceRefresh?: boolean | undefined
}

export const getOrSetOptionNames: readonly string[] = [
  ...writeOptionNames,
  ...loadingOptionNames,
  'signal',
  'forceRefresh',
]

export function checkGetOrSetOptions(
  options: GetOrSetOptions,
  fallback: LoadSettings,
  operation: string,
): LoadSettings {
  checkOptions(options, getOrSetOptionNames, operation)
  checkWriteOptions(options, operation, getOrSetOptionNames)
  const { signal, forceRefresh } = options
  checkSignal(signal, operation)
  if (forceRefresh !== undefined && typeof forceRefresh !== 'boolean')
    throw invalidArgument('forceRefresh', forceRefresh, 'true or false', operation)
  return resolveLoading(options, fallback, operation)
}
