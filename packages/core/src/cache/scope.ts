import { invalidArgument } from '../protocol/argument.ts'
import { CacheError } from '../protocol/cache-error.ts'
import type { Item } from '../protocol/item.ts'
import { itemKey, keyOfItem, namespacePath } from '../protocol/keyspace.ts'
import { createVersion } from '../protocol/version.ts'
import type { Context } from './context.ts'
import type { CacheEventName, CacheEvents, Told } from './events.ts'
import type { Flight } from './flights.ts'
import { type Instants, instants, jittered, type Lifetime, lifetime } from './lifetime.ts'
import { answer, answers, isPromise, type MaybePromise, type Operation } from './operation.ts'
import { deleteAll } from './store.ts'
import { type TagVersions, tagRecord } from './tags.ts'
import { checkKey, checkKeys, checkWriteOptions, type WriteOptions } from './write-options.ts'
import type { WriterEntry } from './writer.ts'

/** What a look-up found. */
export interface Found {
  /** Whatever is stored under the key: a placeholder and an item of an invalidated tag too. Its version is what a fill must meet. */
  readonly raw: Item | undefined
  /** The item, where it may be served: fresh or stale, of valid tags. */
  readonly usable: Item | undefined
}

/** A change that is on its way to the application's database. */
export interface QueuedChange {
  readonly key: string
  readonly value: unknown
  readonly deleted: boolean
}

/** The application's database behind the cache, as the operations see it. */
export interface WriterPort {
  put(entries: readonly WriterEntry[]): MaybePromise<void>
  remove(keys: readonly string[]): MaybePromise<void>
  /** The change of this key that the database does not have yet. */
  queued(key: string): QueuedChange | undefined
  /** Resolves when everything that was taken on is written. */
  close(): Promise<void>
}

export type ReadFailure = 'miss' | 'reject'

const nothing: Found = { raw: undefined, usable: undefined }

/** How often an operation starts again when others change the key between its read and its compare-and-set. */
export const swapTries = 100

/** One namespace of a cache: its keys, look-ups, items, counts and events, for the operations that are built of them. */
export class Scope {
  readonly context: Context
  readonly segments: readonly string[]
  readonly path: string
  readonly writer: WriterPort | undefined
  /** A namespace may be closed by itself; the cache it belongs to goes on. */
  closed = false

  constructor(context: Context, segments: readonly string[], writer?: WriterPort) {
    this.context = context
    this.segments = segments
    this.path = namespacePath(segments)
    this.writer = writer
  }

  assertOpen(operation: string): void {
    if (!this.closed && !this.context.closed) return
    throw new CacheError('CLOSED', `${operation}: this cache was closed`, {
      operation,
      backend: this.context.store.name,
    })
  }

  /** The key by which the application's database knows it. */
  writerKey(key: string): string {
    const inner = namespacePath(this.segments.slice(this.context.segments.length))
    return inner === '' ? key : `${inner}:${key}`
  }

  /** Emits an event; ask the listeners first, so that nothing is built when nobody listens. */
  tell<Name extends CacheEventName>(name: Name, event: Told[Name]): void {
    this.context.listeners.emit(name, { ...event, namespace: this.segments } as CacheEvents[Name])
  }

  /** The backend's key. */
  stored(key: unknown, operation: string): string {
    checkKey(key, operation)
    const { transformKey } = this.context.settings
    if (transformKey === undefined) return itemKey(this.path, key)
    const changed = transformKey(key)
    if (typeof changed !== 'string') throw invalidArgument('what transformKey returns', changed, 'a string', operation)
    return itemKey(this.path, changed)
  }

