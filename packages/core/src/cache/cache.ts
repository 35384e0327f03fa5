import type { MaybePromise } from '../backend-kit/maybe-promise.ts'
import { invalidArgument, strayArgument } from '../protocol/argument.ts'
import type { Duration } from '../protocol/duration.ts'
import type { Item } from '../protocol/item.ts'
import type { Stats } from '../protocol/stats.ts'
import { closeCache } from './close-cache.ts'
import { type LockHandle, type LockOptions, Locks } from './coordination/locks.ts'
import { RateLimits } from './coordination/rate-limits.ts'
import { checkHealth } from './health/check-health.ts'
import type { Health, HealthOptions } from './health/health.ts'
import { BackendEvents } from './items/backend-events.ts'
import { Namespace } from './items/namespace.ts'
import { setNamespaceReader } from './items/namespace-of.ts'
import { TracedNamespace } from './items/traced-namespace.ts'
import { type BatchLoader, getOrSetMany, type PairsLoader } from './loading/batch-loading.ts'
import type { Inferred } from './loading/inferred.ts'
import type { Loader } from './loading/load-context.ts'
import { Loading } from './loading/loading.ts'
import { openNamespace } from './open-namespace.ts'
import { type CacheOptions, namespaceName } from './options/cache-options.ts'
import { type GetOrSetOptions, hitIgnores } from './options/get-or-set-options.ts'
import type { LifetimeOptions } from './options/lifetime.ts'
import type { RateLimitOptions, RateLimitResult } from './options/rate-limit-options.ts'
import { type ReadOptions, resolveReadOptions } from './options/read-options.ts'
import { checkFunction, keepsTtl, type ReplaceOptions, type WriteOptions } from './options/write-options.ts'
import { nothingFound } from './reading/finder.ts'
import { Hits, nothingStored } from './reading/hits.ts'
import { Iteration } from './reading/iteration.ts'
import { Reads } from './reading/reads.ts'
import type { CacheState } from './state/cache-state.ts'
import { logEvents } from './state/event-log.ts'
import { type CacheEventName, type CacheEvents, Listeners } from './state/events.ts'
import type { Recorder } from './state/recorder.ts'
import type { Steps } from './state/steps.ts'
import { newReadTrace, readsAreTraced, traceGet, traceWrite } from './state/tracing.ts'
import { type WrapOptions, wrapFunction } from './wrap/wrap.ts'
import type { Wrappable, WrappedFunction } from './wrap/wrapped-function.ts'
import { ConditionalWrites, type ExpireOptions } from './writing/conditional-writes.ts'
import { type BoundedCountOptions, type Counted, type CountOptions, Counts } from './writing/counts.ts'
import type { WriteEntries } from './writing/entries.ts'
import { Writes } from './writing/writes.ts'

/** The look-up of a key that a hit was looked for, where the store of this process has nothing. */
const nothingKnown = { found: nothingFound }

/**
 * A cache over a backend: for applications. Every backend gets the whole feature set; methods that need compare-and-set reject
 * with `UNSUPPORTED` on a backend without `compareAndSet`.
 *
 * Every method rejects with a `CacheError`: `INVALID_ARGUMENT` before anything is written, `CLOSED` after `close`, and the backend's
 * own codes. Reads of a failing backend are misses unless `readFailure` says otherwise; writes, deletes and counters reject.
 */
export class Cache<Value = unknown> {
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
  readonly #loading: Loading
  readonly #locks: Locks
  readonly #rateLimits: RateLimits
  readonly #recorder: Recorder
  /** Whether no option of the cache renews fresh values. */
  readonly #neverRenews: boolean
  readonly #events: BackendEvents | undefined
  #closing: Promise<void> | undefined

