import type { CacheBackend, SyncCacheBackend } from '../protocol/backend.ts'
import type { Item } from '../protocol/item.ts'
import { chain, type MaybePromise } from './maybe-promise.ts'
import { callAll } from './settle-all.ts'

/** The members that the batches need, of a synchronous or an asynchronous backend. */
export interface BatchTarget {
  get(key: string): MaybePromise<Item | undefined>
  set(item: Item): MaybePromise<void>
  delete(key: string): MaybePromise<boolean>
  getMany?(keys: readonly string[]): MaybePromise<(Item | undefined)[]>
  setMany?(items: readonly Item[]): MaybePromise<void>
  deleteMany?(keys: readonly string[]): MaybePromise<number>
}

/** `backend.getMany`, or one `get` for each different key where the backend has no `getMany`. */
export function getMany(
  backend: Pick<CacheBackend, 'get' | 'getMany'>,
  keys: readonly string[],
): Promise<(Item | undefined)[]>
export function getMany(
  backend: Pick<SyncCacheBackend, 'get' | 'getMany'>,
  keys: readonly string[],
): (Item | undefined)[]
export function getMany(
  backend: Pick<BatchTarget, 'get' | 'getMany'>,
  keys: readonly string[],
): MaybePromise<(Item | undefined)[]>
export function getMany(
  backend: Pick<BatchTarget, 'get' | 'getMany'>,
  keys: readonly string[],
): MaybePromise<(Item | undefined)[]> {
  if (backend.getMany !== undefined) return backend.getMany(keys)
  // Two reads of one key could disagree while the key changes.
  const different = [...new Set(keys)]
  const items = callAll(different, (key) => backend.get(key))
  if (different.length === keys.length) return items
  return chain(items, (found) => {
    const byKey = new Map(different.map((key, index) => [key, found[index]]))
    return keys.map((key) => byKey.get(key))
  })
}

/** `backend.setMany`, or one `set` for each different key where the backend has no `setMany`. */
export function setMany(backend: Pick<CacheBackend, 'set' | 'setMany'>, items: readonly Item[]): Promise<void>
export function setMany(backend: Pick<SyncCacheBackend, 'set' | 'setMany'>, items: readonly Item[]): void
export function setMany(backend: Pick<BatchTarget, 'set' | 'setMany'>, items: readonly Item[]): MaybePromise<void>
export function setMany(backend: Pick<BatchTarget, 'set' | 'setMany'>, items: readonly Item[]): MaybePromise<void> {
  if (backend.setMany !== undefined) return backend.setMany(items)
  // The calls run at the same time and have no order: only the last item of a key is sent.
  const last = new Map(items.map((item) => [item.key, item]))
  return chain(
    callAll(last.values(), (item) => backend.set(item)),
    () => {},
  )
}

/** `backend.deleteMany`, or one `delete` for each different key where the backend has no `deleteMany`. */
export function deleteMany(
  backend: Pick<CacheBackend, 'delete' | 'deleteMany'>,
  keys: readonly string[],
): Promise<number>
export function deleteMany(backend: Pick<SyncCacheBackend, 'delete' | 'deleteMany'>, keys: readonly string[]): number
export function deleteMany(
  backend: Pick<BatchTarget, 'delete' | 'deleteMany'>,
  keys: readonly string[],
): MaybePromise<number>
export function deleteMany(
  backend: Pick<BatchTarget, 'delete' | 'deleteMany'>,
  keys: readonly string[],
): MaybePromise<number> {
  if (backend.deleteMany !== undefined) return backend.deleteMany(keys)
  return chain(
    callAll(new Set(keys), (key) => backend.delete(key)),
    (removed) => removed.filter(Boolean).length,
  )
}
