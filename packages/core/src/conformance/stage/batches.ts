import type { CacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'

/** `getMany` where there is one, else one by one. */
export async function getAll(backend: CacheBackend, keys: readonly string[]): Promise<(Item | undefined)[]> {
  if (backend.getMany) return backend.getMany(keys)
  const found: (Item | undefined)[] = []
  for (const key of keys) found.push(await backend.get(key))
  return found
}

/** `setMany` where there is one, else in slices at once. */
export async function setAll(backend: CacheBackend, items: readonly Item[]): Promise<void> {
  for (let start = 0; start < items.length; start += 1000) {
    const slice = items.slice(start, start + 1000)
    if (backend.setMany) await backend.setMany(slice)
    else await Promise.all(slice.map((item) => backend.set(item)))
  }
}
