import type { MaybePromise } from '../../backend-kit/maybe-promise.ts'
import type { BackendStats, CacheBackend, NearReader, SyncCacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'

/** A backend as the operations see it: synchronous or not. */
export interface BackendAdapter {
  readonly name: string
  get(key: string): MaybePromise<Item | undefined>
  set(item: Item): MaybePromise<void>
  delete(key: string): MaybePromise<boolean>
  clear(prefix?: string): MaybePromise<void>
  getMany?(keys: readonly string[]): MaybePromise<(Item | undefined)[]>
  setMany?(items: readonly Item[]): MaybePromise<void>
  deleteMany?(keys: readonly string[]): MaybePromise<number>
  compareAndSet?(key: string, expected: string | undefined, next: Item | undefined): MaybePromise<boolean>
  increment?(key: string, delta: number, expiresAt?: number): MaybePromise<number>
  stats?(): MaybePromise<BackendStats>
}

/** Whatever answers without waiting, or `undefined` where every answer has to be waited for. */
export function readerOf(backend: CacheBackend | SyncCacheBackend): NearReader | undefined {
  if ('sync' in backend && backend.sync !== undefined) return backend.sync
  return 'near' in backend ? backend.near : undefined
}
