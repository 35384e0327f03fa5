import { invalidArgument, isList, nonEmptyString } from '../../protocol/argument.ts'
import type { CacheBackend, SyncCacheBackend } from '../../protocol/backend.ts'
import { type Clock, systemClock } from '../../protocol/clock.ts'
import { type Duration, milliseconds } from '../../protocol/duration.ts'
import type { Lifetime } from './lifetime.ts'
import { type CacheLogger, loggerOf } from './logger.ts'
import type { WriteBehindOptions, Writer } from './writer.ts'

/** Options of loads that a cache sets for all and each `getOrSet` may set for itself. */
export interface LoadingOptions {
  /**
   * The longest that a caller waits, for the look-up and the load together; after it the caller gets the stale value, or a
   * `LOAD_TIMEOUT` error. The load goes on and its late result is stored; after twice this time the load no longer holds the key.
   * Default `'2m'`.
   */
  readonly timeout?: Duration | undefined
  /**
   * How long a caller waits for a load when there is a stale value to serve instead. 0 serves it at once and loads behind
   * (stale while revalidate); `Infinity` serves it only when the load fails. Default 0.
   */
  readonly softTimeout?: Duration | undefined
  /** Loads in the background once this fraction of the fresh life is over, between 0 and 1. Default 1: never. */
  readonly refreshAhead?: number | undefined
  /**
   * Loads in the background with a probability that rises towards the end of the fresh life, so that many processes do not
   * load at the same instant (XFetch; Vattani, Chierichetti, Lowenstein, VLDB 2015). The factor of the mean load time: 1 is
   * the paper's optimum, larger is earlier. Default 0: never.
   */
  readonly earlyExpiry?: number | undefined
  /** How long the stale value is served without trying again after a load failed. Default `'1s'`. */
  readonly retryAfter?: Duration | undefined
  /** Lifetime of a loaded `null` ("we looked, there is none"). Default: `ttl`. */
  readonly nullTtl?: Duration | undefined
  /** Shortens each lifetime by a random part of up to this fraction, between 0 and 1. Default 0. */
  readonly jitter?: number | undefined
  /**
   * One load per key across processes, by a lease in the backend. Correctness does not depend on it: a caller that waits longer than
   * `timeout` loads too. Needs `compareAndSet`. Default `false`.
   */
  readonly lock?: boolean | undefined
  /**
   * The effect of a failing backend on `get`, `getMany`, `has` and `getOrSet`: a miss, with an `error` event and a count in `errors`, or a
   * rejection. Writes, deletes and counters always reject. Default `'miss'`.
   */
  readonly readFailure?: 'miss' | 'reject' | undefined
  /**
   * Called with a promise for each load, which settles after its result is stored and never rejects: a load goes on without its caller
   * when a stale value was served or the caller timed out. For platforms that stop a process after its response, such as
   * `(work) => context.waitUntil(work)`. An error that it throws is an `error` event. Default: none.
   */
  readonly waitUntil?: ((work: Promise<unknown>) => void) | undefined
}

/** Options of `Cache` and `SyncCache`. */
export interface CommonCacheOptions extends Pick<LoadingOptions, 'retryAfter' | 'nullTtl' | 'jitter' | 'readFailure'> {
  /** The name of the cache in its errors, events, traces and metrics. Namespaces of the cache have the same. Default `'cache'`. */
  readonly name?: string | undefined
  /** Segments put in front of every key, so that caches with different namespaces share a backend. Default: none. */
  readonly namespace?: string | readonly string[] | undefined
  /** How long a value is fresh. Default `'5m'`; `Infinity` keeps it until it is removed or evicted. */
  readonly ttl?: Duration | undefined
  /** How long after that a value may still be served while it is refreshed, or when a load fails. Default 0. */
  readonly staleFor?: Duration | undefined
  /** Lifetime of a tag's record, renewed while it is used. A lost record makes its items misses. Default `'30d'`. */
  readonly tagTtl?: Duration | undefined
  /** Changes each key before it is used, such as `hashLongKeys(200)`. `keys`, `deleteByPrefix` and the events of the backend then go by the changed keys. Default: none. */
  readonly transformKey?: ((key: string) => string) | undefined
  /**
   * Gets failures, recoveries and, where it has `debug`, loads and invalidations, as an object with their details and a message:
   * `console`, or a logger of pino. A failure of the same kind is logged once in ten seconds, with the number of those left out.
   * Default: none. Then the first failure of each kind that no caller and no listener sees is a warning of the process.
   */
  readonly logger?: CacheLogger | undefined
  /** Source of the current instant and of timers. Default: the machine's. */
  readonly clock?: Clock | undefined
  /** Numbers from 0 up to, not including, 1. Default `Math.random`. */
  readonly random?: (() => number) | undefined
}

