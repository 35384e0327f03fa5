import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'

/** One way to store an item, whatever its key holds. */
export interface Write {
  readonly name: string
  store(item: Item): Promise<unknown>
}

/** Every way to store an item through this handle. */
export function writesOf(backend: CacheBackend): readonly Write[] {
  const writes: Write[] = [{ name: 'set', store: (item) => backend.set(item) }]
  if (backend.setMany) writes.push({ name: 'setMany', store: async (item) => backend.setMany?.([item]) })
  if (backend.compareAndSet) {
    writes.push({
      name: 'compareAndSet',
      async store(item) {
        // Again after a failure, because the stored item may expire between the read and the write.
        for (let tries = 0; tries < 3; tries += 1) {
          const version = (await backend.get(item.key))?.version
          if (await backend.compareAndSet?.(item.key, version, item)) return
        }
        assert.fail('compareAndSet with the stored version resolved to false three times')
      },
    })
  }
  return writes
}
