import { invalidArgument } from '../../protocol/argument.ts'
import { type Duration, milliseconds } from '../../protocol/duration.ts'

/** How long a value lives. */
export interface LifetimeOptions {
  /**
   * How long the value is fresh: milliseconds or a string such as `'10m'`; fractions of a millisecond are rounded up. 0 stores
   * nothing and removes the earlier value. `Infinity` keeps it until it is removed or evicted. Default: the cache's `ttl`.
   */
  readonly ttl?: Duration | undefined
  /**
   * The instant until which the value is fresh, instead of `ttl`: milliseconds since 1970 or a `Date`; fractions are rounded down. An
   * instant that has passed stores nothing and removes the earlier value. `jitter` does not shorten it. Default: none.
   */
  readonly expiresAt?: number | Date | undefined
  /** How long after that it may still be served while it is refreshed, or when a load fails. Default: the cache's `staleFor`. */
  readonly staleFor?: Duration | undefined
}

/** A lifetime in milliseconds. */
export interface Lifetime {
  readonly ttl: number
  readonly staleFor: number
  /** The end of the fresh life, instead of `ttl`. */
  readonly expiresAt: number | undefined
}

/** The last instant that a `Date` can hold. */
const lastInstant = 8.64e15

export function lifetime(options: LifetimeOptions | undefined, fallback: Lifetime, operation: string): Lifetime {
  if (options === undefined) return fallback
  const { ttl, staleFor, expiresAt } = options
  if (ttl === undefined && staleFor === undefined && expiresAt === undefined) return fallback
  return {
    ttl: ttl === undefined ? fallback.ttl : milliseconds(ttl, 'ttl', operation),
    staleFor: staleFor === undefined ? fallback.staleFor : milliseconds(staleFor, 'staleFor', operation),
    expiresAt: expiresAt === undefined ? undefined : instant(expiresAt, ttl, operation),
  }
}

function instant(given: unknown, ttl: unknown, operation: string): number {
  if (ttl !== undefined) throw invalidArgument('expiresAt', given, 'absent where ttl is given', operation)
  const ms = Object.prototype.toString.call(given) === '[object Date]' ? Number(given) : given
  if (typeof ms !== 'number' || !(ms >= 0 && ms <= lastInstant))
    throw invalidArgument('expiresAt', given, 'milliseconds since 1970, or a valid Date', operation)
  return Math.floor(ms)
}
