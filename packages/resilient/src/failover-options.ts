import {
  type CacheBackend,
  type Clock,
  checkBackend,
  checkClock,
  checkOptions,
  type Duration,
  invalidArgument,
  isList,
  milliseconds,
  trueOrFalse,
  wholeNumber,
} from '@cache/core/backend'

export interface FailoverOptions {
  /** Failures of the primary in a row before the secondary takes over; those before reject. Default 1. */
  readonly failures?: number | undefined
  /** How often the primary is asked whether it is back, while there are calls. Default `'1s'`. */
  readonly probeEvery?: Duration | undefined
  /** Changed keys that are remembered for the primary's return; with more, the primary is cleared. Default 10,000. */
  readonly maxChanged?: number | undefined
  /**
   * `close` also closes both backends, except one that another open cache or composite backend uses: the last user closes it.
   * Default `true`. `false` is for backends that the application closes itself.
   */
  readonly closeParts?: boolean | undefined
  /** Default: the machine's clock. */
  readonly clock?: Clock | undefined
}

export interface ResolvedFailoverOptions {
  readonly primary: CacheBackend
  readonly secondary: CacheBackend
  readonly failures: number
  readonly probeEvery: number
  readonly maxChanged: number
  readonly closeParts: boolean
  readonly clock: Clock
}

const operation = 'failover'
const known = ['failures', 'probeEvery', 'maxChanged', 'closeParts', 'clock']

export function resolveFailover(backends: readonly unknown[], options: FailoverOptions): ResolvedFailoverOptions {
  if (!isList(backends) || backends.length !== 2 || backends[0] === backends[1]) {
    throw invalidArgument('backends', backends, 'an array of two different backends, [primary, secondary]', operation)
  }
  checkOptions(options, known, operation)
  return {
    primary: checkBackend(backends[0], 'backends[0]', operation),
    secondary: checkBackend(backends[1], 'backends[1]', operation),
    failures: wholeNumber(options.failures ?? 1, 'failures', operation, 1),
    probeEvery: milliseconds(options.probeEvery ?? '1s', 'probeEvery', operation),
    maxChanged: wholeNumber(options.maxChanged ?? 10_000, 'maxChanged', operation),
    closeParts: trueOrFalse(options.closeParts ?? true, 'closeParts', operation),
    clock: checkClock(options.clock, operation),
  }
}
