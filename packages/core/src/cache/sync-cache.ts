import { removeUser } from '../backend-kit/shared-ownership.ts'
import { invalidArgument, strayArgument } from '../protocol/argument.ts'
import type { SyncCacheBackend } from '../protocol/backend.ts'
import type { Duration } from '../protocol/duration.ts'
import type { Item } from '../protocol/item.ts'
import type { Stats } from '../protocol/stats.ts'
import { RateLimits } from './coordination/rate-limits.ts'
import { BackendEvents } from './items/backend-events.ts'
import { Namespace } from './items/namespace.ts'
import { TracedNamespace } from './items/traced-namespace.ts'
import type { Inferred } from './loading/inferred.ts'
import { type SyncBatchLoader, type SyncLoader, SyncLoading, type SyncPairsLoader } from './loading/sync-loading.ts'
import { openSyncNamespace } from './open-namespace.ts'
import { namespaceName, type SyncCacheOptions } from './options/cache-options.ts'
import type { LifetimeOptions } from './options/lifetime.ts'
import type { RateLimitOptions, RateLimitResult } from './options/rate-limit-options.ts'
import { type ReadOptions, resolveReadOptions } from './options/read-options.ts'
import type { SyncGetOrSetOptions } from './options/sync-get-or-set-options.ts'
import { checkFunction, keepsTtl, type ReplaceOptions, type WriteOptions } from './options/write-options.ts'
import { Hits, nothingStored } from './reading/hits.ts'
import { Iteration } from './reading/iteration.ts'
import { Reads } from './reading/reads.ts'
import type { CacheState } from './state/cache-state.ts'
import { logEvents } from './state/event-log.ts'
import { type CacheEventName, type CacheEvents, Listeners } from './state/events.ts'
import type { Recorder } from './state/recorder.ts'
import { runSync, type Steps } from './state/steps.ts'
import { newReadTrace, traceGetNow, traceWriteNow } from './state/tracing.ts'
import { type SyncWrapOptions, wrapSync } from './wrap/wrap.ts'
import type { SyncWrappedFunction } from './wrap/wrapped-function.ts'
import { ConditionalWrites, type ExpireOptions } from './writing/conditional-writes.ts'
import { type BoundedCountOptions, type Counted, type CountOptions, Counts } from './writing/counts.ts'
import type { WriteEntries } from './writing/entries.ts'
import { Writes } from './writing/writes.ts'

/**
 * `Cache` for backends that answer without waiting: the same names, the same meaning, values instead of promises, errors thrown.
 * A `Cache` and a `SyncCache` may share a backend, and then know of each other's loads, deletes and tags.
 */
export class SyncCache<Value = unknown> {
  /** The name in errors, events, traces and metrics. */
  readonly name: string
  readonly #state: CacheState
  readonly #namespace: Namespace
  readonly #hits: Hits
  readonly #reads: Reads
  readonly #writes: Writes
  readonly #conditional: ConditionalWrites
  readonly #counts: Counts
  readonly #iteration: Iteration
  readonly #loading: SyncLoading
  readonly #rateLimits: RateLimits
  readonly #recorder: Recorder
  readonly #events: BackendEvents | undefined

