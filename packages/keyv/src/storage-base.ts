import { Cache, type CacheBackend, type CacheLike } from '@cache/core'
import { checkBackend, invalidArgument, withMethods } from '@cache/core/backend'

/** Where the values are kept: a cache of the application, or a backend. */
export type StorageTarget = CacheLike<unknown> | CacheBackend

// `SyncCache` has all of these except `withLock`.
const cacheMethods = [
  'get',
  'getMany',
  'has',
  'hasMany',
  'set',
  'setMany',
  'delete',
  'deleteEach',
  'clear',
  'entries',
  'namespace',
  'withLock',
]

function isCache(target: unknown): target is CacheLike<unknown> {
  return typeof (target as { readonly getOrSet?: unknown } | null | undefined)?.getOrSet === 'function'
}

/**
 * What the adapters of both Keyv versions share. `async` methods are required: Keyv takes a store whose methods are no async functions
 * for a synchronous map.
 */
export abstract class StorageBase {
  readonly #root: CacheLike<unknown>
  readonly #isOwn: boolean
  #cache: CacheLike<unknown>
  #namespace: string | undefined

  constructor(target: StorageTarget, className: string) {
    if (target === null || typeof target !== 'object')
      throw invalidArgument('target', target, 'a Cache or a backend', className)
    this.#isOwn = !isCache(target)
    this.#root = isCache(target)
      ? withMethods(target, cacheMethods, 'target', 'an asynchronous Cache', className)
      : new Cache({ backend: checkBackend(target, 'target', className), ttl: Number.POSITIVE_INFINITY })
    this.#cache = this.#root
  }

  /** Keyv assigns its own namespace here. The keys of a namespace are separate, and `clear` removes only them. */
  get namespace(): string | undefined {
    return this.#namespace
  }

  set namespace(namespace: string | undefined) {
    this.#cache = namespace ? this.#root.namespace(namespace) : this.#root
    this.#namespace = namespace
  }

  async get(key: string): Promise<unknown> {
    return this.cache.get(key)
  }

  async getMany(keys: string[]): Promise<unknown[]> {
    return this.cache.getMany(keys)
  }

  async has(key: string): Promise<boolean> {
    return this.cache.has(key)
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    return this.cache.hasMany(keys)
  }

  async delete(key: string): Promise<boolean> {
    return this.cache.delete(key)
  }

  /** Removes the values of the namespace. Without a namespace it empties the whole cache. */
  async clear(): Promise<void> {
    await this.cache.clear()
  }

  /** Yields the keys of the namespace with their encoded values. Needs a backend with `keys`. */
  async *iterator(): AsyncGenerator<[string, unknown], void, undefined> {
    for await (const [key, value] of this.cache.entries()) yield [key, value]
  }

  /** Closes the backend that was passed. A cache that was passed stays open: the application closes it. */
  async disconnect(): Promise<void> {
    if (this.#isOwn) await this.#root.close()
  }

  /** The cache of the current namespace. */
  protected get cache(): CacheLike<unknown> {
    return this.#cache
  }
}
