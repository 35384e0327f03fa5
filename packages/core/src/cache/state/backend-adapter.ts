import type { BackendStats, CacheBackend, NearReader, SyncCacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'
import { isPromise, type MaybePromise } from './steps.ts'

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

/** `setMany`, or the loop that it stands for. */
export function setAll(adapter: BackendAdapter, items: readonly Item[]): MaybePromise<void> {
  if (adapter.setMany !== undefined) return adapter.setMany(items)
  // They are sent together: of duplicates only the last, because nothing orders them.
  const last = new Map(items.map((item) => [item.key, item]))
  const done = [...last.values()].map((item) => adapter.set(item))
  if (done.some(isPromise)) return Promise.all(done).then(() => undefined)
}

/** `deleteMany`, or the loop that it stands for. */
export function deleteAll(adapter: BackendAdapter, keys: readonly string[]): MaybePromise<number> {
  if (adapter.deleteMany !== undefined) return adapter.deleteMany(keys)
  const done = [...new Set(keys)].map((key) => adapter.delete(key))
  const count = (all: readonly boolean[]): number => all.filter(Boolean).length
  return done.some(isPromise) ? Promise.all(done).then(count) : count(done as boolean[])
}