  static {
    setNamespaceReader((cache) => (#namespace in cache ? cache.#namespace : undefined))
  }

  constructor(options: CacheOptions<Value>)
  // A namespace, or a view in a transaction, is a cache on a part of another one; only `namespace` and `inTransaction` pass it.
  constructor(options: CacheOptions<Value> | Namespace) {
    const isRoot = !Namespace.is(options)
    this.#namespace = isRoot ? openNamespace(options) : options
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
    this.#loading = new Loading(this.#namespace)
    this.#locks = new Locks(this.#namespace)
    this.#rateLimits = new RateLimits(this.#namespace)
    const { settings } = this.#state
    this.#neverRenews = settings.load.refreshAhead === 1 && settings.load.earlyExpiry === 0
  }

  /** Resolves to the value, or to `undefined` when there is none, it expired, or one of its tags was invalidated. */
  get<T extends Value = Value>(key: string, options?: ReadOptions): Promise<T | undefined> {
    if (options === undefined) {
      const item = this.#hits.sampled(key)
      if (item === nothingStored) return this.#miss(key)
      if (item !== undefined) {
        this.#hits.count(key)
        return Promise.resolve(item.value as T)
      }
    }
    return this.#getSlowly(key, options) as Promise<T | undefined>
  }

  /** Resolves to whether `get` would give a value. Counts neither as hit nor as miss. */
  has(key: string, options: ReadOptions = {}): Promise<boolean> {
    return this.#state.runCall(() => this.#reads.has(key, this.#readOptions(options, 'has').failure))
  }

  /** Resolves to whether each key has a value, in the order of the keys. Counts neither as hits nor as misses. */
  hasMany(keys: readonly string[], options: ReadOptions = {}): Promise<boolean[]> {
    return this.#promiseOf(() =>
      this.#state.run(this.#reads.hasMany(keys, this.#readOptions(options, 'hasMany').failure)),
    )
  }

  /** Resolves to the values in the order of the keys, `undefined` where `get` would give it. */
  getMany<T extends Value = Value>(keys: readonly string[], options: ReadOptions = {}): Promise<(T | undefined)[]> {
    const run = (reads: Reads): Promise<unknown[]> => {
      const { failure, stale } = this.#readOptions(options, 'getMany')
      return this.#state.run(reads.getMany(keys, failure, stale))
    }
    return this.#traced(undefined, 'getMany', (traced) =>
      this.#promiseOf(() => run(traced === undefined ? this.#reads : new Reads(traced))),
    ) as Promise<(T | undefined)[]>
  }

  /** Resolves to the whole item, fresh or stale, or to `undefined`. Counts neither as hit nor as miss; rejects when the backend fails. */
  item<T extends Value = Value>(key: string): Promise<Item<T> | undefined> {
    const stray = this.#stray(arguments, 1, 'item')
    if (stray !== undefined) return stray
    return this.#state.runCall(() => this.#reads.item(key)) as Promise<Item<T> | undefined>
  }

  /** Resolves to the milliseconds for which the value is still fresh, `Infinity` when it does not expire, `undefined` when there is none. */
  ttl(key: string): Promise<number | undefined> {
    const stray = this.#stray(arguments, 1, 'ttl')
    if (stray !== undefined) return stray
    return this.#state.runCall(() => this.#reads.ttl(key))
  }

