import { type CacheLike, type Clock, type Duration, systemClock } from '@cache/core'
import { checkClock, checkOptions, invalidArgument, milliseconds, trueOrFalse, wholeNumber } from '@cache/core/backend'
import type { Settings } from './exchange/settings.ts'
import { defaultKeyFields } from './semantics/resource-key.ts'

export interface HttpCacheOptions {
  /** Where responses are kept. Use a namespace of its own, such as `cache.namespace('http')`: `purgeAll` clears it. */
  readonly cache: CacheLike<unknown>
  /** The name in `Cache-Status` (RFC 9211). `false`: no such field. Default `'cache'`. */
  readonly cacheStatus?: string | false | undefined
  /** Larger bodies are not stored, and one that is being sent takes no more memory than this. Default 8 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** How long a stale response is kept to be validated, and for an origin that cannot be reached. Default `'1d'`. */
  readonly keepStale?: Duration | undefined
  /** The `stale-if-error` of responses that have none. Default 0. */
  readonly staleIfError?: Duration | undefined
  /** Whether a response with `Last-Modified` and without a lifetime gets a tenth of its age (RFC 9111 section 4.2.2). Default `true`. */
  readonly heuristics?: boolean | undefined
  /** Whether the directives of requests count (RFC 9111 section 5.2.1). `false`: clients cannot cause requests to the origin. Default `true`. */
  readonly requestDirectives?: boolean | undefined
  /** Fields that replace `Cache-Control` where a response has them, by priority, such as `['cdn-cache-control']` (RFC 9213). Default: none. */
  readonly targetedFields?: readonly string[] | undefined
  /** Request fields that are part of the key. Default: `X-Forwarded-Host` and its like. */
  readonly keyFields?: readonly string[] | undefined
  /** How long the origin may take for the head of a shared response, and for each further part of its body. Default `'30s'`. */
  readonly timeout?: Duration | undefined
  /** Gets a promise for each load, for platforms that stop a process after its response. Default: none. */
  readonly waitUntil?: ((work: Promise<unknown>) => void) | undefined
  /** Called with each failure of the store, which the client does not see. Default: none. */
  readonly onError?: ((error: unknown) => void) | undefined
  /** Source of the current instant and of timers: the clock of the cache. Default: the machine's. */
  readonly clock?: Clock | undefined
}

const names: readonly (keyof HttpCacheOptions)[] = [
  'cache',
  'cacheStatus',
  'maxBodyBytes',
  'keepStale',
  'staleIfError',
  'heuristics',
  'requestDirectives',
  'targetedFields',
  'keyFields',
  'timeout',
  'waitUntil',
  'onError',
  'clock',
]

const fieldName = /^[\w!#$%&'*+.^`|~-]+$/
const operation = 'HttpCache'

/** The options with their defaults filled in. Throws `INVALID_ARGUMENT`. */
export function resolveOptions(options: HttpCacheOptions): Settings & { cacheStatus: string | undefined } {
  checkOptions(options, names, operation)
  const clock = checkClock(options.clock, operation)
  return {
    cacheStatus: cacheStatus(options.cacheStatus),
    maxBodyBytes: wholeNumber(options.maxBodyBytes ?? 8 * 1024 * 1024, 'maxBodyBytes', operation, 1),
    keepStale: milliseconds(options.keepStale ?? '1d', 'keepStale', operation),
    staleIfError: milliseconds(options.staleIfError ?? 0, 'staleIfError', operation),
    heuristics: trueOrFalse(options.heuristics ?? true, 'heuristics', operation),
    requestDirectives: trueOrFalse(options.requestDirectives ?? true, 'requestDirectives', operation),
    targetedFields: fieldNames(options.targetedFields ?? [], 'targetedFields'),
    keyFields: fieldNames(options.keyFields ?? defaultKeyFields, 'keyFields'),
    timeout: milliseconds(options.timeout ?? '30s', 'timeout', operation),
    waitUntil: optionalFunction(options.waitUntil, 'waitUntil'),
    onError: optionalFunction(options.onError, 'onError'),
    clock: { now: () => clock.now(), after: clock.after?.bind(clock) ?? systemClock.after },
  }
}

/** RFC 9211 section 2: the name is a token or a string. */
function cacheStatus(given: unknown): string | undefined {
  if (given === false) return undefined
  const name = given ?? 'cache'
  if (typeof name !== 'string' || !/^[ -~]+$/.test(name))
    throw invalidArgument('cacheStatus', given, 'a name of printable ASCII characters, or false', operation)
  return /^[a-z*][\w!#$%&'*+.^`|~:/-]*$/i.test(name) ? name : `"${name.replace(/["\\]/g, '\\$&')}"`
}

function fieldNames(given: unknown, option: string): readonly string[] {
  if (!Array.isArray(given) || !given.every((name) => typeof name === 'string' && fieldName.test(name)))
    throw invalidArgument(option, given, 'an array of names of header fields', operation)
  return given.map((name: string) => name.toLowerCase())
}

function optionalFunction<T>(given: T | undefined, option: string): T | undefined {
  if (given === undefined || typeof given === 'function') return given
  throw invalidArgument(option, given, 'a function', operation)
}
