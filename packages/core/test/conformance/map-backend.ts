import type { Clock } from '../../src/backend-kit/index.ts'
import type { BackendStats, CacheBackend, Item, SyncCacheBackend } from '../../src/index.ts'
import { SyncMapBackend } from './sync-map-backend.ts'

/** The asynchronous face of the reference store, with its `sync` member. Every operation is one step: nothing interleaves. */
export class MapBackend implements CacheBackend {
  readonly name: string = 'map'
  readonly sync: SyncCacheBackend & Required<Pick<SyncCacheBackend, 'getMany' | 'setMany' | 'deleteMany' | 'keys'>>
  readonly #store: SyncMapBackend

  constructor(options: { readonly clock?: Clock; readonly items?: Map<string, Item> } = {}) {
    this.#store = new SyncMapBackend(options)
    this.sync = this.#store
  }

  async get(key: string): Promise<Item | undefined> {
    return this.#store.get(key)
  }

  async set(item: Item): Promise<void> {
    this.#store.set(item)
  }

  async delete(key: string): Promise<boolean> {
    return this.#store.delete(key)
  }

  async clear(prefix?: string): Promise<void> {
    this.#store.clear(prefix)
  }

  async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.#store.getMany(keys)
  }

  async setMany(items: readonly Item[]): Promise<void> {
    this.#store.setMany(items)
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    return this.#store.deleteMany(keys)
  }

  async compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    return this.#store.compareAndSet(key, expected, next)
  }

  async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
    return this.#store.increment(key, delta, expiresAt)
  }

  async *keys(prefix?: string): AsyncIterable<string> {
    yield* this.#store.keys(prefix)
  }

  async stats(): Promise<BackendStats> {
    return this.#store.stats()
  }

  async close(): Promise<void> {
    this.#store.close()
  }
}