  /**
   * Resolves to the value, loading and storing it when there is none. Concurrent callers share one load. A result is not
   * stored when the key was deleted, set or cleared, or one of its tags invalidated, since its load began.
   *
   * Rejects with the error of the loader, unless a stale value may be served; with `LOAD_TIMEOUT` after `timeout`, with `ABORTED` when
   * `signal` aborts. Options are looked at when something has to be loaded. Resolves to `undefined`, and stores nothing, where the
   * loader returns `undefined`.
   */
  getOrSet<T extends Value = Value>(
    key: string,
    loader: Loader<Inferred<T, Value>>,
    options?: GetOrSetOptions,
  ): Promise<T>
  getOrSet<T extends Value = Value>(
    key: string,
    loader: Loader<Inferred<T, Value> | undefined>,
    options?: GetOrSetOptions,
  ): Promise<T | undefined>
  getOrSet<T extends Value = Value>(key: string, loader: Loader<unknown>, options?: GetOrSetOptions): Promise<T> {
    const item = typeof loader === 'function' && options !== null ? this.#hits.find(key) : undefined
    if (item === undefined) return this.#getOrSetSlowly(key, loader, options) as Promise<T>
    if (item === nothingStored) return this.#loading.getOrSet(key, loader, options, nothingKnown) as Promise<T>
    if (hitIgnores(options, this.#neverRenews)) {
      this.#hits.count(key)
      return Promise.resolve(item.value as T)
    }
    if (options?.forceRefresh === true || options?.signal !== undefined)
      return this.#getOrSetSlowly(key, loader, options) as Promise<T>
    return this.#serveFresh(key, loader, options ?? {}, item) as Promise<T>
  }

  /**
   * `getOrSet` for many keys, with one load for all that are missing. The loader returns pairs, an object, or values in the order of the
   * missing keys. Resolves to the values in the order of the keys, `undefined` where the loader had none.
   */
  getOrSetMany<T extends Value = Value>(
    keys: readonly string[],
    loader: PairsLoader<Inferred<T, Value>>,
    options?: GetOrSetOptions,
  ): Promise<(T | undefined)[]>
  getOrSetMany<T extends Value = Value>(
    keys: readonly string[],
    loader: BatchLoader<Inferred<T, Value>>,
    options?: GetOrSetOptions,
  ): Promise<(T | undefined)[]>
  getOrSetMany<T extends Value = Value>(
    keys: readonly string[],
    loader: BatchLoader<unknown>,
    options?: GetOrSetOptions,
  ): Promise<(T | undefined)[]> {
    return this.#traced(undefined, 'getOrSetMany', (traced = this.#namespace) => {
      const loading = traced === this.#namespace ? this.#loading : new Loading(traced)
      return this.#named(getOrSetMany(traced, loading, keys, loader, options))
    }) as Promise<(T | undefined)[]>
  }

  /** Stores a value, replacing the earlier one. `undefined` cannot be stored; `null` can. */
  set(key: string, value: Value, options?: ReplaceOptions): Promise<void> {
    if (keepsTtl(options)) return this.#write(key, 'set', this.#conditional.set(key, value, options))
    if (this.#writes.isPlain(options))
      return traceWrite(this.#namespace, key, 'set', () =>
        this.#promiseOf(() => this.#writes.setPlain(key, value, options)),
      )
    return this.#write(key, 'set', this.#writes.set(key, value, options))
  }

  /**
   * Stores many values. An entry `[key, value, options]` has options of its own, which take precedence over those of the call. When it
   * rejects, some may have been stored.
   */
  setMany(entries: WriteEntries<Value>, options?: WriteOptions): Promise<void> {
    return this.#write(undefined, 'setMany', this.#writes.setMany(entries, options))
  }

  /** Stores the value if there is none. Resolves to whether it did. */
  add(key: string, value: Value, options?: WriteOptions): Promise<boolean> {
    return this.#write(key, 'add', this.#conditional.add(key, value, options))
  }

  /** Stores the value if there is one already. Resolves to whether it did. */
  replace(key: string, value: Value, options?: ReplaceOptions): Promise<boolean> {
    return this.#write(key, 'replace', this.#conditional.replace(key, value, options))
  }

  /** Stores the value if the current one has this version (see `item`), or if there is none and `version` is `undefined`. Resolves to whether it did. */
  compareAndSet(key: string, version: string | undefined, value: Value, options?: ReplaceOptions): Promise<boolean> {
    return this.#write(key, 'compareAndSet', this.#conditional.compareAndSet(key, version, value, options))
  }

  /**
   * Stores the result of `change` for the current value (`undefined` if there is none), and resolves to it. `change` runs again after a
   * lost compare-and-set, at most 100 times (`CONFLICT`). If it returns `undefined`, nothing is stored. `keepTtl` keeps the remaining
   * lifetime.
   */
  update<T extends Value = Value>(
    key: string,
    change: (current: T | undefined) => Promise<Inferred<T, Value> | undefined> | Inferred<T, Value> | undefined,
    options?: ReplaceOptions,
  ): Promise<T | undefined> {
    const updating = this.#conditional.update(key, change as (current: unknown) => unknown, options)
    return this.#write(key, 'update', updating) as Promise<T | undefined>
  }

  /** Adds to a whole number and resolves to the sum; a missing one counts from 0 and lives for `ttl` from its creation. */
  increment(key: string, delta = 1, options: CountOptions = {}): Promise<number> {
    return this.#count(key, delta, options, 'increment')
  }

  /** Subtracts; see `increment`. */
  decrement(key: string, delta = 1, options: CountOptions = {}): Promise<number> {
    return this.#count(key, typeof delta === 'number' ? -delta : delta, options, 'decrement')
  }

  /**
   * Adds to a whole number like `increment`, keeps the result between `least` and `most`, and resolves to it with the deadline of the
   * counter, all in one atomic step. Needs a backend with `compareAndSet`.
   */
  count(key: string, delta = 1, options: BoundedCountOptions = {}): Promise<Counted> {
    return this.#write(key, 'count', this.#counts.count(key, delta, options))
  }

  /** Gives a fresh value a new life from now on (the cache's `ttl` and `staleFor` by default). Resolves to whether there was one. */
  touch(key: string, options?: LifetimeOptions): Promise<boolean> {
    return this.#write(key, 'touch', this.#conditional.touch(key, options, 'touch'))
  }

  /** Lets a fresh value end after `ttl`; with `keepStale` it may be served stale after that. Resolves to whether there was one. */
  expire(key: string, ttl: Duration, options: ExpireOptions = {}): Promise<boolean> {
    return this.#write(key, 'expire', this.#conditional.expire(key, ttl, options))
  }

  /** Removes the value and resolves to it. Of concurrent calls one gets it. */
  take<T extends Value = Value>(key: string): Promise<T | undefined> {
    const stray = this.#stray(arguments, 1, 'take')
    if (stray !== undefined) return stray
    return this.#write(key, 'take', this.#conditional.take(key)) as Promise<T | undefined>
  }

  /** Removes the value. Resolves to whether there was one; never resolves when the backend did not do it. */
  delete(key: string): Promise<boolean> {
    const stray = this.#stray(arguments, 1, 'delete')
    if (stray !== undefined) return stray
    return this.#write(key, 'delete', this.#writes.delete(key))
  }

  /** Removes many values. Resolves to how many there were. */
  deleteMany(keys: readonly string[]): Promise<number> {
    const stray = this.#stray(arguments, 1, 'deleteMany')
    if (stray !== undefined) return stray
    return this.#write(undefined, 'deleteMany', this.#writes.deleteMany(keys))
  }

  /** Removes many values. Resolves to whether there was one, in the order of the keys; of equal keys the first has the answer. */
  deleteEach(keys: readonly string[]): Promise<boolean[]> {
    const stray = this.#stray(arguments, 1, 'deleteEach')
    if (stray !== undefined) return stray
    return this.#write(undefined, 'deleteEach', this.#writes.deleteEach(keys))
  }

  /** Makes every value invalid that has one of these tags, in this namespace. The cost does not depend on the number of values. */
  deleteByTag(...tags: readonly string[]): Promise<void> {
    return this.#write(undefined, 'deleteByTag', this.#writes.deleteByTag(tags))
  }

  /**
   * Makes every value stale that has one of these tags, in this namespace: `get` misses it, and `getOrSet` serves it while it loads a new
   * one, until the value expires. Values that also had a `deleteByTag` stay invalid. Needs a backend with `compareAndSet`.
   */
  expireByTag(...tags: readonly string[]): Promise<void> {
    return this.#write(undefined, 'expireByTag', this.#writes.expireByTag(tags))
  }

  /**
   * Resolves to the instant of the last `deleteByTag` or `expireByTag` of a tag, in milliseconds since 1970 by the clock of the process that called it.
   * Resolves to `undefined` when there was none, or when its record expired (`tagTtl`) or was evicted.
   */
  tagInvalidatedAt(tag: string): Promise<number | undefined> {
    const stray = this.#stray(arguments, 1, 'tagInvalidatedAt')
    if (stray !== undefined) return stray
    return this.#state.run(this.#reads.tagInvalidatedAt(tag))
  }

  /** Removes every value of this namespace whose key starts with `prefix`, character by character. */
  deleteByPrefix(prefix: string): Promise<void> {
    const stray = this.#stray(arguments, 1, 'deleteByPrefix')
    if (stray !== undefined) return stray
    return this.#write(undefined, 'deleteByPrefix', this.#writes.deleteByPrefix(prefix))
  }

  /** Removes every value of this namespace and of those within it; without a namespace, everything that the backend holds. */
  clear(): Promise<void> {
    const stray = this.#stray(arguments, 0, 'clear')
    if (stray !== undefined) return stray
    return this.#write(undefined, 'clear', this.#writes.clear())
  }

  /** Iterates the keys of this namespace that start with `prefix`. Needs a backend with `keys`. */
  keys(prefix = ''): AsyncGenerator<string, void, undefined> {
    return this.#iteration.keys(prefix)
  }

  /**
   * Iterates the keys that start with `prefix` with their fresh values, which it reads in batches. A key that changes meanwhile may
   * appear with either value. Counts neither as hits nor as misses; throws when the backend fails. Needs a backend with `keys`.
   */
  entries<T extends Value = Value>(prefix = ''): AsyncGenerator<readonly [key: string, value: T], void, undefined> {
    return this.#iteration.entries(prefix) as AsyncGenerator<readonly [string, T], void, undefined>
  }

  /** A cache on the same backend whose keys and tags are apart from all others. Closing it closes nothing else. */
  namespace<T extends Value = Value>(name: string): Cache<T> {
    this.#namespace.assertOpen('namespace')
    return new Cache<T>(this.#state.named(() => this.#namespace.child(namespaceName(name))) as never)
  }

  /**
   * This cache in an open transaction of the application, such as a client of `pg` with `@cache/postgres`: what is deleted,
   * invalidated or set there takes effect with the commit, and not at all when it is rolled back. Whoever loads such a key
   * meanwhile does not store what it read before the commit. Closing it closes nothing else; the transaction stays the application's.
   *
   *     await client.query('begin')
   *     await client.query('update users set name = $1 where id = 42', ['Ada'])
   *     await cache.inTransaction(client).delete('user:42')
   *     await client.query('commit')
   *
   * `clear` and `deleteByPrefix` are refused (`UNSUPPORTED`): they could not keep such loads of keys out that are not there. Locks and
   * rate limits belong outside: no other process sees them before the commit.
   *
   * Throws `UNSUPPORTED` where the backend has no transactions (`inTransaction`) or the cache has a `writer`.
   */
  inTransaction(transaction: unknown): Cache<Value> {
    this.#namespace.assertOpen('inTransaction')
    return new Cache<Value>(this.#state.named(() => this.#namespace.inTransaction(transaction)) as never)
  }

  /**
   * Runs `work` while holding a lock across processes; resolves to its result. The lock is renewed while the work runs. Rejects with
   * `LOCK_LOST` if it was lost by the end of the work.
   * Rejects with `LOCK_TIMEOUT` when it was not free within `wait`. Needs a backend with `compareAndSet`.
   */
  withLock<T>(key: string, work: (lock: LockHandle) => Promise<T> | T, options: LockOptions = {}): Promise<T> {
    return this.#named(this.#locks.withLock(key, work, options))
  }

  /** Takes one call from a sliding window, if one is left; exact under concurrency. Needs a backend with `compareAndSet`. */
  rateLimit(key: string, options: RateLimitOptions): Promise<RateLimitResult> {
    return this.#named(this.#rateLimits.take(key, options))
  }

  /**
   * The function with its results cached, under keys made from its arguments without collisions. It has `keyOf`, `invalidate` and
   * `refresh`, each with the arguments of a call.
   */
  wrap<Arguments extends readonly unknown[], Result>(
    fn: ((...args: Arguments) => Promise<Result> | Result) & Wrappable<Value>,
    options: WrapOptions<Arguments>,
  ): WrappedFunction<Arguments, Result> {
    return wrapFunction<Arguments, Result>(this as Cache<unknown>, fn, options)
  }

  /** Resolves to the counts of the cache and its namespaces, and those of the backend. */
  async stats(): Promise<Stats> {
    this.#namespace.assertOpen('stats')
    const { adapter } = this.#state
    const stats = this.#state.call('stats', undefined, () => adapter.stats?.() ?? {})
    return this.#state.recorder.snapshot(await this.#state.run(stats))
  }

  /**
   * Resolves to the state of the cache, its store and the parts of it, within `timeout` (default one second). Asks each store for one
   * key. Rejects with `INVALID_ARGUMENT` for wrong options, and never for a failure: a closed cache is `down`.
   */
  health(options?: HealthOptions): Promise<Health> {
    return this.#named(checkHealth(this.#namespace, options))
  }

  /** Calls `listener` at every event of this name, of this cache and all its namespaces; returns the function that ends it. */
  on<Name extends CacheEventName>(name: Name, listener: (event: CacheEvents[Name]) => void): () => void {
    this.#namespace.assertOpen('on')
    this.#state.named(() => {
      if (!Listeners.isName(name)) throw invalidArgument('event', name, `one of ${Listeners.names.join(', ')}`, 'on')
      checkFunction(listener, 'listener', 'on')
    })
    this.#state.onListener(name)
    return this.#state.listeners.add(name, listener)
  }

  /**
   * Lets work in flight settle; later calls reject with `CLOSED`. Rejects with `TIMEOUT` when a call in flight does not end within 10 seconds,
   * or the `close` of the backend within 15; the rest is closed then. The backend is closed with its last user, a cache or a composite. Results of
   * loads that are still running reach their callers and are not stored. A namespace closes only itself.
   */
  close(): Promise<void> {
    this.#closing ??= this.#events === undefined ? this.#closeNamespace() : closeCache(this.#namespace, this.#events)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #closeNamespace(): Promise<void> {
    this.#namespace.closed = true
    this.#hits.close()
  }

  #miss(key: string): Promise<undefined> {
    this.#namespace.countMiss(key)
    return Promise.resolve(undefined)
  }

  // Misses have their own methods: V8 allocates a context on every call of a function that contains a closure, so a closure in the
  // public methods would cost each hit.
  #getSlowly(key: string, options: ReadOptions | undefined): Promise<unknown> {
    if (readsAreTraced()) return this.#getTraced(key, options)
    try {
      return Promise.resolve(this.#get(key, options))
    } catch (error) {
      return Promise.reject(this.#state.addName(error))
    }
  }

  #getTraced(key: string, options: ReadOptions | undefined): Promise<unknown> {
    return this.#traced(key, 'get', (traced) =>
      this.#promiseOf(() => this.#get(key, options, traced === undefined ? this.#reads : new Reads(traced))),
    )
  }

  #getOrSetSlowly(key: string, loader: Loader<unknown>, options: GetOrSetOptions | undefined): Promise<unknown> {
    return readsAreTraced() ? this.#getOrSetTraced(key, loader, options) : this.#loading.getOrSet(key, loader, options)
  }

  #getOrSetTraced(key: string, loader: Loader<unknown>, options: GetOrSetOptions | undefined): Promise<unknown> {
    return this.#traced(key, 'getOrSet', (traced) => {
      const loading = traced === undefined ? this.#loading : new Loading(traced)
      return loading.getOrSet(key, loader, options)
    })
  }

  /** Runs a read as a call of its tracing channel, with a namespace that notes its hits and misses; `undefined` without a subscriber. */
  #traced<T>(
    key: string | undefined,
    operation: string,
    run: (traced: Namespace | undefined) => Promise<T>,
  ): Promise<T> {
    const trace = newReadTrace(this.#namespace, key, operation)
    return trace === undefined
      ? run(undefined)
      : traceGet(trace, () => run(new TracedNamespace(this.#namespace, trace)))
  }

  async #serveFresh(key: string, loader: Loader<unknown>, options: GetOrSetOptions, item: Item): Promise<unknown> {
    return this.#loading.serveFresh(key, loader, options, item)
  }

  #get(key: string, options: ReadOptions | undefined, reads: Reads = this.#reads): MaybePromise<unknown> {
    if (options === undefined) return reads.get(key, this.#state.settings.load.readFailure, false)
    const { failure, stale } = this.#readOptions(options, 'get')
    return reads.get(key, failure, stale)
  }

  #count(key: string, delta: number, options: CountOptions, operation: 'increment' | 'decrement'): Promise<number> {
    return this.#write(key, operation, this.#counts.increment(key, delta, options, operation))
  }

  #write<T>(key: string | undefined, operation: string, writing: Steps<T>): Promise<T> {
    return traceWrite(this.#namespace, key, operation, () => this.#state.run(writing))
  }

  #readOptions(options: ReadOptions, operation: string): ReturnType<typeof resolveReadOptions> {
    return resolveReadOptions(options, this.#state.settings.load.readFailure, operation)
  }

  /** The rejection of a call with more arguments than the method takes: `clear('users:')` must not clear everything. */
  #stray(given: ArrayLike<unknown>, most: number, method: string): Promise<never> | undefined {
    if (given.length <= most) return undefined
    return Promise.reject(this.#state.addName(strayArgument(given.length, most, method)))
  }

  /** The call's errors carry the name of the cache. */
  #named<T>(call: Promise<T>): Promise<T> {
    return call.catch((error) => {
      throw this.#state.addName(error)
    })
  }

  /** The result of a call as a promise; a synchronous failure becomes a rejection. */
  #promiseOf<T>(call: () => MaybePromise<T>): Promise<T> {
    try {
      return Promise.resolve(call())
    } catch (error) {
      return Promise.reject(this.#state.addName(error))
    }
  }
}
