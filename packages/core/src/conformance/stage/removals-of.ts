import type { CacheBackend } from '../../protocol/backend.ts'
import type { Stage } from './stage.ts'

/** One way to remove the live item of a key. */
export interface Removal {
  readonly name: string
  remove(key: string): Promise<unknown>
}

/** Every way to remove one item through this handle. `clear` with the key as prefix removes longer keys too. */
export function removalsOf(backend: CacheBackend, stage: Pick<Stage, 'item' | 'now'>): readonly Removal[] {
  const expired = (key: string) => stage.item(key, 'expired', { expiresAt: stage.now() - 1 })
  const version = async (key: string): Promise<string | undefined> => (await backend.get(key))?.version
  const removals: Removal[] = [
    { name: 'delete', remove: (key) => backend.delete(key) },
    { name: 'clear with a prefix', remove: (key) => backend.clear(key) },
    { name: 'set of an expired item', remove: (key) => backend.set(expired(key)) },
  ]
  if (backend.deleteMany) {
    removals.push({ name: 'deleteMany', remove: async (key) => backend.deleteMany?.([key]) })
  }
  if (backend.setMany) {
    removals.push({ name: 'setMany of an expired item', remove: async (key) => backend.setMany?.([expired(key)]) })
  }
  if (backend.compareAndSet) {
    removals.push(
      {
        name: 'compareAndSet to undefined',
        remove: async (key) => backend.compareAndSet?.(key, await version(key), undefined),
      },
      {
        name: 'compareAndSet to an expired item',
        remove: async (key) => backend.compareAndSet?.(key, await version(key), expired(key)),
      },
    )
  }
  return removals
}
