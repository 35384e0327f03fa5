import { invalidArgument } from '../protocol/argument.ts'
import { CacheError } from '../protocol/cache-error.ts'
import { type Duration, milliseconds } from '../protocol/duration.ts'
import type { Item } from '../protocol/item.ts'
import { createVersion } from '../protocol/version.ts'
import { instants, isFresh, lifetime, renewed } from './lifetime.ts'
import { answer, type Operation } from './operation.ts'
import { type Scope, swapTries } from './scope.ts'
import { checkValue, checkWriteOptions, type WriteOptions } from './write-options.ts'

/** What stores, counts or removes on a condition, by compare-and-set. */
export class ConditionalWrites {
  readonly #scope: Scope

  constructor(scope: Scope) {
    this.#scope = scope
  }

  /** Stores only where no value is. */
  *add(key: string, value: unknown, options: WriteOptions | undefined): Operation<boolean> {
    const change = yield* this.#change(
      key,
      'add',
      options,
      (current) => (current === undefined ? value : undefined),
      value,
    )
    return change !== undefined
  }

  /** Stores only where a value is. */
  *replace(key: string, value: unknown, options: WriteOptions | undefined): Operation<boolean> {
    const change = yield* this.#change(
      key,
      'replace',
      options,
      (current) => (current === undefined ? undefined : value),
      value,
    )
    return change !== undefined
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
    const change = yield* this.#change(
      key,
      'compareAndSet',
      options,
      (current) => (current?.version === version ? value : undefined),
      value,
    )
    return change !== undefined
  }

  /** Stores what `change` makes of the current value; starts again when another was faster. */
  *update(key: string, change: (current: unknown) => unknown, options: WriteOptions | undefined): Operation<unknown> {
    return yield* this.#change(key, 'update', options, (current) => change(current?.value))
  }

  *take(key: string): Operation<unknown> {
    this.#scope.assertOpen('take')
    const stored = this.#scope.stored(key, 'take')
    this.#scope.needsSwap('take')
    if (this.#scope.writer !== undefined) yield* answer(this.#scope.writer.remove([this.#scope.writerKey(key)]))
    this.#scope.context.share.flights.fence(stored)
    for (let tried = 0; tried < swapTries; tried += 1) {
      const { raw, usable } = yield* this.#scope.lookup(stored, 'take')
      if (usable === undefined || !isFresh(usable, this.#scope.context.now())) {
        this.#scope.countMiss(key)
        return undefined
      }
      if (yield* this.#scope.swap(stored, raw?.version, undefined, 'take')) {
        this.#scope.context.share.flights.fence(stored)
        this.#scope.countHit(key, false)
        this.#scope.countDelete(key, true)
        return usable.value
      }
    }
    throw this.#scope.conflict('take', key)
  }

  /** Gives the value a new life from now on; resolves to whether there was one. */
  *touch(key: string, options: WriteOptions | undefined, operation: string): Operation<boolean> {
    this.#scope.assertOpen(operation)
    const stored = this.#scope.stored(key, operation)
    checkWriteOptions(options, operation, ['ttl', 'staleFor'])
    const life = lifetime(options, this.#scope.context.settings.life, operation)
    this.#scope.needsSwap(operation)
    for (let tried = 0; tried < swapTries; tried += 1) {
      const { usable } = yield* this.#scope.lookup(stored, operation)
      const now = this.#scope.context.now()
      if (usable === undefined || !isFresh(usable, now)) return false
      if (yield* this.#scope.swap(stored, usable.version, renewed(usable, instants(life, now)), operation)) return true
    }
    throw this.#scope.conflict(operation, key)
  }

  *increment(key: string, delta: number, ttl: Duration | undefined, operation: string): Operation<number> {
    this.#scope.assertOpen(operation)
    const stored = this.#scope.stored(key, operation)
    if (!Number.isSafeInteger(delta))
      throw invalidArgument('delta', delta, 'a whole number between -(2^53 - 1) and 2^53 - 1', operation)
    const life = ttl === undefined ? this.#scope.context.settings.life.ttl : milliseconds(ttl, 'ttl', operation)
    if (life === 0)
      throw invalidArgument('ttl', ttl ?? life, 'more than 0: a counter that expires at once counts nothing', operation)
    const expiresAt = life === Infinity ? undefined : this.#scope.context.now() + life
    this.#scope.context.share.flights.fence(stored)
    const sum = yield* this.#scope.context.guard(operation, key, this.#count(stored, delta, expiresAt, operation))
    this.#scope.context.share.flights.fence(stored)
    if (this.#scope.writer !== undefined) yield* this.#scope.write([{ key, value: sum }], [stored])
    return sum
  }

  /** The loop behind every conditional write: read, decide, compare-and-set, and again when another was faster. */
  *#change(
    key: string,
    operation: string,
    options: WriteOptions | undefined,
    decide: (current: Item | undefined) => unknown,
    checked: unknown = null,
  ): Operation<unknown> {
    this.#scope.assertOpen(operation)
    const stored = this.#scope.stored(key, operation)
    checkValue(checked, operation)
    const life = this.#scope.life(options, operation)
    this.#scope.needsSwap(operation)
    for (let tried = 0; tried < swapTries; tried += 1) {
      const { raw, usable } = yield* this.#scope.lookup(stored, operation)
      const current = usable !== undefined && isFresh(usable, this.#scope.context.now()) ? usable : undefined
      const value = yield* answer(decide(current))
      if (value === undefined) return undefined
      const tags = yield* this.#scope.capture(options?.tags, operation)
      const item = this.#scope.makeItem(stored, value, life, tags, options?.cost)
      if (!(yield* this.#scope.swap(stored, raw?.version, item, operation))) continue
      this.#scope.context.share.flights.fence(stored)
      this.#scope.countSet(key)
      // After the condition held: the database must not get a value that lost its race.
      if (this.#scope.writer !== undefined) yield* this.#scope.write([{ key, value }], [stored])
      return value
    }
    throw this.#scope.conflict(operation, key)
  }

  *#count(stored: string, delta: number, expiresAt: number | undefined, operation: string): Operation<number> {
    const { store } = this.#scope.context
    if (store.increment !== undefined) return yield* answer(store.increment(stored, delta, expiresAt))
    this.#scope.needsSwap(operation)
    for (let tried = 0; tried < swapTries; tried += 1) {
      const item = yield* answer(store.get(stored))
      const sum = added(item?.value, delta, stored, operation)
      const base = { key: stored, value: sum, version: createVersion(), createdAt: this.#scope.context.now() }
      const next: Item =
        item === undefined || item.value === undefined
          ? expiresAt === undefined
            ? base
            : { ...base, expiresAt }
          : { ...item, ...base }
      if (yield* answer(store.swap?.(stored, item?.version, next) ?? false)) return sum
    }
    throw this.#scope.conflict(operation, stored)
  }
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
