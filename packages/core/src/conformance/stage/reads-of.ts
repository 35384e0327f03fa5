import type { CacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'

/** One way to read the item of a key. */
export interface Read {
  readonly name: string
  find(key: string): Promise<Item | undefined>
}

/** Every way to read an item through this handle. */
export function readsOf(backend: CacheBackend): readonly Read[] {
  const reads: Read[] = [{ name: 'get', find: (key) => backend.get(key) }]
  if (backend.getMany) {
    reads.push({ name: 'getMany', find: async (key) => (await backend.getMany?.([key]))?.[0] })
  }
  return reads
}
