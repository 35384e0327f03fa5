// #region smallest
import { type CacheBackend, type Clock, type Item, systemClock } from '@cache/core/backend'

export class SmallestMapBackend implements CacheBackend {
  readonly name: string = 'map'
  readonly #items: Map<string, Item> = new Map()
  readonly #clock: Clock

  constructor(options: { readonly clock?: Clock } = {}) {
    this.#clock = options.clock ?? systemClock
  }

  async get(key: string): Promise<Item | undefined> {
    return this.#read(key)
  }

  async set(item: Item): Promise<void> {
    if (this.#lives(item)) this.#items.set(item.key, item)
    else this.#items.delete(item.key)
  }

  async delete(key: string): Promise<boolean> {
    // Not `await this.get(key)`: of two deletes at once both would find the item.
    const item = this.#read(key)
    this.#items.delete(key)
    return item !== undefined && item.value !== undefined
  }

  async clear(prefix = ''): Promise<void> {
    for (const key of this.#items.keys()) if (key.startsWith(prefix)) this.#items.delete(key)
  }

  #read(key: string): Item | undefined {
    const item = this.#items.get(key)
    return item !== undefined && this.#lives(item) ? item : undefined
  }

  #lives(item: Item): boolean {
    return item.expiresAt === undefined || this.#clock.now() < item.expiresAt
  }
}
// #endregion smallest
