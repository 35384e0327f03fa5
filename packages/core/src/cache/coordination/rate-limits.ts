import { checkOptions, invalidArgument, wholeNumber } from '../../protocol/argument.ts'
import { milliseconds } from '../../protocol/duration.ts'
import type { Item } from '../../protocol/item.ts'
import { recordKey } from '../../protocol/keyspace.ts'
import { createVersion } from '../../protocol/version.ts'
import { compareAndSetTries, type Namespace } from '../items/namespace.ts'
import type { RateLimitOptions, RateLimitResult } from '../options/rate-limit-options.ts'
import { checkKey } from '../options/write-options.ts'
import type { Limit } from '../state/backend-state.ts'
import { runAsync, runSync, type Steps } from '../state/steps.ts'

/** What the record holds: when the current window began, the calls allowed in it and in the one before. */
type Window = readonly [start: number, current: number, previous: number]

/**
 * A sliding window counter: the calls allowed in the current fixed window and, by the share of it that still overlaps, in the
 * one before (as Cloudflare describes it in "How we built rate limiting capable of scaling to millions of domains", 2017).
 * Changed by compare-and-set, so that however many ask at once exactly the allowed number gets through. A clock that is ahead
 * of the others moves the window for all, and what that window allows is all there is until the record runs out: two windows
 * after its last change, by the store's clock (RACES R16).
 */
export class RateLimits {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  takeNow(key: string, options: RateLimitOptions): RateLimitResult {
    const limit = this.#checked(key, options)
    return runSync(this.#takeAll(this.#record(key, limit), key, [limit]))[0] as RateLimitResult
  }

  /** Calls of this process on one key that come while an earlier one is on its way go together, in one compare-and-set. */
  async take(key: string, options: RateLimitOptions): Promise<RateLimitResult> {
    const limit = this.#checked(key, options)
    const record = this.#record(key, limit)
    const { state } = this.#namespace
    if (state.local) return (await runAsync(this.#takeAll(record, key, [limit])))[0] as RateLimitResult
    const { limited } = state.shared
    const waiting = limited.get(record)
    return await new Promise<RateLimitResult>((resolve, reject) => {
      const call = { ...limit, resolve, reject }
      if (waiting !== undefined) waiting.push(call)
      else {
        limited.set(record, [call])
        void this.#serve(record, key)
      }
    })
  }

  async #serve(record: string, key: string): Promise<void> {
    const { state } = this.#namespace
    const { limited } = state.shared
    const waiting = limited.get(record) ?? []
    // Those that wait are in flight too, between two rounds as well (RACES R33).
    state.begin()
    while (waiting.length > 0) {
      const calls = waiting.splice(0)
      try {
        const results = await state.run(this.#takeAll(record, key, calls))
        for (const [index, call] of calls.entries()) call.resolve(results[index] as RateLimitResult)
      } catch (error) {
        for (const call of calls) call.reject(error)
      }
    }
    limited.delete(record)
    state.end()
  }

  #checked(key: string, options: RateLimitOptions): Limit {
    this.#namespace.assertOpen('rateLimit')
    checkKey(key, 'rateLimit')
    checkOptions(options, ['limit', 'window'], 'rateLimit')
    const limit = wholeNumber(options.limit, 'limit', 'rateLimit', 1)
    const window = milliseconds(options.window, 'window', 'rateLimit')
    if (window === 0 || window === Infinity)
      throw invalidArgument('window', options.window, 'a length of time above 0 that ends', 'rateLimit')
    this.#namespace.needsCompareAndSet('rateLimit')
    return { limit, window }
  }

  /** Each length of window counts for itself: five a minute and a hundred a day may be asked of one key. */
  #record(key: string, { window }: Limit): string {
    return recordKey('~', this.#namespace.path, `${window}:${key}`)
  }

  *#takeAll(record: string, key: string, calls: readonly Limit[]): Steps<RateLimitResult[]> {
    for (let tried = 0; tried < compareAndSetTries; tried += 1) {
      yield* this.#namespace.backOff(tried)
      const item = yield* this.#namespace.state.call('rateLimit', key, (adapter) => adapter.get(record))
      const now = this.#namespace.state.now()
      const { results, counted, expiresAt } = takeInTurn(item, calls, now)
      if (counted === undefined) return results
      const next: Item = { key: record, value: counted, version: createVersion(), createdAt: now, expiresAt }
      if (yield* this.#namespace.compareAndSet(record, item?.version, next, 'rateLimit')) return results
    }
    throw this.#namespace.conflict('rateLimit', key)
  }
}

/** The answers to calls that come one after the other, and the record after them; `counted` is `undefined` where it stays as it is. */
function takeInTurn(
  before: Item | undefined,
  calls: readonly Limit[],
  now: number,
): { results: RateLimitResult[]; counted: Window | undefined; expiresAt: number } {
  const window = calls[0]?.window ?? 0
  // Within two windows everything that is counted now has slid out, whatever clock the record's window began by.
  const gone = now + 2 * window
  let counted = roll(before?.value as Window | undefined, window, now)
  const freeAt = (limit: number): number => Math.min(nextFree(counted, limit, window), gone)
  let allowed = false
  const results = calls.map(({ limit }): RateLimitResult => {
    if (free(counted, limit, window, now) < 1) return { allowed: false, remaining: 0, resetAt: freeAt(limit) }
    counted = [counted[0], counted[1] + 1, counted[2]]
    allowed = true
    const remaining = free(counted, limit, window, now)
    return { allowed: true, remaining, resetAt: remaining > 0 ? now : freeAt(limit) }
  })
  // Whoever is refused changes nothing, but for a record that a clock ahead of this one gave a longer life.
  const tooLong = before?.expiresAt !== undefined && before.expiresAt > gone
  return {
    results,
    counted: allowed || tooLong ? counted : undefined,
    expiresAt: Math.min(counted[0] + 2 * window, gone),
  }
}

/** The record moved on to the window that holds `now`. A clock that lags behind the record's stays in the record's window (R16). */
function roll(counted: Window | undefined, window: number, now: number): Window {
  const start = now - (now % window)
  if (counted === undefined || start >= counted[0] + 2 * window) return [start, 0, 0]
  return start >= counted[0] + window ? [start, 0, counted[1]] : counted
}

/** Calls that fit right now, a whole number of 0 or more: those of the window before count by the share that still overlaps. */
function free([start, current, previous]: Window, limit: number, window: number, now: number): number {
  const over = Math.min(window, Math.max(0, now - start))
  return Math.max(0, limit - current - Math.ceil((previous * (window - over)) / window))
}

/** The first instant at which one more call fits, if nobody calls before. */
function nextFree([start, current, previous]: Window, limit: number, window: number): number {
  const room = limit - current - 1
  if (room >= 0) return start + untilWeighs(previous, room, window)
  return start + window + untilWeighs(current, limit - 1, window)
}

/** Milliseconds of a window after which `calls` of the window before weigh no more than `room`. */
function untilWeighs(calls: number, room: number, window: number): number {
  return calls <= room ? 0 : Math.ceil(window - (room * window) / calls)
}
