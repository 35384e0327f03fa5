import { invalidArgument } from '../../protocol/argument.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import { itemKey, itemPrefix } from '../../protocol/keyspace.ts'
import type { Lifetime } from '../options/lifetime.ts'
import { answer, answers, later, type MaybePromise, type Operation, runAsync } from '../state/steps.ts'
import { placeholder } from '../items/placeholder.ts'
import type { Scope } from '../items/namespace.ts'
import { deleteAll, type Store, setAll } from '../state/backend-adapter.ts'
import { namespaceTagRecord, tagRecord } from '../items/tag-records.ts'
import { checkKey, checkKeys, checkTags, type WriteOptions } from '../options/write-options.ts'

/** Keys and values: a `Map`, an array of pairs, or an object. */
export type Entries<Value> = Iterable<readonly [string, Value]> | Readonly<Record<string, Value>>

/** Placeholders of writes live longer than a database takes. */
const placeholderLife = 60_000

type Pairs = readonly (readonly [string, unknown])[]

/** What stores and removes without a condition. */
export class Writes {
  readonly #scope: Scope

  constructor(scope: Scope) {
    this.#scope = scope
  }

  *set(key: string, value: unknown, options: WriteOptions | undefined): Operation<void> {
    this.#scope.assertOpen('set')
    const stored = this.#scope.stored(key, 'set')
    this.#scope.checkValue(value, 'set')
    const life = this.#scope.life(options, 'set')
    const storing = this.#set(key, stored, value, life, options)
    const pairs: Pairs = [[key, value]]
    if (this.#scope.writer === undefined) yield* storing
    else if (this.#writesAmongOthers)
      yield* this.#scope.inTurn([stored], this.#among(pairs, [stored], life, options, 'set'))
    else yield* this.#scope.inTurn([stored], this.#written(pairs, [stored], 'set', storing))
  }

  /** Whether nothing has to be captured, written elsewhere or waited for before a `set`: then `setLater` does it. */
  setsAtOnce(options: WriteOptions | undefined): boolean {
    const { context, writer } = this.#scope
    if (writer !== undefined || context.local || options?.tags !== undefined) return false
    // Without it a result that is being stored without a condition has to be waited for.
    return context.store.compareAndSet !== undefined
  }

  /** `set` in a store that has to be waited for, without the detour of the operations. Throws what is wrong with the arguments. */
  setLater(key: string, value: unknown, options: WriteOptions | undefined): Promise<void> {
    const scope = this.#scope
    const { context } = scope
    const { flights } = context.share
    scope.assertOpen('set')
    const stored = scope.stored(key, 'set')
    scope.checkValue(value, 'set')
    const item = scope.makeItem(stored, value, scope.life(options, 'set'), undefined, options?.cost)
    // Before and after, as in the operation (RACES R5).
    flights.fence(stored)
    context.begin()
    return later(() => context.store.set(item)).then(
      () => {
        flights.fence(stored)
        context.end()
        scope.countSet(key, item)
      },
      (error) => {
        flights.fence(stored)
        context.end()
        throw context.failed(error, 'set', key)
      },
    )
  }

  *setMany(entries: Entries<unknown>, options: WriteOptions | undefined): Operation<void> {
    this.#scope.assertOpen('setMany')
    const pairs = this.#checkedEntries(entries, 'setMany')
    const life = this.#scope.life(options, 'setMany')
    const stored = pairs.map(([key]) => this.#scope.stored(key, 'setMany'))
    if (pairs.length === 0) return
    const storing = this.#setMany(pairs, stored, life, options)
    if (this.#scope.writer === undefined) yield* storing
    else if (this.#writesAmongOthers)
      yield* this.#scope.inTurn(stored, this.#among(pairs, stored, life, options, 'setMany'))
    else yield* this.#scope.inTurn(stored, this.#written(pairs, stored, 'setMany', storing))
  }

  /** Database first, then the cache: a reader may see the old value for a moment, never one that the database does not have. */
  *#written(pairs: Pairs, stored: readonly string[], operation: string, storing: Operation<void>): Operation<void> {
    const entries = pairs.map(([key, value]) => ({ key, value }))
    yield* this.#scope.write(entries, stored, operation)
    yield* storing
  }

  /** Whether other processes may change a key while this one waits for its database. */
  get #writesAmongOthers(): boolean {
    const { context, writer } = this.#scope
    return writer?.behind === false && !context.local && context.store.compareAndSet !== undefined
  }

  /**
   * The same among other processes. A placeholder goes first, so that whatever they do to the key meanwhile shows: then nobody knows
   * whose value the database was given last, and the cache keeps none (RACES R3, R5). A process that dies in between leaves none either.
   */
  *#among(
    pairs: Pairs,
    stored: readonly string[],
    life: Lifetime,
    options: WriteOptions | undefined,
    operation: string,
  ): Operation<void> {
    const scope = this.#scope
    const entries = pairs.map(([key, value]) => ({ key, value }))
    const placeholders = new Map(stored.map((key) => [key, placeholder(key, scope.context.now(), placeholderLife)]))
    yield* this.#fenced(stored, operation, (store) => setAll(store, [...placeholders.values()]))
    yield* scope.write(entries, stored, operation)
    const tags = yield* scope.capture(options?.tags, operation)
    // Of duplicates the last.
    const items = new Map(
      pairs.map(([key, value], index) => {
        const item = scope.makeItem(stored[index] as string, value, life, tags, options?.cost)
        return [item.key, { key, item }]
      }),
    )
    const storing = [...items.values()].map(({ key, item }) => {
      const expected = placeholders.get(item.key)?.version
      return runAsync(this.#instead(key, expected, item, operation))
    })
    try {
      yield* answers(storing)
    } finally {
      scope.fence(stored)
    }
  }

  /** Stores an item in the place of its placeholder, or leaves nothing where that is gone. */
  *#instead(key: string, expected: string | undefined, item: Item, operation: string): Operation<void> {
    const scope = this.#scope
    if (yield* scope.compareAndSet(item.key, expected, item, operation)) scope.countSet(key, item)
    else yield* scope.context.call(operation, key, (store) => store.delete(item.key))
  }

  *#set(
    key: string,
    stored: string,
    value: unknown,
    life: Lifetime,
    options: WriteOptions | undefined,
  ): Operation<void> {
    const scope = this.#scope
    const { flights } = scope.context.share
    const tags = yield* scope.capture(options?.tags, 'set')
    const item = scope.makeItem(stored, value, life, tags, options?.cost)
    yield* scope.settled((flight) => flight.key === stored)
    // Before and after, also when nobody knows whether it happened: the result of a load that began before this write was
    // done must not replace it (RACES R5).
    flights.fence(stored)
    try {
      yield* scope.context.call('set', key, (store) => store.set(item))
    } finally {
      flights.fence(stored)
    }
    scope.countSet(key, item)
  }

  *#setMany(
    pairs: Pairs,
    stored: readonly string[],
    life: Lifetime,
    options: WriteOptions | undefined,
  ): Operation<void> {
    const scope = this.#scope
    const tags = yield* scope.capture(options?.tags, 'setMany')
    const items = pairs.map(([, value], index) =>
      scope.makeItem(stored[index] as string, value, life, tags, options?.cost),
    )
    const own = new Set(stored)
    yield* scope.settled((flight) => own.has(flight.key))
    yield* this.#fenced(stored, 'setMany', (store) => setAll(store, items))
    for (const [index, [key]] of pairs.entries()) scope.countSet(key, items[index])
  }

