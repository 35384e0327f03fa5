import { checkOptions, invalidArgument } from '../protocol/argument.ts'
import type { CacheBackend, SyncCacheBackend } from '../protocol/backend.ts'
import type { Duration } from '../protocol/duration.ts'
import type { Item } from '../protocol/item.ts'
import { itemKey } from '../protocol/keyspace.ts'
import type { Stats } from '../protocol/stats.ts'
import { BackendEvents } from './backend-events.ts'
import type { ReadOptions } from './cache.ts'
import {
  checkBackend,
  namespaceSegments,
  readFailure,
  resolveSettings,
  type SyncCacheOptions,
  syncCacheOptionNames,
} from './cache-options.ts'
import { ConditionalWrites } from './conditional-writes.ts'
import { Context } from './context.ts'
import { type CacheEventName, type CacheEvents, Listeners } from './events.ts'
import { isFresh } from './lifetime.ts'
import { runSync } from './operation.ts'
import { type RateLimitOptions, type RateLimitResult, RateLimits } from './rate-limits.ts'
import { Reads } from './reads.ts'
import type { Recorder } from './recorder.ts'
import { Scope } from './scope.ts'
import type { Reader } from './store.ts'
import { loadSync } from './sync-loading.ts'
import { checkFunction, checkWriteOptions, type WriteOptions } from './write-options.ts'
import { type Entries, Writes } from './writes.ts'

/** Options of `SyncCache`. */
export interface SyncOptions extends SyncCacheOptions {
  /** Where items are kept: a synchronous backend, or a backend with a synchronous side (`sync`), such as memory. */
  readonly backend: CacheBackend | SyncCacheBackend
}

/**
 * `Cache` for backends that answer without waiting: the same names, the same meaning, values instead of promises, errors thrown.
 * A `Cache` and a `SyncCache` may share a backend, and then know of each other's loads, deletes and tags.
 */
export class SyncCache<Value = unknown> {
  readonly #context: Context
  readonly #scope: Scope
  readonly #reads: Reads
  readonly #writes: Writes
  readonly #conditional: ConditionalWrites
  readonly #rateLimits: RateLimits
  #reader: Reader | undefined
  readonly #recorder: Recorder
  readonly #listeners: Listeners
  readonly #plainKeys: boolean
  readonly #events: BackendEvents | undefined

  /** `parent` is for `namespace` alone. */
  constructor(options: SyncOptions, parent?: Scope) {
    this.#scope = parent ?? openScope(options)
    this.#context = this.#scope.context
    this.#events = parent === undefined ? new BackendEvents(this.#scope) : undefined
    this.#recorder = this.#context.recorder
    this.#listeners = this.#context.listeners
    this.#reads = new Reads(this.#scope)
    this.#writes = new Writes(this.#scope)
    this.#conditional = new ConditionalWrites(this.#scope)
    this.#rateLimits = new RateLimits(this.#scope)
    this.#reader = this.#context.reader
    this.#plainKeys = this.#scope.path === '' && this.#context.settings.transformKey === undefined
  }

