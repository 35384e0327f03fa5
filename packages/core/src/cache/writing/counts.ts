import { checkOptions, invalidArgument } from '../../protocol/argument.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import { type Duration, milliseconds } from '../../protocol/duration.ts'
import type { Item } from '../../protocol/item.ts'
import { createVersion } from '../../protocol/version.ts'
import { compareAndSetTries, type Namespace } from '../items/namespace.ts'
import { answer, type Steps } from '../state/steps.ts'

/** Options of `increment` and `decrement`. */
export interface CountOptions {
  /** How long a counter lives from its creation. Default: the cache's `ttl`. */
  readonly ttl?: Duration | undefined
}

/** Options of `count`. */
export interface BoundedCountOptions extends CountOptions {
  /** The least result: a smaller sum becomes it. Default: none. */
  readonly least?: number | undefined
  /** The greatest result: a greater sum becomes it. Default: none. */
  readonly most?: number | undefined
}

/** A counter after a change. */
export interface Counted {
  readonly value: number
  /** The instant at which the counter expires, in milliseconds since 1970; absent if it does not. */
  readonly expiresAt?: number
}

/** One change of a counter, with its options resolved. */
interface Change {
  readonly key: string
  readonly backendKey: string
  readonly delta: number
  /** The expiry of a counter that the change creates. */
  readonly expiresAt: number | undefined
  readonly least: number
  readonly most: number
  readonly method: string
}

/** The counters. */
export class Counts {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  *increment(key: string, delta: number, options: CountOptions, method: string): Steps<number> {
    const change = this.#checked(key, delta, options, ['ttl'], method)
    const { adapter } = this.#namespace.state
    if (adapter.increment === undefined) this.#namespace.needsCompareAndSet(method)
    const counting = this.#counted(change, this.#add(change))
    // A native counter needs no mutex, unless the database is to receive the sums in their order.
    const exclusive = adapter.increment === undefined || this.#namespace.writer !== undefined
    const { value } = yield* exclusive ? this.#namespace.exclusively([change.backendKey], counting) : counting
    return value
  }

  /** Adds within bounds, by compare-and-set: a native counter knows neither bounds nor its deadline. */
  *count(key: string, delta: number, options: BoundedCountOptions): Steps<Counted> {
    const change = this.#checked(key, delta, options, ['ttl', 'least', 'most'], 'count')
    this.#namespace.needsCompareAndSet('count')
    const counting = this.#counted(change, this.#replaceSum(change))
    return yield* this.#namespace.exclusively([change.backendKey], counting)
  }

  #checked(key: string, delta: number, options: BoundedCountOptions, names: readonly string[], method: string): Change {
    const { settings } = this.#namespace.state
    this.#namespace.assertOpen(method)
    const backendKey = this.#namespace.backendKey(key, method)
    checkOptions(options, names, method)
    const { ttl } = options
    const least = bound(options.least, 'least', -Number.MAX_SAFE_INTEGER, method)
    const most = bound(options.most, 'most', Number.MAX_SAFE_INTEGER, method)
    if (least > most) throw invalidArgument('least', least, `no more than most, which is ${most}`, method)
    if (!Number.isSafeInteger(delta)) throw invalidArgument('delta', delta, wholeNumbers, method)
    const life = ttl === undefined ? settings.life.ttl : milliseconds(ttl, 'ttl', method)
    if (life === 0)
      throw invalidArgument('ttl', ttl ?? life, 'more than 0: a counter that expires at once counts nothing', method)
    const expiresAt = life === Infinity ? undefined : this.#namespace.state.now() + life
    return { key, backendKey, delta, expiresAt, least, most, method }
  }

  /** One change between two invalidations of the loads of its key; the database gets the value afterwards. */
  *#counted({ key, backendKey, method }: Change, changing: Steps<Counted>): Steps<Counted> {
    const namespace = this.#namespace
    const { flights } = namespace.state.shared
    flights.invalidate(backendKey)
    let counted: Counted
    try {
      counted = yield* namespace.state.guard(method, key, changing)
    } finally {
      flights.invalidate(backendKey)
    }
    if (namespace.writer !== undefined) yield* namespace.write([{ key, value: counted.value }], [backendKey], method)
    return counted
  }

  *#add(change: Change): Steps<Counted> {
    const { adapter } = this.#namespace.state
    if (adapter.increment === undefined) return yield* this.#replaceSum(change)
    return { value: yield* answer(adapter.increment(change.backendKey, change.delta, change.expiresAt)) }
  }

  *#replaceSum({ backendKey, delta, expiresAt, least, most, method }: Change): Steps<Counted> {
    const { adapter } = this.#namespace.state
    for (let tried = 0; tried < compareAndSetTries; tried += 1) {
      yield* this.#namespace.backOff(tried)
      const item = yield* answer(adapter.get(backendKey))
      const value = Math.min(most, Math.max(least, added(item?.value, delta, backendKey, method)))
      const base = { key: backendKey, value, version: createVersion(), createdAt: this.#namespace.state.now() }
      const created = expiresAt === undefined ? base : { ...base, expiresAt }
      // An existing counter keeps its deadline, tags and cost; a placeholder is none.
      const next: Item = item === undefined || item.value === undefined ? created : { ...item, ...base }
      if (yield* answer(adapter.compareAndSet?.(backendKey, item?.version, next) ?? false))
        return next.expiresAt === undefined ? { value } : { value, expiresAt: next.expiresAt }
    }
    throw this.#namespace.conflict(method, backendKey)
  }
}

const wholeNumbers = 'a whole number between -(2^53 - 1) and 2^53 - 1'

function bound(given: number | undefined, name: string, fallback: number, method: string): number {
  if (given === undefined) return fallback
  if (!Number.isSafeInteger(given)) throw invalidArgument(name, given, wholeNumbers, method)
  return given
}

/** The sum, or the errors that `increment` of a backend gives. */
function added(value: unknown, delta: number, key: string, operation: string): number {
  if (value !== undefined && !Number.isSafeInteger(value)) {
    throw new CacheError('NOT_A_NUMBER', `${operation}: '${key}' holds something that is not a whole number`, {
      operation,
      key,
    })
  }
  const sum = ((value as number | undefined) ?? 0) + delta
  if (!Number.isSafeInteger(sum)) {
    throw new CacheError(
      'OUT_OF_RANGE',
      `${operation}: '${key}' would leave the range of exact whole numbers, ±(2^53 - 1)`,
      { operation, key },
    )
  }
  return sum
}