  *delete(key: string): Operation<boolean> {
    this.#scope.assertOpen('delete')
    const stored = this.#scope.stored(key, 'delete')
    const removing = this.#delete(key, stored)
    if (this.#scope.writer === undefined) return yield* removing
    return yield* this.#scope.inTurn([stored], this.#removed([key], removing))
  }

  *deleteMany(keys: readonly string[]): Operation<number> {
    this.#scope.assertOpen('deleteMany')
    checkKeys(keys, 'deleteMany')
    if (keys.length === 0) return 0
    const stored = keys.map((key) => this.#scope.stored(key, 'deleteMany'))
    const removing = this.#deleteMany(keys, stored)
    if (this.#scope.writer === undefined) return yield* removing
    return yield* this.#scope.inTurn(stored, this.#removed(keys, removing))
  }

  *#removed<T>(keys: readonly string[], removing: Operation<T>): Operation<T> {
    yield* answer(this.#scope.writer?.remove(keys.map((key) => this.#scope.writerKey(key))))
    return yield* removing
  }

  *#delete(key: string, stored: string): Operation<boolean> {
    const scope = this.#scope
    const { flights } = scope.context.share
    yield* scope.settled((flight) => flight.key === stored)
    // Before, so that newcomers start a load of their own; after, for a load that began while the delete was on its way (R1, R2).
    flights.fence(stored)
    let deleted = false
    try {
      deleted = yield* scope.context.call('delete', key, (store) => store.delete(stored))
    } finally {
      flights.fence(stored)
    }
    scope.countDelete(key, deleted)
    return deleted
  }

  *#deleteMany(keys: readonly string[], stored: readonly string[]): Operation<number> {
    const scope = this.#scope
    const own = new Set(stored)
    yield* scope.settled((flight) => own.has(flight.key))
    const deleted = yield* this.#fenced(stored, 'deleteMany', (store) => deleteAll(store, stored))
    scope.context.recorder.deletes += deleted
    if (scope.context.listeners.has('delete')) for (const key of keys) scope.tell('delete', { key })
    return deleted
  }

  /** One call of the store between two fences, for the reasons that `#set` and `#delete` give. */
  *#fenced<T>(stored: readonly string[], operation: string, run: (store: Store) => MaybePromise<T>): Operation<T> {
    this.#scope.fence(stored)
    try {
      return yield* this.#scope.context.call(operation, undefined, run)
    } finally {
      this.#scope.fence(stored)
    }
  }

