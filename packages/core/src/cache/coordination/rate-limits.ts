import { checkOptions, invalidArgument, oneOf, wholeNumber } from '../../protocol/argument.ts'
import { milliseconds } from '../../protocol/duration.ts'
import type { Item } from '../../protocol/item.ts'
import { recordKey } from '../../protocol/keyspace.ts'
import { createVersion } from '../../protocol/version.ts'
import { compareAndSetTries, type Namespace } from '../items/namespace.ts'
import type { RateLimitOptions, RateLimitResult } from '../options/rate-limit-options.ts'
import { checkKey } from '../options/write-options.ts'
import type { Limit } from '../state/backend-state.ts'
import { runAsync, runSync, type Steps } from '../state/steps.ts'
import { takeFromCounter } from './sliding-counter.ts'
import { takeFromLog } from './sliding-log.ts'

const algorithms = ['sliding-log', 'sliding-counter'] as const
/** The log of a larger limit would be copied by every call. */
const longestLog = 1000

/**
 * Rate limits across processes, changed by compare-and-set: of concurrent calls exactly the allowed number gets through. A clock that
 * is ahead of the others moves the window for all until the record runs out by the store's clock (RACES R16).
 */
export class RateLimits {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  takeSync(key: string, options: RateLimitOptions): RateLimitResult {
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
    checkOptions(options, ['limit', 'window', 'algorithm'], 'rateLimit')
    const limit = wholeNumber(options.limit, 'limit', 'rateLimit', 1)
    const window = milliseconds(options.window, 'window', 'rateLimit')
    if (window === 0 || window === Infinity)
      throw invalidArgument('window', options.window, 'a length of time above 0 that ends', 'rateLimit')
    const algorithm = oneOf(options.algorithm ?? 'sliding-log', algorithms, 'algorithm', 'rateLimit')
    if (algorithm === 'sliding-log' && limit > longestLog)
      throw invalidArgument(
        'limit',
        limit,
        `at most ${longestLog}, the size of the log; for more, choose algorithm: 'sliding-counter', which is approximate`,
        'rateLimit',
      )
    this.#namespace.needsCompareAndSet('rateLimit')
    return { limit, window, algorithm }
  }

  /** Each length of window counts for itself: five a minute and a hundred a day may be asked of one key. */
  #record(key: string, { window, algorithm }: Limit): string {
    const kind = algorithm === 'sliding-log' ? 'log' : ''
    return recordKey('~', this.#namespace.path, `${window}${kind}:${key}`)
  }

  *#takeAll(record: string, key: string, calls: readonly Limit[]): Steps<RateLimitResult[]> {
    const take = calls[0]?.algorithm === 'sliding-counter' ? takeFromCounter : takeFromLog
    for (let tried = 0; tried < compareAndSetTries; tried += 1) {
      yield* this.#namespace.backOff(tried)
      const item = yield* this.#namespace.state.call('rateLimit', key, (adapter) => adapter.get(record))
      const now = this.#namespace.state.now()
      const { results, counted, expiresAt } = take(item, calls, now)
      if (counted === undefined) return results
      const next: Item = { key: record, value: counted, version: createVersion(), createdAt: now, expiresAt }
      if (yield* this.#namespace.compareAndSet(record, item?.version, next, 'rateLimit')) return results
    }
    throw this.#namespace.conflict('rateLimit', key)
  }
}
