import type { CacheBackend, Item } from '@cache/core/backend'

/** The last layer, with its batches made up from single calls where it has none. */
export class Authority {
  readonly backend: CacheBackend
  /** Items that had to be read here. */
  reads = 0

  constructor(backend: CacheBackend) {
    this.backend = backend
  }

  getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    if (keys.length === 0) return Promise.resolve([])
    if (this.backend.getMany !== undefined) return this.backend.getMany(keys)
    return Promise.all(keys.map((key) => this.backend.get(key)))
  }

  async setMany(items: readonly Item[]): Promise<void> {
    if (items.length === 0) return
    if (this.backend.setMany !== undefined) return this.backend.setMany(items)
    for (const item of items) await this.backend.set(item)
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    if (keys.length === 0) return 0
    if (this.backend.deleteMany !== undefined) return this.backend.deleteMany(keys)
    const removed = await Promise.all(keys.map((key) => this.backend.delete(key)))
    return removed.filter(Boolean).length
  }
}
