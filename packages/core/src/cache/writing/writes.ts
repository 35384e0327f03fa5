import { deleteMany, setMany } from '../../backend-kit/batch-fallbacks.ts'
import { isPromise, type MaybePromise } from '../../backend-kit/maybe-promise.ts'
import { callAll } from '../../backend-kit/settle-all.ts'
import { invalidArgument } from '../../protocol/argument.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import { itemKey, itemPrefix } from '../../protocol/keyspace.ts'
import type { Namespace } from '../items/namespace.ts'
import { placeholder } from '../items/placeholder.ts'
import { namespaceTagRecord, tagRecord } from '../items/tag-records.ts'
import type { Lifetime } from '../options/lifetime.ts'
import {
  checkKey,
  checkKeys,
  checkTags,
  type ReplaceOptions,
  replaceOptionNames,
  type WriteOptions,
} from '../options/write-options.ts'
import type { BackendAdapter } from '../state/backend-adapter.ts'
import { answer, answers, runAsync, type Steps } from '../state/steps.ts'
import { type WriteEntries, writeEntriesOf } from './entries.ts'

/** Placeholders of writes live longer than a database takes. */
const placeholderLife = 60_000

/** One value of a write, with its options resolved. */
interface Entry {
  readonly key: string
  readonly backendKey: string
  readonly value: unknown
  readonly life: Lifetime
  readonly tags: readonly string[] | undefined
  readonly cost: number | undefined
}

/** The unconditional writes and removals. */
export class Writes {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  *set(key: string, value: unknown, options: ReplaceOptions | undefined): Steps<void> {
    this.#namespace.assertOpen('set')
    const backendKey = this.#namespace.backendKey(key, 'set')
    this.#namespace.checkValue(value, 'set')
    const life = this.#namespace.life(options, 'set', replaceOptionNames)
    const entry = { key, backendKey, value, life, tags: options?.tags, cost: options?.cost }
    yield* this.#store([entry], 'set', this.#set(entry))
  }

  /** Stores entries, and writes them to the database where there is one. */
  *#store(entries: readonly Entry[], method: string, storing: Steps<void>): Steps<void> {
    const namespace = this.#namespace
    const backendKeys = entries.map(({ backendKey }) => backendKey)
    if (namespace.writer === undefined) yield* storing
    else if (this.#writesAmongOthers)
      yield* namespace.exclusively(backendKeys, this.#among(entries, backendKeys, method))
    else yield* namespace.exclusively(backendKeys, this.#written(entries, backendKeys, method, storing))
  }

  /** `set` without tags and without a writer, which captures nothing first: it waits only where the store does. */
  setPlain(key: string, value: unknown, options: WriteOptions | undefined): MaybePromise<void> {
    const namespace = this.#namespace
    namespace.assertOpen('set')
    const backendKey = namespace.backendKey(key, 'set')
    namespace.checkValue(value, 'set')
    return this.#put(
      key,
      namespace.makeItem(
        backendKey,
        value,
        namespace.life(options, 'set', replaceOptionNames),
        undefined,
        options?.cost,
      ),
    )
  }

  /** Whether `setPlain` does the same as `set`. */
  isPlain(options: WriteOptions | undefined): boolean {
    try {
      return this.#namespace.writer === undefined && options?.tags === undefined
    } catch {
      // The check of the options, which names a getter that throws, follows.
      return true
    }
  }

  *setMany(given: WriteEntries<unknown>, options: WriteOptions | undefined): Steps<void> {
    this.#namespace.assertOpen('setMany')
    const entries = this.#checkedEntries(given, options, 'setMany')
    if (entries.length > 0) yield* this.#store(entries, 'setMany', this.#setMany(entries))
  }

  /** Database first, then the cache: a reader may see the old value for a moment, never one that the database does not have. */
  *#written(
    entries: readonly Entry[],
    backendKeys: readonly string[],
    method: string,
    storing: Steps<void>,
  ): Steps<void> {
    yield* this.#namespace.write(entries, backendKeys, method)
    yield* storing
  }