  get<T extends Value = Value>(key: string, options?: ReadOptions): T | undefined {
    if (options === undefined && (this.#recorder.hits & 63) !== 0) {
      const item = this.#readily(key)
      if (item !== undefined) {
        this.#countHit(key)
        return item.value as T
      }
    }
    return this.#get(key, options) as T | undefined
  }

  has(key: string, options: ReadOptions = {}): boolean {
    return runSync(this.#reads.has(key, this.#readOptions(options, 'has').failure))
  }

  getMany<T extends Value = Value>(keys: readonly string[], options: ReadOptions = {}): (T | undefined)[] {
    const { failure, stale } = this.#readOptions(options, 'getMany')
    return runSync(this.#reads.getMany(keys, failure, stale)) as (T | undefined)[]
  }

  item<T extends Value = Value>(key: string): Item<T> | undefined {
    return runSync(this.#reads.item(key)) as Item<T> | undefined
  }

  ttl(key: string): number | undefined {
    return runSync(this.#reads.ttl(key))
  }

  /** The value, made by `loader` and stored when there is none; a stale value when the loader throws and one may be served. */
  getOrSet<T extends Value = Value>(key: string, loader: () => T | undefined, options?: WriteOptions): T {
    const item = typeof loader === 'function' ? this.#readily(key) : undefined
    if (item !== undefined) {
      this.#countHit(key)
      return item.value as T
    }
    checkFunction(loader, 'loader', 'getOrSet')
    checkWriteOptions(options, 'getOrSet')
    return runSync(loadSync(this.#scope, key, loader, options)) as T
  }

  set(key: string, value: Value, options?: WriteOptions): void {
    runSync(this.#writes.set(key, value, options))
  }

  setMany(entries: Entries<Value>, options?: WriteOptions): void {
    runSync(this.#writes.setMany(entries, options))
  }

  add(key: string, value: Value, options?: WriteOptions): boolean {
    return runSync(this.#conditional.add(key, value, options))
  }

  replace(key: string, value: Value, options?: WriteOptions): boolean {
    return runSync(this.#conditional.replace(key, value, options))
  }

  compareAndSet(key: string, version: string | undefined, value: Value, options?: WriteOptions): boolean {
    return runSync(this.#conditional.compareAndSet(key, version, value, options))
  }

  update<T extends Value = Value>(
    key: string,
    change: (current: T | undefined) => T | undefined,
    options?: WriteOptions,
  ): T | undefined {
    checkFunction(change, 'change', 'update')
    return runSync(this.#conditional.update(key, change as (current: unknown) => unknown, options)) as T | undefined
  }

  increment(key: string, delta = 1, options: { readonly ttl?: Duration } = {}): number {
    checkOptions(options, ['ttl'], 'increment')
    return runSync(this.#conditional.increment(key, delta, options.ttl, 'increment'))
  }

  decrement(key: string, delta = 1, options: { readonly ttl?: Duration } = {}): number {
    checkOptions(options, ['ttl'], 'decrement')
    return runSync(
      this.#conditional.increment(key, typeof delta === 'number' ? -delta : delta, options.ttl, 'decrement'),
    )
  }

  touch(key: string, options?: Pick<WriteOptions, 'ttl' | 'staleFor'>): boolean {
    return runSync(this.#conditional.touch(key, options, 'touch'))
  }

  expire(key: string, ttl: Duration): boolean {
    return runSync(this.#conditional.touch(key, { ttl }, 'expire'))
  }

  take<T extends Value = Value>(key: string): T | undefined {
    return runSync(this.#conditional.take(key)) as T | undefined
  }

  delete(key: string): boolean {
    return runSync(this.#writes.delete(key))
  }

  deleteMany(keys: readonly string[]): number {
    return runSync(this.#writes.deleteMany(keys))
  }

  deleteByTag(...tags: readonly string[]): void {
    runSync(this.#writes.deleteByTag(tags))
  }

  deleteByPrefix(prefix: string): void {
    runSync(this.#writes.deleteByPrefix(prefix))
  }

  clear(): void {
    runSync(this.#writes.clear())
  }

  *keys(prefix = ''): Generator<string, void, undefined> {
    this.#scope.assertOpen('keys')
    if (typeof prefix !== 'string') throw invalidArgument('prefix', prefix, 'a string', 'keys')
    const store = this.#context.store as SyncCacheBackend
    if (store.keys === undefined) throw this.#context.unsupported('keys', 'iteration (keys)')
    for (const stored of store.keys(itemKey(this.#scope.path, prefix))) {
      const key = this.#scope.keyOf(stored)
      if (key !== undefined) yield key
    }
  }

  namespace<T extends Value = Value>(name: string): SyncCache<T> {
    this.#scope.assertOpen('namespace')
    const segments = [...this.#scope.segments, ...namespaceSegments(name, 'namespace')]
    return new SyncCache<T>({} as SyncOptions, new Scope(this.#context, segments))
  }

  rateLimit(key: string, options: RateLimitOptions): RateLimitResult {
    return runSync(this.#rateLimits.take(key, options))
  }

  stats(): Stats {
    this.#scope.assertOpen('stats')
    const { store } = this.#context
    return this.#context.recorder.snapshot(runSync(this.#context.call('stats', undefined, () => store.stats?.() ?? {})))
  }

  on<Name extends CacheEventName>(name: Name, listener: (event: CacheEvents[Name]) => void): () => void {
    if (!Listeners.isName(name)) throw invalidArgument('event', name, `one of ${Listeners.names.join(', ')}`, 'on')
    checkFunction(listener, 'listener', 'on')
    this.#context.onListener(name)
    return this.#context.listeners.add(name, listener)
  }

  /** Ends the cache; its backend is closed when the last cache on it is. A namespace closes only itself. */
  close(): void {
    if (this.#scope.closed) return
    this.#scope.closed = true
    this.#reader = undefined
    if (this.#events === undefined) return
    const context = this.#context
    context.closed = true
    for (const flight of context.running) context.share.flights.drop(flight)
    this.#events.close()
    context.share.caches -= 1
    if (context.share.caches === 0) (context.store as SyncCacheBackend).close?.()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #countHit(key: string): void {
    this.#recorder.hits += 1
    if (this.#listeners.hit) this.#scope.tell('hit', { key, stale: false })
  }

  #readily(key: string): Item | undefined {
    const reader = this.#reader
    if (reader === undefined || typeof key !== 'string' || this.#context.closed) return undefined
    let item: Item | undefined
    try {
      item = reader.get(this.#plainKeys && key.charCodeAt(0) !== 64 ? key : this.#scope.stored(key, 'get'))
      if (item === undefined || item.value === undefined) return undefined
      if (item.tags !== undefined && !this.#context.tags.validNow(item.tags, reader)) return undefined
    } catch {
      // The other way meets the same failure, and tells it.
      return undefined
    }
    if (item.staleAt !== undefined && !isFresh(item, this.#context.now())) return undefined
    return item
  }

  #get(key: string, options: ReadOptions = {}): unknown {
    const { failure, stale } = this.#readOptions(options, 'get')
    const recorder = this.#recorder
    if ((recorder.hits & 63) !== 0) return runSync(this.#reads.get(key, 'get', failure, stale))
    const started = performance.now()
    const value = runSync(this.#reads.get(key, 'get', failure, stale))
    recorder.timedGets += 1
    recorder.getTime += performance.now() - started
    return value
  }

  #readOptions(options: ReadOptions, operation: string): { failure: 'miss' | 'reject'; stale: boolean } {
    checkOptions(options, ['stale', 'readFailure'], operation)
    const { stale } = options
    if (stale !== undefined && typeof stale !== 'boolean')
      throw invalidArgument('stale', stale, 'true or false', operation)
    return {
      failure: readFailure(options.readFailure, this.#context.settings.load.readFailure, operation),
      stale: stale === true,
    }
  }
}

function openScope(options: SyncOptions): Scope {
  checkOptions(options, syncCacheOptionNames, 'new SyncCache')
  checkBackend(options.backend, 'new SyncCache')
  const { backend } = options
  const store = syncStore(backend)
  const settings = resolveSettings(options, 'new SyncCache')
  const segments = namespaceSegments(options.namespace, 'new SyncCache')
  const context = new Context(backend, store, true, settings, segments)
  context.share.caches += 1
  return new Scope(context, segments)
}

function syncStore(backend: CacheBackend | SyncCacheBackend): SyncCacheBackend {
  if ('sync' in backend && backend.sync !== undefined) return backend.sync
  // A synchronous backend has nothing to tell it from an asynchronous one but its answers.
  const answer: unknown = backend.get('')
  if (answer instanceof Promise) {
    answer.catch(() => {})
    throw invalidArgument(
      'backend',
      backend,
      'a backend that answers without waiting, or one with a member sync',
      'new SyncCache',
    )
  }
  return backend as SyncCacheBackend
}
