import { invalidArgument } from '../protocol/argument.ts'
import { itemKey, itemPrefix } from '../protocol/keyspace.ts'
import { answer, type Operation } from './operation.ts'
import type { Scope } from './scope.ts'
import { deleteAll, setAll } from './store.ts'
import { namespaceTagRecord, tagRecord } from './tags.ts'
import { checkKey, checkKeys, checkTags, checkValue, type WriteOptions } from './write-options.ts'

/** Keys and values: a `Map`, an array of pairs, or an object. */
export type Entries<Value> = Iterable<readonly [string, Value]> | Readonly<Record<string, Value>>

/** What stores and removes without a condition. */
export class Writes {
  readonly #scope: Scope

  constructor(scope: Scope) {
    this.#scope = scope
  }

  *set(key: string, value: unknown, options: WriteOptions | undefined): Operation<void> {
    this.#scope.assertOpen('set')
    const stored = this.#scope.stored(key, 'set')
    checkValue(value, 'set')
    const life = this.#scope.life(options, 'set')
    if (this.#scope.writer !== undefined) yield* this.#scope.write([{ key, value }], [stored])
    const tags = yield* this.#scope.capture(options?.tags, 'set')
    const item = this.#scope.makeItem(stored, value, life, tags, options?.cost)
    yield* this.#scope.settled((flight) => flight.key === stored)
    // Before and after: the result of a load that began before this write was done must not replace it (RACES R5).
    this.#scope.context.share.flights.fence(stored)
    yield* this.#scope.context.call('set', key, (store) => store.set(item))
    this.#scope.context.share.flights.fence(stored)
    this.#scope.countSet(key)
  }

  *setMany(entries: Entries<unknown>, options: WriteOptions | undefined): Operation<void> {
    this.#scope.assertOpen('setMany')
    const pairs = this.#checkedEntries(entries, 'setMany')
    const life = this.#scope.life(options, 'setMany')
    const keys = pairs.map(([key]) => this.#scope.stored(key, 'setMany'))
    if (pairs.length === 0) return
    if (this.#scope.writer !== undefined)
      yield* this.#scope.write(
        pairs.map(([key, value]) => ({ key, value })),
        keys,
      )
    const tags = yield* this.#scope.capture(options?.tags, 'setMany')
    const items = pairs.map(([, value], index) =>
      this.#scope.makeItem(keys[index] as string, value, life, tags, options?.cost),
    )
    const own = new Set(keys)
    yield* this.#scope.settled((flight) => own.has(flight.key))
    this.#scope.fence(keys)
    yield* this.#scope.context.call('setMany', undefined, (store) => setAll(store, items))
    this.#scope.fence(keys)
    for (const [key] of pairs) this.#scope.countSet(key)
  }

  *delete(key: string): Operation<boolean> {
    this.#scope.assertOpen('delete')
    const stored = this.#scope.stored(key, 'delete')
    if (this.#scope.writer !== undefined) yield* answer(this.#scope.writer.remove([this.#scope.writerKey(key)]))
    yield* this.#scope.settled((flight) => flight.key === stored)
    // Before, so that newcomers start a load of their own; after, for a load that began while the delete was on its way (R1, R2).
    this.#scope.context.share.flights.fence(stored)
    const deleted = yield* this.#scope.context.call('delete', key, (store) => store.delete(stored))
    this.#scope.context.share.flights.fence(stored)
    this.#scope.countDelete(key, deleted)
    return deleted
  }

  *deleteMany(keys: readonly string[]): Operation<number> {
    this.#scope.assertOpen('deleteMany')
    checkKeys(keys, 'deleteMany')
    if (keys.length === 0) return 0
    const stored = keys.map((key) => this.#scope.stored(key, 'deleteMany'))
    if (this.#scope.writer !== undefined)
      yield* answer(this.#scope.writer.remove(keys.map((key) => this.#scope.writerKey(key))))
    const own = new Set(stored)
    yield* this.#scope.settled((flight) => own.has(flight.key))
    this.#scope.fence(stored)
    const deleted = yield* this.#scope.context.call('deleteMany', undefined, (store) => deleteAll(store, stored))
    this.#scope.fence(stored)
    this.#scope.context.recorder.deletes += deleted
    if (this.#scope.context.listeners.has('delete')) for (const key of keys) this.#scope.tell('delete', { key })
    return deleted
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
      const record = tagRecord(this.#scope.path, tag)
      this.#scope.context.share.flights.fenceTag(record)
      yield* this.#scope.context.guard(
        'deleteByTag',
        undefined,
        this.#scope.context.tags.invalidate(record, namespaceTagRecord(this.#scope.path)),
      )
      this.#scope.context.share.flights.fenceTag(record)
      if (this.#scope.context.listeners.has('invalidate')) this.#scope.tell('invalidate', { tag })
    }
  }

  *#clear(prefix: string, given: string, operation: string): Operation<void> {
    this.#scope.assertOpen(operation)
    yield* this.#scope.settled((flight) => flight.key.startsWith(prefix))
    this.#scope.context.share.flights.fencePrefix(prefix)
    yield* this.#scope.context.call(operation, undefined, (store) =>
      prefix === '' ? store.clear() : store.clear(prefix),
    )
    this.#scope.context.share.flights.fencePrefix(prefix)
    this.#scope.context.share.tagEpoch += 1
    if (this.#scope.context.listeners.has('clear')) this.#scope.tell('clear', { prefix: given })
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
      checkValue(pair[1], operation)
    }
    return pairs
  }
}

/** The pairs of entries, whichever of their forms they have. */
export function pairsOf<Value>(entries: Entries<Value>): (readonly [string, Value])[] {
  return Symbol.iterator in entries ? [...(entries as Iterable<readonly [string, Value]>)] : Object.entries(entries)
}
