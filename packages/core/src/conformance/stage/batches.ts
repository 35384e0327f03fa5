import type { CacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'

/** Keys of one batch of concurrent calls. */
const batch = 1000

/** `getMany`, or concurrent `get` calls in batches where the backend has no `getMany`. */
export async function getAll(backend: CacheBackend, keys: readonly string[]): Promise<(Item | undefined)[]> {
  if (backend.getMany) return backend.getMany(keys)
  const found: (Item | undefined)[] = []
  for (let start = 0; start < keys.length; start += batch) {
    found.push(...(await Promise.all(keys.slice(start, start + batch).map((key) => backend.get(key)))))
  }
  return found
}

/** Batches by `setMany`, or concurrent `set` calls in batches where the backend has no `setMany`. */
export async function setAll(backend: CacheBackend, items: readonly Item[]): Promise<void> {
  for (let start = 0; start < items.length; start += batch) {
    const slice = items.slice(start, start + batch)
    if (backend.setMany) await backend.setMany(slice)
    else await Promise.all(slice.map((item) => backend.set(item)))
  }
}
