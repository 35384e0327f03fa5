import { checkOptions, invalidArgument } from '../../protocol/argument.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import { type Duration, milliseconds } from '../../protocol/duration.ts'
import type { Item } from '../../protocol/item.ts'
import { createVersion } from '../../protocol/version.ts'
import { instants, type Lifetime, lifetime, renewed } from '../options/lifetime.ts'
import { answer, isPromise, type Operation } from '../state/steps.ts'
import { compareAndSetTries, type Found, type Scope } from '../items/namespace.ts'
import { checkFunction, checkWriteOptions, type WriteOptions } from '../options/write-options.ts'

/** Options of `increment` and `decrement`. */
export interface CountOptions {
  /** How long a counter lives from its creation. Default: the cache's `ttl`. */
  readonly ttl?: Duration | undefined
}

/** What is to be stored instead of the fresh value, or of the usable one, which may be stale; `undefined`: nothing. */
type Decide = (current: Item | undefined, usable: Item | undefined) => unknown

/** What stores, counts or removes on a condition, by compare-and-set. */
export class ConditionalWrites {
  readonly #scope: Scope

  constructor(scope: Scope) {
    this.#scope = scope
  }

  /** Stores only where no value is. */
  *add(key: string, value: unknown, options: WriteOptions | undefined): Operation<boolean> {
    this.#scope.checkValue(value, 'add')
    const decide = (current: Item | undefined): unknown => (current === undefined ? value : undefined)
    return (yield* this.#change(key, 'add', options, decide)) !== undefined
  }

  /** Stores only where a value is. */
  *replace(key: string, value: unknown, options: WriteOptions | undefined): Operation<boolean> {
    this.#scope.checkValue(value, 'replace')
    const decide = (current: Item | undefined): unknown => (current === undefined ? undefined : value)
    return (yield* this.#change(key, 'replace', options, decide)) !== undefined
  }

  *compareAndSet(
    key: string,
    version: string | undefined,
    value: unknown,
    options: WriteOptions | undefined,
  ): Operation<boolean> {
    if (version !== undefined && (typeof version !== 'string' || version === '')) {
      throw invalidArgument('version', version, 'the version of an item, or undefined for "not there"', 'compareAndSet')
    }
    this.#scope.checkValue(value, 'compareAndSet')
    // A stale item is "not there", and has a version nevertheless: `item` gives it.
    const decide = (current: Item | undefined, usable: Item | undefined): unknown =>
      (version === undefined ? current === undefined : usable?.version === version) ? value : undefined
    return (yield* this.#change(key, 'compareAndSet', options, decide)) !== undefined
  }

  /** Stores what `change` makes of the current value; starts again when another was faster. */
  *update(key: string, change: (current: unknown) => unknown, options: WriteOptions | undefined): Operation<unknown> {
    checkFunction(change, 'change', 'update')
    return yield* this.#change(key, 'update', options, (current) => change(current?.value))
  }

  *take(key: string): Operation<unknown> {
    this.#scope.assertOpen('take')
    const stored = this.#scope.stored(key, 'take')
    this.#scope.needsCompareAndSet('take')
    return yield* this.#scope.inTurn([stored], this.#take(key, stored))
  }

  *#take(key: string, stored: string): Operation<unknown> {
    const scope = this.#scope
    if (scope.writer !== undefined) yield* answer(scope.writer.remove([scope.writerKey(key)]))
    scope.context.share.flights.fence(stored)
    for (let tried = 0; tried < compareAndSetTries; tried += 1) {
      yield* scope.stepAside(tried)
      const found = yield* scope.lookup(stored, 'take')
      const current = this.#fresh(found)
      if (current === undefined) {
        if (!(yield* this.#closed(stored, found))) continue
        scope.countMiss(key)
        return undefined
      }
      if (!(yield* scope.compareAndSet(stored, found.raw?.version, undefined, 'take'))) continue
      scope.context.share.flights.fence(stored)
      scope.countHit(key, false)
      scope.countDelete(key, true)
      return current.value
    }
    throw scope.conflict('take', key)
  }

  /**
   * Where there is nothing to take, nothing that is being loaded or written is to come in either: its placeholder goes (RACES R3), and
   * so does a stale value of which the database has none any more.
   */
  *#closed(stored: string, { raw }: Found): Operation<boolean> {
    if (raw === undefined || (raw.value !== undefined && this.#scope.writer === undefined)) return true
    return yield* this.#scope.compareAndSet(stored, raw.version, undefined, 'take')
  }

  /** Gives the value a new life from now on; resolves to whether there was one. */
  *touch(key: string, options: WriteOptions | undefined, operation: string): Operation<boolean> {
    this.#scope.assertOpen(operation)
    const stored = this.#scope.stored(key, operation)
    checkWriteOptions(options, operation, ['ttl', 'staleFor'])
    const life = lifetime(options, this.#scope.context.settings.life, operation)
    this.#scope.needsCompareAndSet(operation)
    return yield* this.#scope.inTurn([stored], this.#touch(key, stored, life, operation))
  }

  *#touch(key: string, stored: string, life: Lifetime, operation: string): Operation<boolean> {
    for (let tried = 0; tried < compareAndSetTries; tried += 1) {
      yield* this.#scope.stepAside(tried)
      const current = this.#fresh(yield* this.#scope.lookup(stored, operation))
      if (current === undefined) return false
      const again = renewed(current, instants(life, this.#scope.context.now()))
      if (yield* this.#scope.compareAndSet(stored, current.version, again, operation)) return true
    }
    throw this.#scope.conflict(operation, key)
  }

  *increment(key: string, delta: number, options: CountOptions, operation: string): Operation<number> {
    this.#scope.assertOpen(operation)
    const stored = this.#scope.stored(key, operation)
    checkOptions(options, ['ttl'], operation)
    const { ttl } = options
    if (!Number.isSafeInteger(delta))
      throw invalidArgument('delta', delta, 'a whole number between -(2^53 - 1) and 2^53 - 1', operation)
    const life = ttl === undefined ? this.#scope.context.settings.life.ttl : milliseconds(ttl, 'ttl', operation)
    if (life === 0)
      throw invalidArgument('ttl', ttl ?? life, 'more than 0: a counter that expires at once counts nothing', operation)
    const { store } = this.#scope.context
    if (store.increment === undefined) this.#scope.needsCompareAndSet(operation)
    const counting = this.#increment(key, stored, delta, life, operation)
    // A native counter needs no turn, unless the database is to see the sums in their order.
    if (store.increment !== undefined && this.#scope.writer === undefined) return yield* counting
    return yield* this.#scope.inTurn([stored], counting)
  }

  *#increment(key: string, stored: string, delta: number, life: number, operation: string): Operation<number> {
    const scope = this.#scope
    const { flights } = scope.context.share
    const expiresAt = life === Infinity ? undefined : scope.context.now() + life
    flights.fence(stored)
    let sum: number
    try {
      sum = yield* scope.context.guard(operation, key, this.#count(stored, delta, expiresAt, operation))
    } finally {
      flights.fence(stored)
    }
    if (scope.writer !== undefined) yield* scope.write([{ key, value: sum }], [stored], operation)
    return sum
  }

  /** The loop behind every conditional write: read, decide, compare-and-set, and again when another was faster. */
  *#change(key: string, operation: string, options: WriteOptions | undefined, decide: Decide): Operation<unknown> {
    this.#scope.assertOpen(operation)
    const stored = this.#scope.stored(key, operation)
    const writing = { key, stored, operation, options, life: this.#scope.life(options, operation) }
    this.#scope.needsCompareAndSet(operation)
    for (let tried = 0; tried < compareAndSetTries; tried += 1) {
      yield* this.#scope.stepAside(tried)
      const done = yield* this.#tryChange(writing, decide)
      if (done !== undefined) return done.value
    }
    throw this.#scope.conflict(operation, key)
  }

  /** One try, in its turn; `undefined` where another was faster. */
  *#tryChange(writing: ConditionalWrite, decide: Decide): Operation<{ readonly value: unknown } | undefined> {
    const scope = this.#scope
    let end = yield* scope.turn(writing.stored)
    try {
      const found = yield* scope.lookup(writing.stored, writing.operation)
      const decided = decide(this.#fresh(found), found.usable)
      let value = decided
      if (isPromise(decided)) {
        // Others have their turns while the application thinks: what it awaits may well be a change of the same key.
        end()
        value = yield* scope.context.aside(decided)
        scope.assertOpen(writing.operation)
        end = yield* scope.turn(writing.stored)
      }
      if (value === undefined) return { value }
      return (yield* this.#put(writing, found.raw?.version, value)) ? { value } : undefined
    } finally {
      end()
    }
  }

  *#put(writing: ConditionalWrite, expected: string | undefined, value: unknown): Operation<boolean> {
    const scope = this.#scope
    const { key, stored, operation, options, life } = writing
    const tags = yield* scope.capture(options?.tags, operation)
    const item = scope.makeItem(stored, value, life, tags, options?.cost)
    if (!(yield* scope.compareAndSet(stored, expected, item, operation))) return false
    scope.context.share.flights.fence(stored)
    scope.countSet(key, item)
    // After the condition held: the database must not get a value that lost its race.
    if (scope.writer !== undefined) yield* scope.write([{ key, value }], [stored], operation)
    return true
  }

  #fresh({ usable }: Found): Item | undefined {
    return usable !== undefined && this.#scope.context.isFresh(usable) ? usable : undefined
  }

  *#count(stored: string, delta: number, expiresAt: number | undefined, operation: string): Operation<number> {
    const { store } = this.#scope.context
    if (store.increment !== undefined) return yield* answer(store.increment(stored, delta, expiresAt))
    for (let tried = 0; tried < compareAndSetTries; tried += 1) {
      yield* this.#scope.stepAside(tried)
      const item = yield* answer(store.get(stored))
      const sum = added(item?.value, delta, stored, operation)
      const base = { key: stored, value: sum, version: createVersion(), createdAt: this.#scope.context.now() }
      const created = expiresAt === undefined ? base : { ...base, expiresAt }
      // An existing counter keeps its deadline, tags and cost; a placeholder is none.
      const next: Item = item === undefined || item.value === undefined ? created : { ...item, ...base }
      if (yield* answer(store.compareAndSet?.(stored, item?.version, next) ?? false)) return sum
    }
    throw this.#scope.conflict(operation, stored)
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
