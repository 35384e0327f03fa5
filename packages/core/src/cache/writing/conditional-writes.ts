import { isPromise } from '../../backend-kit/maybe-promise.ts'
import { checkOptions, invalidArgument } from '../../protocol/argument.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import { type Duration, milliseconds } from '../../protocol/duration.ts'
import type { Item } from '../../protocol/item.ts'
import { createVersion } from '../../protocol/version.ts'
import { instants, renewed } from '../items/item-life.ts'
import { compareAndSetTries, type Namespace } from '../items/namespace.ts'
import { type Lifetime, lifetime } from '../options/lifetime.ts'
import { checkFunction, checkWriteOptions, type WriteOptions } from '../options/write-options.ts'
import { Finder, type LookUp } from '../reading/finder.ts'
import { answer, type Steps } from '../state/steps.ts'

/** Options of `increment` and `decrement`. */
export interface CountOptions {
  /** How long a counter lives from its creation. Default: the cache's `ttl`. */
  readonly ttl?: Duration | undefined
}

/** What is to be stored instead of the fresh value, or of the usable one, which may be stale; `undefined`: nothing. */
type Decide = (current: Item | undefined, usable: Item | undefined) => unknown

/** What stores, counts or removes on a condition, by compare-and-set. */
export class ConditionalWrites {
  readonly #namespace: Namespace
  readonly #finder: Finder

  constructor(namespace: Namespace) {
    this.#namespace = namespace
    this.#finder = new Finder(namespace)
  }

