import { type Duration, milliseconds } from '../../protocol/duration.ts'

/** How long a value lives. */
export interface LifetimeOptions {
  /**
   * How long the value is fresh: milliseconds or a string such as `'10m'`; fractions of a millisecond are rounded up. 0 stores
   * nothing and removes the earlier value. `Infinity` keeps it until it is removed or evicted. Default: the cache's `ttl`.
   */
  readonly ttl?: Duration | undefined
  /** How long after that it may still be served while it is refreshed, or when a load fails. Default: the cache's `staleFor`. */
  readonly staleFor?: Duration | undefined
}

/** A lifetime in milliseconds. */
export interface Lifetime {
  readonly ttl: number
  readonly staleFor: number
}

export function lifetime(options: LifetimeOptions | undefined, fallback: Lifetime, operation: string): Lifetime {
  if (options === undefined || (options.ttl === undefined && options.staleFor === undefined)) return fallback
  return {
    ttl: options.ttl === undefined ? fallback.ttl : milliseconds(options.ttl, 'ttl', operation),
    staleFor:
      options.staleFor === undefined ? fallback.staleFor : milliseconds(options.staleFor, 'staleFor', operation),
  }
}
