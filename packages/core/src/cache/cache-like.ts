import type { Cache } from './cache.ts'
import type { SyncCache } from './sync-cache.ts'

/**
 * The methods of a `Cache`, as an interface: for functions that take a cache, and for tests that pass their own. `Cache` has private
 * members, so that no other class is assignable to it.
 */
export interface CacheLike<Value = unknown> extends Pick<Cache<Value>, Exclude<keyof Cache<Value>, Derived>> {
  namespace<T extends Value = Value>(name: string): CacheLike<T>
  inTransaction(transaction: unknown): CacheLike<Value>
}

/** The same for a `SyncCache`. */
export interface SyncCacheLike<Value = unknown>
  extends Pick<SyncCache<Value>, Exclude<keyof SyncCache<Value>, Derived>> {
  namespace<T extends Value = Value>(name: string): SyncCacheLike<T>
}

/** The methods that return another cache. */
type Derived = 'namespace' | 'inTransaction'