  *lookup(stored: string, operation: string): Operation<Found> {
    return yield* this.context.guard(operation, stored, this.#lookup(stored))
  }

  /** A failing backend is a miss, where that is wanted: the source of the data is still there. */
  *lookupOrMiss(stored: string, operation: string, failure: ReadFailure): Operation<Found> {
    try {
      return yield* this.lookup(stored, operation)
    } catch (error) {
      if (failure === 'reject') throw error
      return nothing
    }
  }

  *lookupMany(keys: readonly string[], operation: string, failure: ReadFailure): Operation<Found[]> {
    this.assertOpen(operation)
    checkKeys(keys, operation)
    const stored = keys.map((key) => this.stored(key, operation))
    if (stored.length === 0) return []
    const { getMany } = this.context.store
    try {
      const raws =
        getMany === undefined
          ? yield* answers(stored.map((key) => this.#getOne(key, operation, failure)))
          : yield* this.context.call(operation, undefined, (store) => store.getMany?.(stored) ?? [])
      return yield* this.context.guard(operation, undefined, this.#validated(raws))
    } catch (error) {
      if (failure === 'reject') throw error
      return stored.map(() => nothing)
    }
  }

  makeItem(
    stored: string,
    value: unknown,
    life: Lifetime,
    tags: TagVersions | undefined,
    cost: number | undefined,
    jitter: number = this.context.settings.load.jitter,
  ): Item {
    const now = this.context.now()
    const item: Item & Instants & { tags?: TagVersions; cost?: number } = {
      key: stored,
      value,
      version: createVersion(),
      createdAt: now,
      ...instants(jittered(life, jitter, this.context.settings.random), now),
    }
    if (tags !== undefined) item.tags = tags
    if (cost !== undefined) item.cost = cost
    return item
  }

  *swap(stored: string, expected: string | undefined, next: Item | undefined, operation: string): Operation<boolean> {
    return yield* this.context.call(operation, stored, (store) => store.swap?.(stored, expected, next) ?? false)
  }

  /** Tag records and the versions that they have now; `undefined` without tags. */
  *capture(tags: readonly string[] | undefined, operation: string): Operation<TagVersions | undefined> {
    if (tags === undefined || tags.length === 0) return undefined
    const records = [...new Set(tags)].map((tag) => tagRecord(this.path, tag))
    return yield* this.context.guard(operation, undefined, this.context.tags.capture(records))
  }

  life(options: WriteOptions | undefined, operation: string): Lifetime {
    checkWriteOptions(options, operation)
    return lifetime(options, this.context.settings.life, operation)
  }

  countHit(key: string, stale: boolean): void {
    this.context.recorder.hits += 1
    if (this.context.listeners.hit) this.tell('hit', { key, stale })
  }

  countMiss(key: string): void {
    this.context.recorder.misses += 1
    if (this.context.listeners.miss) this.tell('miss', { key })
  }

  countSet(key: string): void {
    this.context.recorder.sets += 1
    if (this.context.listeners.has('set')) this.tell('set', { key })
  }

  countDelete(key: string, deleted: boolean): void {
    if (deleted) this.context.recorder.deletes += 1
    if (this.context.listeners.has('delete')) this.tell('delete', { key })
  }

  tellStale(key: string, reason: 'refreshing' | 'loadFailed' | 'slow' | 'asked'): void {
    if (this.context.listeners.has('stale')) this.tell('stale', { key, reason })
  }

  /** The item as the application knows it: its own key, and tags by their names. */
  published(item: Item, key: string): Item {
    if (item.tags === undefined) return { ...item, key }
    const start = tagRecord(this.path, '').length
    const tags = Object.fromEntries(
      Object.entries(item.tags).map(([record, version]) => [record.slice(start), version]),
    )
    return { ...item, key, tags }
  }

  /** The application's key of a backend's key in this namespace, or `undefined`. */
  keyOf(stored: string): string | undefined {
    return keyOfItem(this.path, stored)
  }

  fence(stored: readonly string[]): void {
    for (const key of stored) this.context.share.flights.fence(key)
  }

  /** Waits for results that are being stored without a condition: they must not land after what comes now. */
  *settled(matches: (flight: Flight) => boolean): Operation<void> {
    const pending = this.context.share.flights.storing(matches)
    if (pending !== undefined) yield* answer(pending)
  }

  /** Writes to the application's database; when that fails, the cache must not go on serving what may have been replaced. */
  *write(entries: readonly WriterEntry[], stored: readonly string[]): Operation<void> {
    try {
      yield* answer(this.writer?.put(entries.map(({ key, value }) => ({ key: this.writerKey(key), value }))))
    } catch (error) {
      this.fence(stored)
      yield* this.context.call('set', undefined, (store) => deleteAll(store, stored))
      throw error
    }
  }

  conflict(operation: string, key: string): CacheError {
    const message = `${operation}: others changed '${key}' ${swapTries} times in a row between the read and the write`
    return new CacheError('CONFLICT', message, { operation, backend: this.context.store.name, key })
  }

  needsSwap(operation: string): void {
    if (this.context.store.swap === undefined) throw this.context.unsupported(operation, 'compare-and-set (swap)')
  }

  *#lookup(stored: string): Operation<Found> {
    const raw = yield* answer(this.context.store.get(stored))
    if (raw === undefined || raw.value === undefined) return { raw, usable: undefined }
    if (raw.tags !== undefined && !(yield* this.context.tags.valid(raw.tags))) return { raw, usable: undefined }
    return { raw, usable: raw }
  }

  #getOne(stored: string, operation: string, failure: ReadFailure): MaybePromise<Item | undefined> {
    const failed = (error: unknown): undefined => {
      const failure_ = this.context.failed(error, operation, stored)
      if (failure === 'reject') throw failure_
      return undefined
    }
    try {
      const got = this.context.store.get(stored)
      return isPromise(got) ? got.catch(failed) : got
    } catch (error) {
      return failed(error)
    }
  }

  *#validated(raws: readonly (Item | undefined)[]): Operation<Found[]> {
    const records = new Set<string>()
    for (const raw of raws) for (const record in raw?.tags) records.add(record)
    const current = records.size === 0 ? {} : yield* this.context.tags.current([...records])
    return raws.map((raw) => {
      if (raw === undefined || raw.value === undefined) return { raw, usable: undefined }
      const { tags } = raw
      const valid = tags === undefined || Object.keys(tags).every((record) => tags[record] === current[record])
      return { raw, usable: valid ? raw : undefined }
    })
  }
}
