import { checkOptions, invalidArgument, optionalSignal } from '../../protocol/argument.ts'
import { type LoadingOptions, type LoadSettings, loadingOptionNames, resolveLoading } from './cache-options.ts'
import { checkWriteOptions, type WriteOptions, writeOptionNames } from './write-options.ts'

/** Options of one `getOrSet`; an absent option has the value of the cache. Callers that join a running load take its options. */
export interface GetOrSetOptions extends WriteOptions, LoadingOptions {
  /** Aborting rejects this caller with `ABORTED`; others go on waiting. */
  readonly signal?: AbortSignal | undefined
  /** Loads even though a fresh value is there, or joins the load that runs; the value is still served when the load fails. Default `false`. */
  readonly forceRefresh?: boolean | undefined
}

/** Options that matter although a fresh value is at hand. */
type HitOption = 'refreshAhead' | 'earlyExpiry' | 'forceRefresh' | 'signal'
/** Options that matter while a value is looked up. */
type LookUpOption = 'readFailure' | 'timeout'
/** Options that matter only once a load is needed. */
type LoadOption =
  | 'ttl'
  | 'expiresAt'
  | 'staleFor'
  | 'tags'
  | 'cost'
  | 'softTimeout'
  | 'retryAfter'
  | 'nullTtl'
  | 'jitter'
  | 'lock'
  | 'waitUntil'

/** Does not compile while an option is in none of the three groups: a hit would ignore it silently. */
type Unsorted = Exclude<keyof GetOrSetOptions, HitOption | LookUpOption | LoadOption>
const everyOptionIsSorted: [Unsorted] extends [never] ? true : Unsorted = true
void everyOptionIsSorted

/** Whether a fresh value may be served without a look at these options. */
export function hitIgnores(options: GetOrSetOptions | undefined, neverRenews: boolean): boolean {
  if (options === undefined) return neverRenews
  return (
    neverRenews &&
    options.refreshAhead === undefined &&
    options.earlyExpiry === undefined &&
    options.forceRefresh === undefined &&
    options.signal === undefined
  )
}

/** Whether the key may be looked up, and a fresh value served, without a look at these options. */
export function lookUpIgnores(options: GetOrSetOptions | undefined, settings: LoadSettings): boolean {
  const neverRenews = settings.refreshAhead === 1 && settings.earlyExpiry === 0
  if (options === undefined) return neverRenews
  return (
    options !== null &&
    hitIgnores(options, neverRenews) &&
    options.readFailure === undefined &&
    options.timeout === undefined
  )
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
  optionalSignal(signal, 'signal', operation)
  if (forceRefresh !== undefined && typeof forceRefresh !== 'boolean')
    throw invalidArgument('forceRefresh', forceRefresh, 'true or false', operation)
  return resolveLoading(options, fallback, operation)
}