/** Options of `SyncCache`. */
export interface SyncCacheOptions extends CommonCacheOptions {
  /** Where items are kept: a synchronous backend, or a backend with a synchronous side (`sync`), such as memory. */
  readonly backend: CacheBackend | SyncCacheBackend
}

export interface CacheOptions<Value = unknown> extends CommonCacheOptions, LoadingOptions {
  /** Where items are kept. Several caches and composite backends may share one; the last of them to close closes it. */
  readonly backend: CacheBackend
  /** The application's own database, written whenever the cache is. Default: none. */
  readonly writer?: Writer<Value> | undefined
  /** `'through'` writes to the writer before a call resolves, `'behind'` after it, in batches. Default `'through'`. */
  readonly writeMode?: 'through' | 'behind' | undefined
  readonly writeBehind?: WriteBehindOptions | undefined
}

/** The effect of a failing backend on a read. */
export type ReadFailure = 'miss' | 'reject'

/** `LoadingOptions` in numbers. */
export interface LoadSettings {
  readonly timeout: number
  readonly softTimeout: number
  readonly refreshAhead: number
  readonly earlyExpiry: number
  readonly retryAfter: number
  readonly nullTtl: number | undefined
  readonly jitter: number
  readonly lock: boolean
  readonly readFailure: 'miss' | 'reject'
  readonly waitUntil: ((work: Promise<unknown>) => void) | undefined
}

/** Every option with its default filled in. */
export interface Settings {
  readonly name: string
  readonly life: Lifetime
  readonly load: LoadSettings
  readonly tagTtl: number
  readonly transformKey: ((key: string) => string) | undefined
  readonly logger: CacheLogger | undefined
  readonly clock: Required<Clock>
  readonly random: () => number
}

export const loadingOptionNames = [
  'timeout',
  'softTimeout',
  'refreshAhead',
  'earlyExpiry',
  'retryAfter',
  'nullTtl',
  'jitter',
  'lock',
  'readFailure',
  'waitUntil',
] as const

const syncOptionNames = [
  'name',
  'backend',
  'namespace',
  'ttl',
  'staleFor',
  'tagTtl',
  'transformKey',
  'logger',
  'clock',
  'random',
  'retryAfter',
  'nullTtl',
  'jitter',
  'readFailure',
]

export const cacheOptionNames: readonly string[] = [
  ...new Set([...syncOptionNames, ...loadingOptionNames, 'writer', 'writeMode', 'writeBehind']),
]
export const syncCacheOptionNames: readonly string[] = syncOptionNames

export const loadDefaults: LoadSettings = {
  timeout: 120_000,
  softTimeout: 0,
  refreshAhead: 1,
  earlyExpiry: 0,
  retryAfter: 1000,
  nullTtl: undefined,
  jitter: 0,
  lock: false,
  readFailure: 'miss',
  waitUntil: undefined,
}

export function resolveSettings(options: CommonCacheOptions & LoadingOptions, operation: string): Settings {
  const given = options.clock
  if (given !== undefined && (given === null || typeof given.now !== 'function')) {
    throw invalidArgument('clock', given, 'an object with a method now()', operation)
  }
  if (options.transformKey !== undefined && typeof options.transformKey !== 'function') {
    throw invalidArgument('transformKey', options.transformKey, 'a function from string to string', operation)
  }
  if (options.random !== undefined && typeof options.random !== 'function') {
    throw invalidArgument('random', options.random, 'a function that returns a number from 0 up to 1', operation)
  }
  if (given?.after !== undefined && typeof given.after !== 'function') {
    throw invalidArgument('clock.after', given.after, 'a function, or absent', operation)
  }
  const tagTtl = duration(options.tagTtl, 'tagTtl', 30 * 86_400_000, operation)
  if (tagTtl === 0)
    throw invalidArgument(
      'tagTtl',
      options.tagTtl,
      'more than 0: items of a tag without a record are misses',
      operation,
    )
  return {
    name: options.name === undefined ? 'cache' : nonEmptyString(options.name, 'name', operation),
    life: {
      ttl: duration(options.ttl, 'ttl', 300_000, operation),
      staleFor: duration(options.staleFor, 'staleFor', 0, operation),
      expiresAt: undefined,
    },
    load: resolveLoading(options, loadDefaults, operation),
    tagTtl,
    transformKey: options.transformKey,
    logger: loggerOf(options.logger, operation),
    clock: given === undefined ? systemClock : completeClock(given),
    random: options.random ?? Math.random,
  }
}

