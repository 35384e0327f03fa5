import type { CacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'

/** `getMany`, or one `get` after the other where the backend has no `getMany`. */
export async function getAll(backend: CacheBackend, keys: readonly string[]): Promise<(Item | undefined)[]> {
  if (backend.getMany) return backend.getMany(keys)
  const found: (Item | undefined)[] = []
  for (const key of keys) found.push(await backend.get(key))
  return found
}

/** Batches of 1,000 items by `setMany`, or concurrent `set` calls where the backend has no `setMany`. */
export async function setAll(backend: CacheBackend, items: readonly Item[]): Promise<void> {
  for (let start = 0; start < items.length; start += 1000) {
    const slice = items.slice(start, start + 1000)
    if (backend.setMany) await backend.setMany(slice)
    else await Promise.all(slice.map((item) => backend.set(item)))
  }
}