  /** Whether other processes may change a key while this one waits for its database. */
  get #writesAmongOthers(): boolean {
    const { state, writer } = this.#namespace
    return writer?.behind === false && !state.local && state.adapter.compareAndSet !== undefined
  }

  /**
   * Write-through among other processes. A placeholder is stored first, so that any change of the key by them is detected. After such a
   * change the order of the writes in the database is unknown, and the cache keeps no value (RACES R3, R5). A process that dies in
   * between leaves none either.
   */
  *#among(entries: readonly Entry[], backendKeys: readonly string[], method: string): Steps<void> {
    const namespace = this.#namespace
    const placeholders = new Map(
      backendKeys.map((key) => [key, placeholder(key, namespace.state.now(), placeholderLife)]),
    )
    yield* this.#betweenInvalidations(backendKeys, method, (adapter) => setMany(adapter, [...placeholders.values()]))
    yield* namespace.write(entries, backendKeys, method)
    const items = yield* this.#itemsOf(entries, method)
    // Of duplicates the last.
    const last = new Map(items.map((item, index) => [item.key, { key: (entries[index] as Entry).key, item }]))
    const storing = [...last.values()].map(({ key, item }) => {
      const expected = placeholders.get(item.key)?.version
      return runAsync(this.#instead(key, expected, item, method))
    })
    try {
      yield* answers(storing)
    } finally {
      namespace.invalidate(backendKeys)
    }
  }

  /** The items of entries, with the versions that their tags have now. */
  *#itemsOf(entries: readonly Entry[], method: string): Steps<Item[]> {
    const captured = yield* this.#namespace.captureEach(
      entries.map(({ tags }) => tags),
      method,
    )
    return entries.map(({ backendKey, value, life, cost }, index) =>
      this.#namespace.makeItem(backendKey, value, life, captured[index], cost),
    )
  }

  /** Stores an item in the place of its placeholder, or leaves nothing where that is gone. */
  *#instead(key: string, expected: string | undefined, item: Item, operation: string): Steps<void> {
    const namespace = this.#namespace
    if (yield* namespace.compareAndSet(item.key, expected, item, operation)) namespace.countSet(key, item)
    else yield* namespace.state.call(operation, key, (adapter) => adapter.delete(item.key))
  }

  *#set({ key, backendKey, value, life, tags, cost }: Entry): Steps<void> {
    const namespace = this.#namespace
    const captured = yield* namespace.capture(tags, 'set')
    yield* answer(this.#put(key, namespace.makeItem(backendKey, value, life, captured, cost)))
  }

  /**
   * Stores an item; loads of its key that are running will not overwrite it. They are invalidated before the write and after it,
   * also when its outcome is unknown: a load that began before the write was done must not replace it (RACES R5).
   */
  #put(key: string, item: Item): MaybePromise<void> {
    const { state } = this.#namespace
    const { flights } = state.shared
    const pending = flights.pendingWrites((flight) => flight.key === item.key)
    if (pending !== undefined) return pending.then(() => this.#put(key, item))
    flights.invalidate(item.key)
    let writing: MaybePromise<void>
    try {
      writing = state.adapter.set(item)
    } catch (error) {
      flights.invalidate(item.key)
      throw state.failed(error, 'set', key)
    }
    if (!isPromise(writing)) return this.#wasPut(key, item)
    state.begin()
    return writing.then(
      () => {
        state.end()
        this.#wasPut(key, item)
      },
      (error) => {
        state.end()
        flights.invalidate(item.key)
        throw state.failed(error, 'set', key)
      },
    )
  }

  #wasPut(key: string, item: Item): void {
    this.#namespace.state.shared.flights.invalidate(item.key)
    this.#namespace.countSet(key, item)
  }

  *#setMany(entries: readonly Entry[]): Steps<void> {
    const namespace = this.#namespace
    const items = yield* this.#itemsOf(entries, 'setMany')
    const own = new Set(items.map(({ key }) => key))
    yield* namespace.waitForPendingWrites((flight) => own.has(flight.key))
    yield* this.#betweenInvalidations([...own], 'setMany', (adapter) => setMany(adapter, items))
    for (const [index, { key }] of entries.entries()) namespace.countSet(key, items[index])
  }

  *delete(key: string): Steps<boolean> {
    this.#namespace.assertOpen('delete')
    const stored = this.#namespace.backendKey(key, 'delete')
    const removing = this.#delete(key, stored)
    if (this.#namespace.writer === undefined) return yield* removing
    return yield* this.#namespace.exclusively([stored], this.#removed([key], removing))
  }

  *deleteMany(keys: readonly string[]): Steps<number> {
    this.#namespace.assertOpen('deleteMany')
    checkKeys(keys, 'deleteMany')
    if (keys.length === 0) return 0
    const stored = keys.map((key) => this.#namespace.backendKey(key, 'deleteMany'))
    const removing = this.#deleteMany(keys, stored)
    if (this.#namespace.writer === undefined) return yield* removing
    return yield* this.#namespace.exclusively(stored, this.#removed(keys, removing))
  }

  /** `deleteMany` with an answer for each key; the first of equal keys has it. */
  *deleteEach(keys: readonly string[]): Steps<boolean[]> {
    const namespace = this.#namespace
    namespace.assertOpen('deleteEach')
    checkKeys(keys, 'deleteEach')
    const backendKeys = keys.map((key) => namespace.backendKey(key, 'deleteEach'))
    if (keys.length === 0) return []
    const removing = this.#deleteEach(keys, backendKeys)
    if (namespace.writer === undefined) return yield* removing
    return yield* namespace.exclusively(backendKeys, this.#removed(keys, removing))
  }

  *#deleteEach(keys: readonly string[], backendKeys: readonly string[]): Steps<boolean[]> {
    const namespace = this.#namespace
    const different = [...new Set(backendKeys)]
    const own = new Set(different)
    yield* namespace.waitForPendingWrites((flight) => own.has(flight.key))
    const deleted = yield* this.#betweenInvalidations(different, 'deleteEach', (adapter) =>
      callAll(different, (key) => adapter.delete(key)),
    )
    const byKey = new Map(different.map((key, index) => [key, deleted[index] === true]))
    return backendKeys.map((backendKey, index) => {
      const wasDeleted = byKey.get(backendKey) === true
      byKey.set(backendKey, false)
      namespace.countDelete(keys[index] as string, wasDeleted)
      return wasDeleted
    })
  }

  *#removed<T>(keys: readonly string[], removing: Steps<T>): Steps<T> {
    yield* answer(this.#namespace.writer?.remove(keys.map((key) => this.#namespace.writerKey(key))))
    return yield* removing
  }

  *#delete(key: string, stored: string): Steps<boolean> {
    const namespace = this.#namespace
    const { flights } = namespace.state.shared
    yield* namespace.waitForPendingWrites((flight) => flight.key === stored)
    // Before, so that newcomers start a load of their own; after, for a load that began while the delete was on its way (R1, R2).
    flights.invalidate(stored)
    let deleted = false
    try {
      deleted = yield* namespace.state.call('delete', key, (adapter) => adapter.delete(stored))
    } finally {
      flights.invalidate(stored)
    }
    namespace.countDelete(key, deleted)
    return deleted
  }

  *#deleteMany(keys: readonly string[], stored: readonly string[]): Steps<number> {
    const namespace = this.#namespace
    const own = new Set(stored)
    yield* namespace.waitForPendingWrites((flight) => own.has(flight.key))
    const deleted = yield* this.#betweenInvalidations(stored, 'deleteMany', (adapter) => deleteMany(adapter, stored))
    namespace.state.recorder.deletes += deleted
    if (namespace.state.listeners.has('delete')) for (const key of keys) namespace.emit('delete', { key })
    return deleted
  }

  /** One call of the store between two fences, for the reasons that `#set` and `#delete` give. */
  *#betweenInvalidations<T>(
    stored: readonly string[],
    operation: string,
    run: (adapter: BackendAdapter) => MaybePromise<T>,
  ): Steps<T> {
    this.#namespace.invalidate(stored)
    try {
      return yield* this.#namespace.state.call(operation, undefined, run)
    } finally {
      this.#namespace.invalidate(stored)
    }
  }

  /** Removes every item of this namespace and of those below it; without a namespace, all that the backend holds. */
  *clear(): Steps<void> {
    yield* this.#clear(itemPrefix(this.#namespace.path), '', 'clear')
  }

  *deleteByPrefix(prefix: string): Steps<void> {
    checkKey(prefix, 'deleteByPrefix')
    // The empty prefix at the root would take records and namespaces along; `clear` says that it does.
    if (prefix === '')
      throw invalidArgument(
        'prefix',
        prefix,
        'a string that is not empty; use clear() to remove everything',
        'deleteByPrefix',
      )
    yield* this.#clear(itemKey(this.#namespace.path, prefix), prefix, 'deleteByPrefix')
  }

  *deleteByTag(tags: readonly string[]): Steps<void> {
    this.#namespace.assertOpen('deleteByTag')
    checkTags(tags, 'deleteByTag')
    for (const tag of new Set(tags)) {
      yield* this.#invalidate(tagRecord(this.#namespace.path, tag))
      if (this.#namespace.state.listeners.has('invalidate')) this.#namespace.emit('invalidate', { tag })
    }
  }

  /** Makes the values of these tags stale; running loads of them are not stored, as after `deleteByTag`. */
  *expireByTag(tags: readonly string[]): Steps<void> {
    const namespace = this.#namespace
    namespace.assertOpen('expireByTag')
    checkTags(tags, 'expireByTag')
    namespace.needsCompareAndSet('expireByTag')
    for (const tag of new Set(tags)) {
      const record = tagRecord(namespace.path, tag)
      const expiring = namespace.tags.expire(record, namespaceTagRecord(namespace.path))
      if (!(yield* this.#changeTag(record, 'expireByTag', expiring))) throw namespace.conflict('expireByTag', tag)
      if (namespace.state.listeners.has('expireTag')) namespace.emit('expireTag', { tag })
    }
  }

  *#invalidate(record: string): Steps<void> {
    const invalidating = this.#namespace.tags.invalidate(record, namespaceTagRecord(this.#namespace.path))
    yield* this.#changeTag(record, 'deleteByTag', invalidating)
  }

  *#changeTag<T>(record: string, method: string, changing: Steps<T>): Steps<T> {
    const { state } = this.#namespace
    const { flights } = state.shared
    const namespaceRecord = namespaceTagRecord(this.#namespace.path)
    flights.invalidateTag(record, namespaceRecord)
    try {
      return yield* state.guard(method, undefined, changing)
    } finally {
      flights.invalidateTag(record, namespaceRecord)
    }
  }

  *#clear(prefix: string, given: string, operation: string): Steps<void> {
    this.#namespace.assertOpen(operation)
    const { state } = this.#namespace
    if (state.origin !== undefined) throw this.#cannotClose(operation)
    const { shared } = state
    yield* this.#namespace.waitForPendingWrites((flight) => flight.key.startsWith(prefix))
    shared.flights.invalidatePrefix(prefix)
    try {
      yield* state.call(operation, undefined, (adapter) => (prefix === '' ? adapter.clear() : adapter.clear(prefix)))
    } finally {
      shared.flights.invalidatePrefix(prefix)
      shared.moveTags()
      if (prefix === '') shared.knownTags.clear()
    }
    if (state.listeners.has('clear')) this.#namespace.emit('clear', { prefix: given })
  }

  /** Absent keys cannot be closed to loads one by one, and those loads would store values from before the commit (RACES R4). */
  #cannotClose(operation: string): CacheError {
    const message = `${operation}: not in a transaction, where loads of other keys would store what they read before the commit; use deleteByTag, or ${operation} after the commit`
    return new CacheError('UNSUPPORTED', message, { operation, backend: this.#namespace.state.adapter.name })
  }

  #checkedEntries(given: WriteEntries<unknown>, options: WriteOptions | undefined, method: string): Entry[] {
    const namespace = this.#namespace
    const life = namespace.life(options, method)
    return writeEntriesOf(given, 'entries', method).map(([key, value, own]) => {
      const backendKey = namespace.backendKey(key, method)
      namespace.checkValue(value, method)
      if (own === undefined) return { key, backendKey, value, life, tags: options?.tags, cost: options?.cost }
      namespace.life(own, method)
      const both = withOwnOptions(options, own)
      return { key, backendKey, value, life: namespace.life(both, method), tags: both.tags, cost: both.cost }
    })
  }
}

/** The options of a call with those of one entry, which take precedence; `ttl` and `expiresAt` replace each other. */
function withOwnOptions(options: WriteOptions = {}, own: WriteOptions): WriteOptions {
  const { ttl, expiresAt, ...rest } = options
  const life = own.ttl === undefined && own.expiresAt === undefined ? { ttl, expiresAt } : {}
  const given = Object.fromEntries(Object.entries(own).filter(([, option]) => option !== undefined))
  return { ...rest, ...life, ...given }
}