function completeClock(given: Clock): Required<Clock> {
  return {
    // Instants are whole numbers, also with a clock that counts fractions.
    now: () => Math.floor(given.now()),
    after: (ms, action, keepAlive) => (given.after ?? systemClock.after).call(given, ms, action, keepAlive),
  }
}

/** The options with their defaults filled in. Throws `INVALID_ARGUMENT`. */
export function resolveLoading(options: LoadingOptions, fallback: LoadSettings, operation: string): LoadSettings {
  return {
    timeout: timeLimit(options.timeout, fallback.timeout, operation),
    softTimeout: duration(options.softTimeout, 'softTimeout', fallback.softTimeout, operation),
    refreshAhead: fraction(options.refreshAhead, 'refreshAhead', fallback.refreshAhead, operation),
    earlyExpiry: nonNegative(options.earlyExpiry, 'earlyExpiry', fallback.earlyExpiry, operation),
    retryAfter: duration(options.retryAfter, 'retryAfter', fallback.retryAfter, operation),
    nullTtl: options.nullTtl === undefined ? fallback.nullTtl : milliseconds(options.nullTtl, 'nullTtl', operation),
    jitter: fraction(options.jitter, 'jitter', fallback.jitter, operation),
    lock: boolean(options.lock, 'lock', fallback.lock, operation),
    readFailure: readFailure(options.readFailure, fallback.readFailure, operation),
    waitUntil: options.waitUntil === undefined ? fallback.waitUntil : functionOf(options.waitUntil, operation),
  }
}

function duration(given: Duration | undefined, name: string, fallback: number, operation: string): number {
  return given === undefined ? fallback : milliseconds(given, name, operation)
}

function timeLimit(given: Duration | undefined, fallback: number, operation: string): number {
  const ms = duration(given, 'timeout', fallback, operation)
  if (ms === 0) throw invalidArgument('timeout', given, 'more than 0; Infinity waits without a limit', operation)
  return ms
}

function fraction(given: number | undefined, name: string, fallback: number, operation: string): number {
  if (given === undefined) return fallback
  if (typeof given !== 'number' || !(given >= 0 && given <= 1))
    throw invalidArgument(name, given, 'a number between 0 and 1', operation)
  return given
}

function nonNegative(given: number | undefined, name: string, fallback: number, operation: string): number {
  if (given === undefined) return fallback
  if (typeof given !== 'number' || !(given >= 0 && given < Infinity))
    throw invalidArgument(name, given, 'a finite number of 0 or more', operation)
  return given
}

function functionOf<Given>(given: Given, operation: string): Given {
  if (typeof given !== 'function') throw invalidArgument('waitUntil', given, 'a function', operation)
  return given
}

function boolean(given: boolean | undefined, name: string, fallback: boolean, operation: string): boolean {
  if (given === undefined) return fallback
  if (typeof given !== 'boolean') throw invalidArgument(name, given, 'true or false', operation)
  return given
}

export function readFailure(given: unknown, fallback: 'miss' | 'reject', operation: string): 'miss' | 'reject' {
  if (given === undefined) return fallback
  if (given !== 'miss' && given !== 'reject')
    throw invalidArgument('readFailure', given, "'miss' or 'reject'", operation)
  return given
}

/** The segments of the `namespace` option or argument. */
export function namespaceSegments(given: unknown, operation: string): readonly string[] {
  const segments = given === undefined ? [] : typeof given === 'string' ? [given] : given
  // `Array.from` makes a hole `undefined`, which `some` would skip.
  if (!isList(segments) || Array.from(segments).some((name) => typeof name !== 'string' || name === '')) {
    throw invalidArgument('namespace', given, 'a string that is not empty, or an array of such strings', operation)
  }
  return segments as readonly string[]
}

/** The argument of `namespace`. */
export function namespaceName(given: unknown): string {
  return nonEmptyString(given, 'name', 'namespace')
}
