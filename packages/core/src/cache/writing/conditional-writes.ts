import { isPromise } from '../../backend-kit/maybe-promise.ts'
import { checkOptions, invalidArgument, trueOrFalse } from '../../protocol/argument.ts'
import type { Duration } from '../../protocol/duration.ts'
import type { Item } from '../../protocol/item.ts'
import type { TagVersions } from '../../protocol/tag-versions.ts'
import { type Instants, instants, lifeOf, renewed, staleAfter } from '../items/item-life.ts'
import { compareAndSetTries, type Namespace } from '../items/namespace.ts'
import { type Lifetime, type LifetimeOptions, lifetime } from '../options/lifetime.ts'
import {
  checkFunction,
  checkWriteOptions,
  type ReplaceOptions,
  replaceOptionNames,
  type WriteOptions,
  writeOptionNames,
} from '../options/write-options.ts'
import { Finder, type LookUp } from '../reading/finder.ts'
import { answer, type Steps } from '../state/steps.ts'

/** Options of `expire`. */
export interface ExpireOptions {
  /**
   * Keeps the value after `ttl`, to be served stale: for its own stale period, or for the `staleFor` of the cache where it has none.
   * Default `false`: the value has the `staleFor` of the cache, and a `ttl` of 0 removes it.
   */
  readonly keepStale?: boolean | undefined
}

/** What is to be stored instead of the fresh value, or of the usable one, which may be stale; `undefined`: nothing. */
type Decide = (current: Item | undefined, usable: Item | undefined) => unknown

/** What stores or removes on a condition, by compare-and-set. */
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
  *replace(key: string, value: unknown, options: ReplaceOptions | undefined): Steps<boolean> {
    this.#namespace.checkValue(value, 'replace')
    const decide = (current: Item | undefined): unknown => (current === undefined ? undefined : value)
    return (yield* this.#change(key, 'replace', options, decide, replaceOptionNames)) !== undefined
  }

  *compareAndSet(
    key: string,
    version: string | undefined,
    value: unknown,
    options: ReplaceOptions | undefined,
  ): Steps<boolean> {
    if (version !== undefined && (typeof version !== 'string' || version === '')) {
      throw invalidArgument('version', version, 'the version of an item, or undefined for "not there"', 'compareAndSet')
    }
    this.#namespace.checkValue(value, 'compareAndSet')
    // A stale item is "not there", and has a version nevertheless: `item` gives it.
    const decide = (current: Item | undefined, usable: Item | undefined): unknown =>
      (version === undefined ? current === undefined : usable?.version === version) ? value : undefined
    return (yield* this.#change(key, 'compareAndSet', options, decide, replaceOptionNames)) !== undefined
  }

  /** Stores the result of `change` for the current value; starts again after a lost compare-and-set. */
  *update(key: string, change: (current: unknown) => unknown, options: ReplaceOptions | undefined): Steps<unknown> {
    checkFunction(change, 'change', 'update')
    return yield* this.#change(key, 'update', options, (current) => change(current?.value), replaceOptionNames)
  }

  /** `set` with `keepTtl`: the life of the value that is replaced has to be read first. */
  *set(key: string, value: unknown, options: ReplaceOptions | undefined): Steps<void> {
    this.#namespace.checkValue(value, 'set')
    yield* this.#change(key, 'set', options, () => value, replaceOptionNames)
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
  *touch(key: string, options: LifetimeOptions | undefined, operation: string): Steps<boolean> {
    this.#namespace.assertOpen(operation)
    const stored = this.#namespace.backendKey(key, operation)
    checkWriteOptions(options, operation, ['ttl', 'expiresAt', 'staleFor'])
    const life = lifetime(options, this.#namespace.state.settings.life, operation)
    this.#namespace.needsCompareAndSet(operation)
    const lifeFrom = (_current: Item, now: number): Instants => instants(life, now)
    return yield* this.#namespace.exclusively([stored], this.#touch(key, stored, lifeFrom, operation))
  }

  /** Lets a fresh value end after `ttl`; with `keepStale` it may be served stale after that for as long as before. */
  *expire(key: string, ttl: Duration, options: ExpireOptions): Steps<boolean> {
    this.#namespace.assertOpen('expire')
    const stored = this.#namespace.backendKey(key, 'expire')
    checkOptions(options, ['keepStale'], 'expire')
    const { keepStale } = options
    if (keepStale !== undefined) trueOrFalse(keepStale, 'keepStale', 'expire')
    const life = lifetime({ ttl }, this.#namespace.state.settings.life, 'expire')
    this.#namespace.needsCompareAndSet('expire')
    const lifeFrom = (current: Item, now: number): Instants =>
      keepStale === true ? staleAfter(current, life, now) : instants(life, now)
    return yield* this.#namespace.exclusively([stored], this.#touch(key, stored, lifeFrom, 'expire'))
  }

  *#touch(
    key: string,
    stored: string,
    lifeFrom: (current: Item, now: number) => Instants,
    operation: string,
  ): Steps<boolean> {
    for (let tried = 0; tried < compareAndSetTries; tried += 1) {
      yield* this.#namespace.backOff(tried)
      const current = this.#fresh(yield* answer(this.#finder.find(stored, operation, 'reject')))
      if (current === undefined) return false
      const again = renewed(current, lifeFrom(current, this.#namespace.state.now()))
      if (yield* this.#namespace.compareAndSet(stored, current.version, again, operation)) return true
    }
    throw this.#namespace.conflict(operation, key)
  }

  /** The loop behind every conditional write: read, decide, compare-and-set, and again when another was faster. */
  *#change(
    key: string,
    operation: string,
    options: ReplaceOptions | undefined,
    decide: Decide,
    optionNames: readonly string[] = writeOptionNames,
  ): Steps<unknown> {
    this.#namespace.assertOpen(operation)
    const stored = this.#namespace.backendKey(key, operation)
    const life = this.#namespace.life(options, operation, optionNames)
    const writing = { key, stored, operation, options, life }
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
      // Before the look-up: a value that depends on the current one is as old as that one (RACES R4).
      const tags = yield* namespace.capture(writing.options?.tags, writing.operation)
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
      return (yield* this.#put(writing, found, value, tags)) ? { value } : undefined
    } finally {
      end()
    }
  }

  *#put(writing: ConditionalWrite, found: LookUp, value: unknown, tags: TagVersions | undefined): Steps<boolean> {
    const namespace = this.#namespace
    const { key, stored, operation, options, life } = writing
    const made = namespace.makeItem(stored, value, life, tags, options?.cost)
    const kept = options?.keepTtl === true ? this.#fresh(found) : undefined
    const item = kept === undefined ? made : renewed(made, lifeOf(kept))
    if (!(yield* namespace.compareAndSet(stored, found.raw?.version, item, operation))) return false
    namespace.state.shared.flights.invalidate(stored)
    namespace.countSet(key, item)
    // After the condition held: the database must not get a value that lost its race.
    if (namespace.writer !== undefined) yield* namespace.write([{ key, value }], [stored], operation)
    return true
  }

  #fresh({ usable }: LookUp): Item | undefined {
    return usable !== undefined && this.#namespace.isFresh(usable) ? usable : undefined
  }
}

/** A conditional write with everything about it resolved. */
interface ConditionalWrite {
  readonly key: string
  readonly stored: string
  readonly operation: string
  readonly options: ReplaceOptions | undefined
  readonly life: Lifetime
}
