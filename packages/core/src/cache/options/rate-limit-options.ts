import type { Duration } from '../../protocol/duration.ts'

/** Options of `rateLimit`. */
export interface RateLimitOptions {
  /** How many calls are allowed in any one window; a whole number of 1 or more. */
  readonly limit: number
  /** Length of the window. Windows of different lengths on one key count apart. */
  readonly window: Duration
}

/** The answer of `rateLimit`. */
export interface RateLimitResult {
  readonly allowed: boolean
  /** Calls that would still be allowed right now. */
  readonly remaining: number
  /** Instant (ms since the epoch) from which on one more call is allowed, as far as can be foreseen; now, while any remains. */
  readonly resetAt: number
}
