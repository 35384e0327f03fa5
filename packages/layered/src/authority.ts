import { type CacheBackend, deleteMany, getMany, type Item, setMany } from '@cache/core/backend'

/** The last layer, with fallbacks for the batches that it lacks. */
export class Authority {
  readonly backend: CacheBackend
  /** Items that had to be read here. */
  reads = 0

  constructor(backend: CacheBackend) {
    this.backend = backend
  }

  async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return keys.length === 0 ? [] : await getMany(this.backend, keys)
  }

  async setMany(items: readonly Item[]): Promise<void> {
    if (items.length > 0) await setMany(this.backend, items)
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    return keys.length === 0 ? 0 : await deleteMany(this.backend, keys)
  }
}
