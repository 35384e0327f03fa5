import { checkOptions, invalidArgument, wholeNumber } from '../protocol/argument.ts'
import { type Duration, milliseconds } from '../protocol/duration.ts'
import type { Item } from '../protocol/item.ts'
import { recordKey } from '../protocol/keyspace.ts'
import { createVersion } from '../protocol/version.ts'
import type { Operation } from './operation.ts'
import { type Scope, swapTries } from './scope.ts'
import { checkKey } from './write-options.ts'

export interface RateLimitOptions {
  /** How many calls are allowed in any one window; a whole number of 1 or more. */
  readonly limit: number
  /** Length of the window. */
  readonly window: Duration
}

export interface RateLimitResult {
  readonly allowed: boolean
  /** Calls that would still be allowed right now. */
  readonly remaining: number
  /** Instant (ms since the epoch) from which on one more call is allowed, as far as can be foreseen; now, while any remains. */
  readonly resetAt: number
}

/** What the record holds: when the current window began, the calls allowed in it and in the one before. */
type Window = readonly [start: number, current: number, previous: number]

/**
 * A sliding window counter: the calls allowed in the current fixed window and, by the share of it that still overlaps, in the
 * one before (as Cloudflare describes it in "How we built rate limiting capable of scaling to millions of domains", 2017).
 * Changed by compare-and-set, so that however many ask at once exactly the allowed number gets through.
 */
export class RateLimits {
  readonly #scope: Scope
  /** Calls of one process on one key queue up here, so that they do not fail each other's compare-and-set. */
  readonly #queues = new Map<string, Promise<unknown>>()

  constructor(scope: Scope) {
    this.#scope = scope
  }

  /** Runs one after the other with the calls for the same key in this process. */
  queued(key: string, run: () => Promise<RateLimitResult>): Promise<RateLimitResult> {
    const before = this.#queues.get(key)
    const mine = before === undefined ? run() : before.then(run, run)
    this.#queues.set(key, mine)
    const leave = (): void => {
      if (this.#queues.get(key) === mine) this.#queues.delete(key)
    }
    mine.then(leave, leave)
    return mine
  }

  *take(key: string, options: RateLimitOptions): Operation<RateLimitResult> {
    this.#scope.assertOpen('rateLimit')
    checkKey(key, 'rateLimit')
    checkOptions(options, ['limit', 'window'], 'rateLimit')
    const limit = wholeNumber(options.limit, 'limit', 'rateLimit', 1)
    const window = milliseconds(options.window, 'window', 'rateLimit')
    if (window === 0 || window === Infinity)
      throw invalidArgument('window', options.window, 'a length of time above 0 that ends', 'rateLimit')
    this.#scope.needsSwap('rateLimit')
    const record = recordKey('~', this.#scope.path, key)
    for (let tried = 0; tried < swapTries; tried += 1) {
      const item = yield* this.#scope.context.call('rateLimit', key, (store) => store.get(record))
      const now = this.#scope.context.now()
      const counted = roll(item?.value as Window | undefined, window, now)
      const free = limit - counted[1] - weight(counted, window, now)
      if (free < 1) return { allowed: false, remaining: 0, resetAt: nextFree(counted, limit, window) }
      const taken: Window = [counted[0], counted[1] + 1, counted[2]]
      const next: Item = {
        key: record,
        value: taken,
        version: createVersion(),
        createdAt: now,
        expiresAt: counted[0] + 2 * window,
      }
      if (yield* this.#scope.swap(record, item?.version, next, 'rateLimit')) {
        const remaining = Math.floor(free - 1)
        return { allowed: true, remaining, resetAt: remaining > 0 ? now : nextFree(taken, limit, window) }
      }
    }
    throw this.#scope.conflict('rateLimit', key)
  }
}

/** The record moved on to the window that holds `now`. A clock that lags behind the record's stays in the record's window (R16). */
function roll(counted: Window | undefined, window: number, now: number): Window {
  const start = now - (now % window)
  if (counted === undefined || start >= counted[0] + 2 * window) return [start, 0, 0]
  return start >= counted[0] + window ? [start, 0, counted[1]] : counted
}

/** Calls of the window before that still count. */
function weight(counted: Window, window: number, now: number): number {
  const over = Math.min(1, Math.max(0, (now - counted[0]) / window))
  return counted[2] * (1 - over)
}

/** The first instant at which one more call fits, if nobody calls before. */
function nextFree([start, current, previous]: Window, limit: number, window: number): number {
  const free = limit - current - 1
  if (free >= 0) return Math.ceil(start + window * (previous === 0 ? 0 : Math.max(0, 1 - free / previous)))
  return Math.ceil(start + window + window * Math.max(0, 1 - (limit - 1) / current))
}