  constructor(options: SyncCacheOptions)
  // A namespace is a cache on a part of another one; only `namespace` passes it.
  constructor(options: SyncCacheOptions | Namespace) {
    const isRoot = !Namespace.is(options)
    this.#namespace = isRoot ? openSyncNamespace(options) : options
    this.#state = this.#namespace.state
    this.name = this.#state.settings.name
    this.#events = isRoot ? new BackendEvents(this.#namespace) : undefined
    if (isRoot) logEvents(this.#state)
    this.#recorder = this.#state.recorder
    this.#hits = new Hits(this.#namespace)
    this.#reads = new Reads(this.#namespace)
    this.#writes = new Writes(this.#namespace)
    this.#conditional = new ConditionalWrites(this.#namespace)
    this.#counts = new Counts(this.#namespace)
    this.#iteration = new Iteration(this.#namespace)
    this.#loading = new SyncLoading(this.#namespace)
    this.#rateLimits = new RateLimits(this.#namespace)
  }

  get<T extends Value = Value>(key: string, options?: ReadOptions): T | undefined {
    if (options === undefined) {
      const item = this.#hits.sampled(key)
      if (item === nothingStored) return this.#miss(key)
      if (item !== undefined) {
        this.#hits.count(key)
        return item.value as T
      }
    }
    return this.#getSlowly(key, options) as T | undefined
  }

  has(key: string, options: ReadOptions = {}): boolean {
    return this.#state.named(() => this.#reads.has(key, this.#readOptions(options, 'has').failure)) as boolean
  }

  hasMany(keys: readonly string[], options: ReadOptions = {}): boolean[] {
    return this.#state.named(() => runSync(this.#reads.hasMany(keys, this.#readOptions(options, 'hasMany').failure)))
  }

  getMany<T extends Value = Value>(keys: readonly string[], options: ReadOptions = {}): (T | undefined)[] {
    return this.#traced(undefined, 'getMany', (traced) => {
      const { failure, stale } = this.#readOptions(options, 'getMany')
      const reads = traced === undefined ? this.#reads : new Reads(traced)
      return this.#run(reads.getMany(keys, failure, stale))
    }) as (T | undefined)[]
  }

  item<T extends Value = Value>(key: string): Item<T> | undefined {
    this.#refuseStray(arguments, 1, 'item')
    return this.#state.named(() => this.#reads.item(key)) as Item<T> | undefined
  }

  ttl(key: string): number | undefined {
    this.#refuseStray(arguments, 1, 'ttl')
    return this.#state.named(() => this.#reads.ttl(key)) as number | undefined
  }

  /** The value, made by `loader` and stored when there is none; a stale value when the loader throws and one may be served. */
  getOrSet<T extends Value = Value>(
    key: string,
    loader: SyncLoader<Inferred<T, Value>>,
    options?: SyncGetOrSetOptions,
  ): T
  getOrSet<T extends Value = Value>(
    key: string,
    loader: SyncLoader<Inferred<T, Value> | undefined>,
    options?: SyncGetOrSetOptions,
  ): T | undefined
  getOrSet<T extends Value = Value>(key: string, loader: SyncLoader<unknown>, options?: SyncGetOrSetOptions): T {
    if (typeof loader === 'function' && (options === undefined || options?.forceRefresh === undefined)) {
      const item = options === null ? undefined : this.#hits.find(key)
      if (item !== undefined && item !== nothingStored) {
        this.#hits.count(key)
        return item.value as T
      }
    }
    return this.#getOrSetSlowly(key, loader, options) as T
  }

  /** `getOrSet` for many keys, with one load for all that are missing; values in the order of the keys. */
  getOrSetMany<T extends Value = Value>(
    keys: readonly string[],
    loader: SyncPairsLoader<Inferred<T, Value>>,
    options?: SyncGetOrSetOptions,
  ): (T | undefined)[]
  getOrSetMany<T extends Value = Value>(
    keys: readonly string[],
    loader: SyncBatchLoader<Inferred<T, Value>>,
    options?: SyncGetOrSetOptions,
  ): (T | undefined)[]
  getOrSetMany<T extends Value = Value>(
    keys: readonly string[],
    loader: SyncBatchLoader<unknown>,
    options: SyncGetOrSetOptions = {},
  ): (T | undefined)[] {
    return this.#traced(undefined, 'getOrSetMany', (traced) =>
      this.#run(this.#loadingOf(traced).getOrSetMany(keys, loader, options)),
    ) as (T | undefined)[]
  }

  set(key: string, value: Value, options?: ReplaceOptions): void {
    if (keepsTtl(options)) this.#write(key, 'set', this.#conditional.set(key, value, options))
    else traceWriteNow(this.#namespace, key, 'set', () => this.#set(key, value, options))
  }

  setMany(entries: WriteEntries<Value>, options?: WriteOptions): void {
    this.#write(undefined, 'setMany', this.#writes.setMany(entries, options))
  }

  add(key: string, value: Value, options?: WriteOptions): boolean {
    return this.#write(key, 'add', this.#conditional.add(key, value, options))
  }

  replace(key: string, value: Value, options?: ReplaceOptions): boolean {
    return this.#write(key, 'replace', this.#conditional.replace(key, value, options))
  }

  compareAndSet(key: string, version: string | undefined, value: Value, options?: ReplaceOptions): boolean {
    return this.#write(key, 'compareAndSet', this.#conditional.compareAndSet(key, version, value, options))
  }

  update<T extends Value = Value>(
    key: string,
    change: (current: T | undefined) => Inferred<T, Value> | undefined,
    options?: ReplaceOptions,
  ): T | undefined {
    const updating = this.#conditional.update(key, change as (current: unknown) => unknown, options)
    return this.#write(key, 'update', updating) as T | undefined
  }

  increment(key: string, delta = 1, options: CountOptions = {}): number {
    return this.#count(key, delta, options, 'increment')
  }

  decrement(key: string, delta = 1, options: CountOptions = {}): number {
    return this.#count(key, typeof delta === 'number' ? -delta : delta, options, 'decrement')
  }

  count(key: string, delta = 1, options: BoundedCountOptions = {}): Counted {
    return this.#write(key, 'count', this.#counts.count(key, delta, options))
  }

  touch(key: string, options?: LifetimeOptions): boolean {
    return this.#write(key, 'touch', this.#conditional.touch(key, options, 'touch'))
  }

  expire(key: string, ttl: Duration, options: ExpireOptions = {}): boolean {
    return this.#write(key, 'expire', this.#conditional.expire(key, ttl, options))
  }

  take<T extends Value = Value>(key: string): T | undefined {
    this.#refuseStray(arguments, 1, 'take')
    return this.#write(key, 'take', this.#conditional.take(key)) as T | undefined
  }

  delete(key: string): boolean {
    this.#refuseStray(arguments, 1, 'delete')
    return this.#write(key, 'delete', this.#writes.delete(key))
  }

  deleteMany(keys: readonly string[]): number {
    this.#refuseStray(arguments, 1, 'deleteMany')
    return this.#write(undefined, 'deleteMany', this.#writes.deleteMany(keys))
  }

  deleteEach(keys: readonly string[]): boolean[] {
    this.#refuseStray(arguments, 1, 'deleteEach')
    return this.#write(undefined, 'deleteEach', this.#writes.deleteEach(keys))
  }

  deleteByTag(...tags: readonly string[]): void {
    this.#write(undefined, 'deleteByTag', this.#writes.deleteByTag(tags))
  }

  expireByTag(...tags: readonly string[]): void {
    this.#write(undefined, 'expireByTag', this.#writes.expireByTag(tags))
  }

  tagInvalidatedAt(tag: string): number | undefined {
    this.#refuseStray(arguments, 1, 'tagInvalidatedAt')
    return this.#run(this.#reads.tagInvalidatedAt(tag))
  }

  deleteByPrefix(prefix: string): void {
    this.#refuseStray(arguments, 1, 'deleteByPrefix')
    this.#write(undefined, 'deleteByPrefix', this.#writes.deleteByPrefix(prefix))
  }

  clear(): void {
    this.#refuseStray(arguments, 0, 'clear')
    this.#write(undefined, 'clear', this.#writes.clear())
  }

  /** The function with its results cached, under keys made from its arguments without collisions; see `Cache`. */
  wrap<Arguments extends readonly unknown[], Result>(
    fn: ((...args: Arguments) => Result) & ((...args: never[]) => Value | undefined),
    options: SyncWrapOptions<Arguments>,
  ): SyncWrappedFunction<Arguments, Result> {
    return wrapSync<Arguments, Result>(this as SyncCache<unknown>, fn, options)
  }

  keys(prefix = ''): Generator<string, void, undefined> {
    return this.#iteration.keysSync(prefix)
  }

  entries<T extends Value = Value>(prefix = ''): Generator<readonly [key: string, value: T], void, undefined> {
    return this.#iteration.entriesSync(prefix) as Generator<readonly [string, T], void, undefined>
  }

  namespace<T extends Value = Value>(name: string): SyncCache<T> {
    this.#namespace.assertOpen('namespace')
    return new SyncCache<T>(this.#state.named(() => this.#namespace.child(namespaceName(name))) as never)
  }

  rateLimit(key: string, options: RateLimitOptions): RateLimitResult {
    return this.#rateLimits.takeSync(key, options)
  }

  stats(): Stats {
    this.#namespace.assertOpen('stats')
    const { adapter } = this.#state
    return this.#state.recorder.snapshot(this.#run(this.#state.call('stats', undefined, () => adapter.stats?.() ?? {})))
  }

  on<Name extends CacheEventName>(name: Name, listener: (event: CacheEvents[Name]) => void): () => void {
    this.#namespace.assertOpen('on')
    this.#state.named(() => {
      if (!Listeners.isName(name)) throw invalidArgument('event', name, `one of ${Listeners.names.join(', ')}`, 'on')
      checkFunction(listener, 'listener', 'on')
    })
    this.#state.onListener(name)
    return this.#state.listeners.add(name, listener)
  }

  /** Ends the cache. The backend is closed with its last user, a cache or a composite. A namespace closes only itself. */
  close(): void {
    if (this.#namespace.closed) return
    this.#namespace.closed = true
    this.#hits.close()
    if (this.#events === undefined) return
    const state = this.#state
    state.close()
    for (const flight of state.running) state.shared.flights.drop(flight)
    this.#events.close()
    if (removeUser(state.backend)) (state.adapter as SyncCacheBackend).close?.()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #miss(key: string): undefined {
    this.#namespace.countMiss(key)
  }

  // Apart, as in `Cache`: a function that makes a closure somewhere makes room for it in every call.
  #getSlowly(key: string, options: ReadOptions | undefined): unknown {
    return this.#traced(key, 'get', (traced) => this.#state.named(() => this.#get(key, options, traced)))
  }

  #getOrSetSlowly(key: string, loader: SyncLoader<unknown>, options: SyncGetOrSetOptions | undefined): unknown {
    return this.#traced(key, 'getOrSet', (traced) =>
      this.#run(this.#loadingOf(traced).getOrSet(key, loader, options === undefined ? {} : options)),
    )
  }

  /** Runs a read as a call of its tracing channel, with a namespace that notes its hits and misses; `undefined` without a subscriber. */
  #traced<T>(key: string | undefined, operation: string, run: (traced: Namespace | undefined) => T): T {
    const trace = newReadTrace(this.#namespace, key, operation)
    return trace === undefined
      ? run(undefined)
      : traceGetNow(trace, () => run(new TracedNamespace(this.#namespace, trace)))
  }

  #loadingOf(traced: Namespace | undefined): SyncLoading {
    return traced === undefined ? this.#loading : new SyncLoading(traced)
  }

  #get(key: string, options: ReadOptions = {}, traced?: Namespace): unknown {
    const { failure, stale } = this.#readOptions(options, 'get')
    return (traced === undefined ? this.#reads : new Reads(traced)).get(key, failure, stale)
  }

  #set(key: string, value: Value, options: WriteOptions | undefined): void {
    this.#state.named(() =>
      this.#writes.isPlain(options)
        ? this.#writes.setPlain(key, value, options)
        : runSync(this.#writes.set(key, value, options)),
    )
  }

  /** Refuses more arguments than the method takes: `clear('users:')` must not clear everything. */
  #refuseStray(given: ArrayLike<unknown>, most: number, method: string): void {
    if (given.length > most) throw this.#state.addName(strayArgument(given.length, most, method))
  }

  #run<T>(steps: Steps<T>): T {
    return this.#state.named(() => runSync(steps))
  }

  #write<T>(key: string | undefined, method: string, steps: Steps<T>): T {
    return traceWriteNow(this.#namespace, key, method, () => this.#run(steps))
  }

  #count(key: string, delta: number, options: CountOptions, operation: 'increment' | 'decrement'): number {
    return this.#write(key, operation, this.#counts.increment(key, delta, options, operation))
  }

  #readOptions(options: ReadOptions, operation: string): ReturnType<typeof resolveReadOptions> {
    return resolveReadOptions(options, this.#state.settings.load.readFailure, operation)
  }
}
