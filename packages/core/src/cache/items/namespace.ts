import { deleteMany } from '../../backend-kit/batch-fallbacks.ts'
import { isPromise } from '../../backend-kit/maybe-promise.ts'
import { invalidArgument } from '../../protocol/argument.ts'
import type { CacheBackend } from '../../protocol/backend.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import { itemKey, keyOfItem, namespacePath } from '../../protocol/keyspace.ts'
import type { TagVersions } from '../../protocol/tag-versions.ts'
import { createVersion } from '../../protocol/version.ts'
import { type Lifetime, lifetime } from '../options/lifetime.ts'
import { checkKey, checkValue, checkWriteOptions, type WriteOptions } from '../options/write-options.ts'
import type { WriterEntry } from '../options/writer.ts'
import type { CacheState } from '../state/cache-state.ts'
import type { CacheEventName, EventPayload } from '../state/events.ts'
import type { Flight } from '../state/flight.ts'
import { answer, type Steps } from '../state/steps.ts'
import { hasLife, type Instants, instants, isFresh, jittered } from './item-life.ts'
import { type TagRecords, tagRecord, tagRecordsOf } from './tag-records.ts'
import type { WriterPort } from './writer-port.ts'

/** Number of attempts when other changes come between the read and the compare-and-set. */
export const compareAndSetTries = 100
/** From this attempt on, each one waits for a random time first, so that many processes do not keep failing each other. */
const backOffFrom = 8
const longestBackOff = 20
const noTurn = (): void => {}

/** One namespace of a cache: its keys, items, counts and events. */
export class Namespace {
  /** Whether the value is a namespace. Unlike `instanceof`, it reads nothing of a proxy. */
  static is(given: object): given is Namespace {
    return typeof given === 'object' && given !== null && #isNamespace in given
  }

  readonly #isNamespace = true
  readonly state: CacheState
  readonly segments: readonly string[]
  readonly path: string
  readonly writer: WriterPort | undefined
  readonly tags: TagRecords
  /** A namespace may be closed by itself; the cache it belongs to goes on. */
  closed = false

  constructor(state: CacheState, segments: readonly string[], tags: TagRecords, writer?: WriterPort) {
    this.state = state
    this.segments = segments
    this.path = namespacePath(segments)
    this.tags = tags
    this.writer = writer
  }

  /** A namespace within this one. */
  child(...names: readonly string[]): Namespace {
    return new Namespace(this.state, [...this.segments, ...names], this.tags, this.writer)
  }

  /** A cache in a transaction ends with the cache outside. */
  get isClosed(): boolean {
    return this.closed || this.state.closed || this.state.origin?.closed === true
  }

  /** Whether the item is fresh now. Most items have no `staleAt`, and the clock is not read for them. */
  isFresh(item: Item): boolean {
    return item.staleAt === undefined || isFresh(item, this.state.now())
  }

  assertOpen(operation: string): void {
    if (!this.isClosed) return
    throw new CacheError('CLOSED', `${operation}: this cache was closed`, {
      operation,
      backend: this.state.adapter.name,
      cache: this.state.settings.name,
    })
  }

  /** This namespace in an open transaction of the application. */
  inTransaction(transaction: unknown): Namespace {
    const { state } = this
    const backend = state.backend as CacheBackend
    if (backend.inTransaction === undefined)
      throw state.unsupported('inTransaction', "the application's transactions (inTransaction)")
    if (this.writer !== undefined) {
      const message = 'inTransaction: this cache writes to the database itself (writer), outside the transaction'
      throw new CacheError('UNSUPPORTED', message, {
        operation: 'inTransaction',
        backend: backend.name,
        cache: state.settings.name,
      })
    }
    const inside = state.inTransaction(backend.inTransaction(transaction))
    return new Namespace(inside, this.segments, tagRecordsOf(inside))
  }

  /** The key by which the application's database knows it: made as for a backend, below the namespace of the cache itself. */
  writerKey(key: string): string {
    return itemKey(namespacePath(this.segments.slice(this.state.segments.length)), key)
  }

  /** Emits an event. Check for listeners first, so that no payload is built without one. */
  emit<Name extends CacheEventName>(name: Name, payload: EventPayload<Name>): void {
    this.state.listeners.emit(name, payload, this.segments)
  }

  /** The backend's key. */
  backendKey(key: unknown, operation: string): string {
    checkKey(key, operation)
    const { transformKey } = this.state.settings
    if (transformKey === undefined) return itemKey(this.path, key)
    const changed = transformKey(key)
    if (typeof changed !== 'string') throw invalidArgument('what transformKey returns', changed, 'a string', operation)
    return itemKey(this.path, changed)
  }

  /** A promise is never stored: a caller would wait for it, and a rejected one would be an unhandled rejection of the process. */
  checkValue(value: unknown, operation: string): void {
    checkValue(value, operation)
    if (isPromise(value))
      throw invalidArgument('value', value, 'a value that is there already: await a promise first', operation)
  }

  makeItem(
    stored: string,
    value: unknown,
    life: Lifetime,
    tags: TagVersions | undefined,
    cost: number | undefined,
    jitter: number = this.state.settings.load.jitter,
  ): Item {
    const now = this.state.now()
    const item = withInstants(stored, value, now, instants(jittered(life, jitter, this.state.settings.random), now))
    if (tags !== undefined) item.tags = tags
    if (cost !== undefined) item.cost = cost
    return item
  }