  /** Removes every item of this namespace and of those below it; without a namespace, all that the backend holds. */
  *clear(): Operation<void> {
    yield* this.#clear(itemPrefix(this.#scope.path), '', 'clear')
  }

  *deleteByPrefix(prefix: string): Operation<void> {
    checkKey(prefix, 'deleteByPrefix')
    // The empty prefix at the root would take records and namespaces along; `clear` says that it does.
    if (prefix === '')
      throw invalidArgument(
        'prefix',
        prefix,
        'a string that is not empty; use clear() to remove everything',
        'deleteByPrefix',
      )
    yield* this.#clear(itemKey(this.#scope.path, prefix), prefix, 'deleteByPrefix')
  }

  *deleteByTag(tags: readonly string[]): Operation<void> {
    this.#scope.assertOpen('deleteByTag')
    checkTags(tags, 'deleteByTag')
    for (const tag of new Set(tags)) {
      yield* this.#invalidate(tagRecord(this.#scope.path, tag))
      if (this.#scope.context.listeners.has('invalidate')) this.#scope.tell('invalidate', { tag })
    }
  }

  *#invalidate(record: string): Operation<void> {
    const { context } = this.#scope
    const { flights } = context.share
    const namespaceRecord = namespaceTagRecord(this.#scope.path)
    flights.fenceTag(record, namespaceRecord)
    try {
      const invalidating = context.tags.invalidate(record, namespaceRecord)
      yield* context.guard('deleteByTag', undefined, invalidating)
    } finally {
      flights.fenceTag(record, namespaceRecord)
    }
  }

  *#clear(prefix: string, given: string, operation: string): Operation<void> {
    this.#scope.assertOpen(operation)
    const { context } = this.#scope
    if (context.origin !== undefined) throw this.#cannotClose(operation)
    const { share } = context
    yield* this.#scope.settled((flight) => flight.key.startsWith(prefix))
    share.flights.fencePrefix(prefix)
    try {
      yield* context.call(operation, undefined, (store) => (prefix === '' ? store.clear() : store.clear(prefix)))
    } finally {
      share.flights.fencePrefix(prefix)
      share.moveTags()
      if (prefix === '') share.knownTags.clear()
    }
    if (context.listeners.has('clear')) this.#scope.tell('clear', { prefix: given })
  }

  /** Keys that are not there cannot be closed to loads one by one, and those would store what they read before the commit (RACES R4). */
  #cannotClose(operation: string): CacheError {
    const message = `${operation}: not in a transaction, where loads of other keys would store what they read before the commit; use deleteByTag, or ${operation} after the commit`
    return new CacheError('UNSUPPORTED', message, { operation, backend: this.#scope.context.store.name })
  }

  #checkedEntries(entries: Entries<unknown>, operation: string): (readonly [string, unknown])[] {
    if (entries === null || typeof entries !== 'object') {
      throw invalidArgument('entries', entries, 'a Map, an array of [key, value] pairs, or an object', operation)
    }
    const pairs = pairsOf(entries)
    for (const pair of pairs) {
      if (!Array.isArray(pair) || pair.length !== 2)
        throw invalidArgument('an entry', pair, 'a pair [key, value]', operation)
      checkKey(pair[0], operation)
      this.#scope.checkValue(pair[1], operation)
    }
    return pairs
  }
}

/** The pairs of entries, whichever of their forms they have. */
export function pairsOf<Value>(entries: Entries<Value>): (readonly [string, Value])[] {
  return Symbol.iterator in entries ? [...(entries as Iterable<readonly [string, Value]>)] : Object.entries(entries)
}
