import type { Duration } from '../../protocol/duration.ts'

/** How the calls of a window are counted. */
export type RateLimitAlgorithm = 'sliding-log' | 'sliding-counter'

/** Options of `rateLimit`. */
export interface RateLimitOptions {
  /** How many calls are allowed in any one window: a whole number of 1 or more, at most 1,000 with `'sliding-log'`. */
  readonly limit: number
  /** Length of the window. Windows of different lengths on one key count apart, and so do the two algorithms. */
  readonly window: Duration
  /**
   * `'sliding-log'` is exact: no window ever holds more than `limit` allowed calls. Its record has one number for each of them.
   * `'sliding-counter'` has three numbers for any limit and is approximate: just under twice the limit may pass within one window.
   * Default `'sliding-log'`.
   */
  readonly algorithm?: RateLimitAlgorithm | undefined
}

/** The answer of `rateLimit`. */
export interface RateLimitResult {
  readonly allowed: boolean
  /** Calls that would still be allowed right now. */
  readonly remaining: number
  /** Instant (ms since the epoch) from which on one more call is allowed, as far as can be foreseen; now, while any remains. */
  readonly resetAt: number
}