  *compareAndSet(
    stored: string,
    expected: string | undefined,
    next: Item | undefined,
    operation: string,
  ): Steps<boolean> {
    return yield* this.state.call(
      operation,
      stored,
      (adapter) => adapter.compareAndSet?.(stored, expected, next) ?? false,
    )
  }

  /** Tag records and the versions that they have now; `undefined` without tags. */
  *capture(tags: readonly string[] | undefined, operation: string): Steps<TagVersions | undefined> {
    if (tags === undefined || tags.length === 0) return undefined
    const records = [...new Set(tags)].map((tag) => tagRecord(this.path, tag))
    return yield* this.state.guard(operation, undefined, this.tags.capture(records))
  }

  /** `capture` for several items at once, with one read of all tags. */
  *captureEach(
    lists: readonly (readonly string[] | undefined)[],
    operation: string,
  ): Steps<(TagVersions | undefined)[]> {
    const all = yield* this.capture([...new Set(lists.flatMap((tags) => tags ?? []))], operation)
    if (all === undefined) return lists.map(() => undefined)
    const byList = new Map<readonly string[] | undefined, TagVersions | undefined>()
    for (const tags of new Set(lists)) {
      const records = [...new Set(tags ?? [])].map((tag) => tagRecord(this.path, tag))
      byList.set(tags, records.length === 0 ? undefined : this.tags.among(all, records))
    }
    return lists.map((tags) => byList.get(tags))
  }

  life(options: WriteOptions | undefined, operation: string, optionNames?: readonly string[]): Lifetime {
    checkWriteOptions(options, operation, optionNames)
    return lifetime(options, this.state.settings.life, operation)
  }

  countHit(key: string, stale: boolean): void {
    this.state.recorder.hits += 1
    if (this.state.listeners.hit) this.emit('hit', { key, stale })
  }

  countMiss(key: string): void {
    this.state.recorder.misses += 1
    if (this.state.listeners.miss) this.emit('miss', { key })
  }

  /** An item that had no life (`ttl` 0) was not stored. */
  countSet(key: string, item?: Item): void {
    if (item !== undefined && !hasLife(item)) return
    this.state.recorder.sets += 1
    if (this.state.listeners.has('set')) this.emit('set', { key })
  }

  countDelete(key: string, deleted: boolean): void {
    if (deleted) this.state.recorder.deletes += 1
    if (this.state.listeners.has('delete')) this.emit('delete', { key })
  }

  emitStale(key: string, reason: 'refreshing' | 'loadFailed' | 'slow' | 'asked'): void {
    if (this.state.listeners.has('stale')) this.emit('stale', { key, reason })
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

  invalidate(stored: readonly string[]): void {
    for (const key of stored) this.state.shared.flights.invalidate(key)
  }

  /** Waits for results that are being stored without a condition: they must not be stored after the change that follows. */
  *waitForPendingWrites(matches: (flight: Flight) => boolean): Steps<void> {
    const { flights } = this.state.shared
    for (let pending = flights.pendingWrites(matches); pending !== undefined; pending = flights.pendingWrites(matches))
      yield* answer(pending)
  }

  /** The function that ends this operation's turn on a key; where every operation is one step, there are no turns. */
  *turn(stored: string): Steps<() => void> {
    if (this.state.local && this.writer === undefined) return noTurn
    return yield* answer(this.state.shared.mutex.take(stored))
  }

  /** Runs an operation in its turn on all these keys. */
  *exclusively<T>(stored: readonly string[], inner: Steps<T>): Steps<T> {
    const ends: (() => void)[] = []
    try {
      // Always in the same order: two calls that hold each other's keys would wait forever.
      for (const key of [...new Set(stored)].sort()) ends.push(yield* this.turn(key))
      return yield* inner
    } finally {
      for (const end of ends) end()
    }
  }

  /** Before another try of a compare-and-set that was lost `tried` times. */
  *backOff(tried: number): Steps<void> {
    if (tried < backOffFrom || this.state.local) return
    const { clock, random } = this.state.settings
    const ms = random() * Math.min(2 ** (tried - backOffFrom), longestBackOff)
    yield* answer(new Promise<void>((resolve) => clock.after(ms, resolve, true)))
  }

  /** Writes to the application's database. If that fails, the keys are removed: the cached values may have been replaced. */
  *write(entries: readonly WriterEntry[], stored: readonly string[], operation: string): Steps<void> {
    try {
      yield* answer(this.writer?.put(entries.map(({ key, value }) => ({ key: this.writerKey(key), value }))))
    } catch (error) {
      this.invalidate(stored)
      yield* this.state.call(operation, undefined, (adapter) => deleteMany(adapter, stored))
      throw error
    }
  }

  conflict(operation: string, key: string): CacheError {
    const message = `${operation}: others changed '${key}' ${compareAndSetTries} times in a row between the read and the write`
    return new CacheError('CONFLICT', message, { operation, backend: this.state.adapter.name, key })
  }

  needsCompareAndSet(operation: string): void {
    if (this.state.adapter.compareAndSet === undefined) throw this.state.unsupported(operation, 'compareAndSet')
  }
}

/** Made with all its members at once: each that is added later, and a spread of them, costs more than all the others. */
function withInstants(
  key: string,
  value: unknown,
  createdAt: number,
  { staleAt, expiresAt }: Instants,
): Item & { tags?: TagVersions; cost?: number } {
  const version = createVersion()
  if (staleAt !== undefined) {
    return expiresAt === undefined
      ? { key, value, version, createdAt, staleAt }
      : { key, value, version, createdAt, staleAt, expiresAt }
  }
  return expiresAt === undefined ? { key, value, version, createdAt } : { key, value, version, createdAt, expiresAt }
}
