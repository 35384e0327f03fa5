import {
  type CacheBackend,
  checkBackend,
  checkOptions,
  type Duration,
  invalidArgument,
  milliseconds,
  trueOrFalse,
  wholeNumber,
} from '@cache/core/backend'

export interface RetryOptions {
  /** Tries after the first. Default 2. */
  readonly retries?: number | undefined
  /** About the time before the first retry; it doubles with each, with jitter. Default `'50ms'`. */
  readonly delay?: Duration | undefined
  /** The longest time between tries. Default `'1s'`. */
  readonly maxDelay?: Duration | undefined
}

export interface BreakerOptions {
  /** Failures in a row that open the circuit. Default 5. */
  readonly failures?: number | undefined
  /** How long calls are refused before one may probe the store. Default `'5s'`. */
  readonly probeAfter?: Duration | undefined
}

export interface BulkheadOptions {
  /** Calls under way at once. */
  readonly concurrent: number
  /** Calls that may wait for their turn; one more rejects with `QUEUE_FULL`. Default 0. */
  readonly queue?: number | undefined
}

export interface ResilientOptions {
  /** The backend that is guarded. */
  readonly backend: CacheBackend
  /** How long each try may take. Default `'1s'`. */
  readonly timeout?: Duration | undefined
  /** How reads, and writes that surely ended, are tried again. `false`: never. */
  readonly retry?: RetryOptions | false | undefined
  /** When calls are refused at once because the store fails. `false`: never. */
  readonly breaker?: BreakerOptions | false | undefined
  /** How many calls may be under way. Default: any number. */
  readonly bulkhead?: BulkheadOptions | undefined
  /**
   * `close` also closes the backend, unless another open cache or composite backend uses it: the last user closes it. Default
   * `true`. `false` is for a backend that the application closes itself.
   */
  readonly closeParts?: boolean | undefined
}

export interface ResolvedOptions {
  readonly backend: CacheBackend
  readonly timeout: number
  readonly retry: { readonly retries: number; readonly delay: number; readonly maxDelay: number } | undefined
  readonly breaker: { readonly failures: number; readonly probeAfter: number } | undefined
  readonly bulkhead: { readonly concurrent: number; readonly queue: number } | undefined
  readonly closeParts: boolean
}

const operation = 'new ResilientBackend'

export function resolveOptions(options: ResilientOptions): ResolvedOptions {
  checkOptions(options, ['backend', 'timeout', 'retry', 'breaker', 'bulkhead', 'closeParts'], operation)
  return {
    backend: checkBackend(options.backend, 'backend', operation),
    timeout: positive(options.timeout ?? '1s', 'timeout'),
    retry: options.retry === false ? undefined : resolveRetry(options.retry ?? {}),
    breaker: options.breaker === false ? undefined : resolveBreaker(options.breaker ?? {}),
    bulkhead: options.bulkhead === undefined ? undefined : resolveBulkhead(options.bulkhead),
    closeParts: trueOrFalse(options.closeParts ?? true, 'closeParts', operation),
  }
}

function resolveRetry(retry: RetryOptions): ResolvedOptions['retry'] {
  checkOptions(retry, ['retries', 'delay', 'maxDelay'], `${operation}: retry`)
  const retries = wholeNumber(retry.retries ?? 2, 'retry.retries', operation, 1)
  const delay = positive(retry.delay ?? '50ms', 'retry.delay')
  const maxDelay = positive(retry.maxDelay ?? '1s', 'retry.maxDelay')
  if (maxDelay < delay) throw invalidArgument('retry.maxDelay', maxDelay, 'retry.delay or more', operation)
  return { retries, delay, maxDelay }
}

function resolveBreaker(breaker: BreakerOptions): ResolvedOptions['breaker'] {
  checkOptions(breaker, ['failures', 'probeAfter'], `${operation}: breaker`)
  const failures = wholeNumber(breaker.failures ?? 5, 'breaker.failures', operation, 1)
  return { failures, probeAfter: positive(breaker.probeAfter ?? '5s', 'breaker.probeAfter') }
}

function resolveBulkhead(bulkhead: BulkheadOptions): ResolvedOptions['bulkhead'] {
  checkOptions(bulkhead, ['concurrent', 'queue'], `${operation}: bulkhead`)
  const concurrent = wholeNumber(bulkhead.concurrent, 'bulkhead.concurrent', operation, 1)
  return { concurrent, queue: wholeNumber(bulkhead.queue ?? 0, 'bulkhead.queue', operation) }
}

/** The longest delay that a timer takes; longer ones would fire at once. */
const longestTimer = 2 ** 31 - 1

function positive(given: Duration, name: string): number {
  const ms = milliseconds(given, name, operation)
  if (ms === 0 || ms > longestTimer) throw invalidArgument(name, given, `between 1 and ${longestTimer} ms`, operation)
  return ms
}