  /** Stores only where no value is. */
  *add(key: string, value: unknown, options: WriteOptions | undefined): Steps<boolean> {
    this.#namespace.checkValue(value, 'add')
    const decide = (current: Item | undefined): unknown => (current === undefined ? value : undefined)
    return (yield* this.#change(key, 'add', options, decide)) !== undefined
  }

  /** Stores only where a value is. */
  *replace(key: string, value: unknown, options: WriteOptions | undefined): Steps<boolean> {
    this.#namespace.checkValue(value, 'replace')
    const decide = (current: Item | undefined): unknown => (current === undefined ? undefined : value)
    return (yield* this.#change(key, 'replace', options, decide)) !== undefined
  }

  *compareAndSet(
    key: string,
    version: string | undefined,
    value: unknown,
    options: WriteOptions | undefined,
  ): Steps<boolean> {
    if (version !== undefined && (typeof version !== 'string' || version === '')) {
      throw invalidArgument('version', version, 'the version of an item, or undefined for "not there"', 'compareAndSet')
    }
    this.#namespace.checkValue(value, 'compareAndSet')
    // A stale item is "not there", and has a version nevertheless: `item` gives it.
    const decide = (current: Item | undefined, usable: Item | undefined): unknown =>
      (version === undefined ? current === undefined : usable?.version === version) ? value : undefined
    return (yield* this.#change(key, 'compareAndSet', options, decide)) !== undefined
  }

  /** Stores the result of `change` for the current value; starts again after a lost compare-and-set. */
  *update(key: string, change: (current: unknown) => unknown, options: WriteOptions | undefined): Steps<unknown> {
    checkFunction(change, 'change', 'update')
    return yield* this.#change(key, 'update', options, (current) => change(current?.value))
  }

  *take(key: string): Steps<unknown> {
    this.#namespace.assertOpen('take')
    const stored = this.#namespace.backendKey(key, 'take')
    this.#namespace.needsCompareAndSet('take')
    return yield* this.#namespace.exclusively([stored], this.#take(key, stored))
  }

  *#take(key: string, stored: string): Steps<unknown> {
    const namespace = this.#namespace
    if (namespace.writer !== undefined) yield* answer(namespace.writer.remove([namespace.writerKey(key)]))
    namespace.state.shared.flights.invalidate(stored)
    for (let tried = 0; tried < compareAndSetTries; tried += 1) {
      yield* namespace.backOff(tried)
      const found = yield* answer(this.#finder.find(stored, 'take', 'reject'))
      const current = this.#fresh(found)
      if (current === undefined) {
        if (!(yield* this.#closed(stored, found))) continue
        namespace.countMiss(key)
        return undefined
      }
      if (!(yield* namespace.compareAndSet(stored, found.raw?.version, undefined, 'take'))) continue
      namespace.state.shared.flights.invalidate(stored)
      namespace.countHit(key, false)
      namespace.countDelete(key, true)
      return current.value
    }
    throw namespace.conflict('take', key)
  }

  /**
   * Where there is nothing to take, nothing that is being loaded or written is to come in either: its placeholder goes (RACES R3), and
   * so does a stale value of which the database has none any more.
   */
  *#closed(stored: string, { raw }: LookUp): Steps<boolean> {
    if (raw === undefined || (raw.value !== undefined && this.#namespace.writer === undefined)) return true
    return yield* this.#namespace.compareAndSet(stored, raw.version, undefined, 'take')
  }

  /** Gives the value a new life from now on; resolves to whether there was one. */
  *touch(key: string, options: WriteOptions | undefined, operation: string): Steps<boolean> {
    this.#namespace.assertOpen(operation)
    const stored = this.#namespace.backendKey(key, operation)
    checkWriteOptions(options, operation, ['ttl', 'staleFor'])
    const life = lifetime(options, this.#namespace.state.settings.life, operation)
    this.#namespace.needsCompareAndSet(operation)
    return yield* this.#namespace.exclusively([stored], this.#touch(key, stored, life, operation))
  }

  *#touch(key: string, stored: string, life: Lifetime, operation: string): Steps<boolean> {
    for (let tried = 0; tried < compareAndSetTries; tried += 1) {
      yield* this.#namespace.backOff(tried)
      const current = this.#fresh(yield* answer(this.#finder.find(stored, operation, 'reject')))
      if (current === undefined) return false
      const again = renewed(current, instants(life, this.#namespace.state.now()))
      if (yield* this.#namespace.compareAndSet(stored, current.version, again, operation)) return true
    }
    throw this.#namespace.conflict(operation, key)
  }

  *increment(key: string, delta: number, options: CountOptions, operation: string): Steps<number> {
    this.#namespace.assertOpen(operation)
    const stored = this.#namespace.backendKey(key, operation)
    checkOptions(options, ['ttl'], operation)
    const { ttl } = options
    if (!Number.isSafeInteger(delta))
      throw invalidArgument('delta', delta, 'a whole number between -(2^53 - 1) and 2^53 - 1', operation)
    const life = ttl === undefined ? this.#namespace.state.settings.life.ttl : milliseconds(ttl, 'ttl', operation)
    if (life === 0)
      throw invalidArgument('ttl', ttl ?? life, 'more than 0: a counter that expires at once counts nothing', operation)
    const { adapter } = this.#namespace.state
    if (adapter.increment === undefined) this.#namespace.needsCompareAndSet(operation)
    const counting = this.#increment(key, stored, delta, life, operation)
    // A native counter needs no turn, unless the database is to see the sums in their order.
    if (adapter.increment !== undefined && this.#namespace.writer === undefined) return yield* counting
    return yield* this.#namespace.exclusively([stored], counting)
  }

  *#increment(key: string, stored: string, delta: number, life: number, operation: string): Steps<number> {
    const namespace = this.#namespace
    const { flights } = namespace.state.shared
    const expiresAt = life === Infinity ? undefined : namespace.state.now() + life
    flights.invalidate(stored)
    let sum: number
    try {
      sum = yield* namespace.state.guard(operation, key, this.#count(stored, delta, expiresAt, operation))
    } finally {
      flights.invalidate(stored)
    }
    if (namespace.writer !== undefined) yield* namespace.write([{ key, value: sum }], [stored], operation)
    return sum
  }

  /** The loop behind every conditional write: read, decide, compare-and-set, and again when another was faster. */
  *#change(key: string, operation: string, options: WriteOptions | undefined, decide: Decide): Steps<unknown> {
    this.#namespace.assertOpen(operation)
    const stored = this.#namespace.backendKey(key, operation)
    const writing = { key, stored, operation, options, life: this.#namespace.life(options, operation) }
    this.#namespace.needsCompareAndSet(operation)
    for (let tried = 0; tried < compareAndSetTries; tried += 1) {
      yield* this.#namespace.backOff(tried)
      const done = yield* this.#tryChange(writing, decide)
      if (done !== undefined) return done.value
    }
    throw this.#namespace.conflict(operation, key)
  }

  /** One try, in its turn; `undefined` where another was faster. */
  *#tryChange(writing: ConditionalWrite, decide: Decide): Steps<{ readonly value: unknown } | undefined> {
    const namespace = this.#namespace
    let end = yield* namespace.turn(writing.stored)
    try {
      const found = yield* answer(this.#finder.find(writing.stored, writing.operation, 'reject'))
      const decided = decide(this.#fresh(found), found.usable)
      let value = decided
      if (isPromise(decided)) {
        // Unlocked while user code runs: it may wait for a change of the same key.
        end()
        value = yield* namespace.state.awaitUserCode(decided)
        namespace.assertOpen(writing.operation)
        end = yield* namespace.turn(writing.stored)
      }
      if (value === undefined) return { value }
      return (yield* this.#put(writing, found.raw?.version, value)) ? { value } : undefined
    } finally {
      end()
    }
  }

  *#put(writing: ConditionalWrite, expected: string | undefined, value: unknown): Steps<boolean> {
    const namespace = this.#namespace
    const { key, stored, operation, options, life } = writing
    const tags = yield* namespace.capture(options?.tags, operation)
    const item = namespace.makeItem(stored, value, life, tags, options?.cost)
    if (!(yield* namespace.compareAndSet(stored, expected, item, operation))) return false
    namespace.state.shared.flights.invalidate(stored)
    namespace.countSet(key, item)
    // After the condition held: the database must not get a value that lost its race.
    if (namespace.writer !== undefined) yield* namespace.write([{ key, value }], [stored], operation)
    return true
  }

  #fresh({ usable }: LookUp): Item | undefined {
    return usable !== undefined && this.#namespace.isFresh(usable) ? usable : undefined
  }

  *#count(stored: string, delta: number, expiresAt: number | undefined, operation: string): Steps<number> {
    const { adapter } = this.#namespace.state
    if (adapter.increment !== undefined) return yield* answer(adapter.increment(stored, delta, expiresAt))
    for (let tried = 0; tried < compareAndSetTries; tried += 1) {
      yield* this.#namespace.backOff(tried)
      const item = yield* answer(adapter.get(stored))
      const sum = added(item?.value, delta, stored, operation)
      const base = { key: stored, value: sum, version: createVersion(), createdAt: this.#namespace.state.now() }
      const created = expiresAt === undefined ? base : { ...base, expiresAt }
      // An existing counter keeps its deadline, tags and cost; a placeholder is none.
      const next: Item = item === undefined || item.value === undefined ? created : { ...item, ...base }
      if (yield* answer(adapter.compareAndSet?.(stored, item?.version, next) ?? false)) return sum
    }
    throw this.#namespace.conflict(operation, stored)
  }
}

/** A conditional write with everything about it resolved. */
interface ConditionalWrite {
  readonly key: string
  readonly stored: string
  readonly operation: string
  readonly options: WriteOptions | undefined
  readonly life: Lifetime
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
