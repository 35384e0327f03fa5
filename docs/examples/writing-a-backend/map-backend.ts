// #region class
import { type CacheBackend, CacheError, type Clock, createVersion, type Item, systemClock } from '@cache/core/backend'

/** The store that several handles share, in the role of a server, a folder or a table. */
export type MapStore = Map<string, Item>

export interface MapBackendOptions {
  /** The store. Default: one of its own. */
  readonly store?: MapStore
  /** Put before every key in the store. Default: `cache:`. */
  readonly prefix?: string
  /** Default: the machine's clock. */
  readonly clock?: Clock
}

export class MapBackend implements CacheBackend {
  readonly name: string = 'map'
  readonly #store: MapStore
  readonly #prefix: string
  readonly #clock: Clock
  #closed = false

  constructor(options: MapBackendOptions = {}) {
    this.#store = options.store ?? new Map()
    this.#prefix = options.prefix ?? 'cache:'
    this.#clock = options.clock ?? systemClock
  }
  // #endregion class

  // #region required
  async get(key: string): Promise<Item | undefined> {
    this.#mustBeOpen('get', key)
    return this.#read(key)
  }

  async set(item: Item): Promise<void> {
    this.#mustBeOpen('set', item.key)
    this.#write(item)
  }

  async delete(key: string): Promise<boolean> {
    this.#mustBeOpen('delete', key)
    return this.#remove(key)
  }

  async clear(prefix = ''): Promise<void> {
    this.#mustBeOpen('clear')
    for (const stored of this.#store.keys()) {
      if (stored.startsWith(this.#prefix + prefix)) this.#store.delete(stored)
    }
  }
  // #endregion required

  // #region compareAndSet
  async compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    this.#mustBeOpen('compareAndSet', key)
    // No `await` between the comparison and the write, so that no other call runs in between.
    if (this.#read(key)?.version !== expected) return false
    if (next === undefined) this.#remove(key)
    else this.#write(next)
    return true
  }
  // #endregion compareAndSet

  // #region increment
  async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
    this.#mustBeOpen('increment', key)
    const found = this.#read(key)
    const counter = found?.value === undefined ? undefined : found
    const before = counter === undefined ? 0 : counter.value
    if (typeof before !== 'number' || !Number.isInteger(before)) throw this.#error('NOT_A_NUMBER', 'increment', key)
    const sum = before + delta
    if (!Number.isSafeInteger(sum)) throw this.#error('OUT_OF_RANGE', 'increment', key)
    const created = { key, createdAt: this.#clock.now(), ...(expiresAt === undefined ? {} : { expiresAt }) }
    this.#write({ ...(counter ?? created), value: sum, version: createVersion() })
    return sum
  }
  // #endregion increment

  // #region keys
  async *keys(prefix = ''): AsyncIterable<string> {
    this.#mustBeOpen('keys')
    for (const item of this.#store.values()) {
      const key = item.key.slice(this.#prefix.length)
      const isOwn = item.key.startsWith(this.#prefix + prefix)
      if (isOwn && item.value !== undefined && this.#lives(item)) yield key
    }
  }
  // #endregion keys

  // #region batches
  async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    this.#mustBeOpen('getMany')
    return keys.map((key) => this.#read(key))
  }

  async setMany(items: readonly Item[]): Promise<void> {
    this.#mustBeOpen('setMany')
    for (const item of items) this.#write(item)
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    this.#mustBeOpen('deleteMany')
    return keys.filter((key) => this.#remove(key)).length
  }
  // #endregion batches

  // #region close
  async close(): Promise<void> {
    this.#closed = true
  }

  #mustBeOpen(operation: string, key?: string): void {
    if (this.#closed) throw this.#error('CLOSED', operation, key)
  }

  #error(code: 'CLOSED' | 'NOT_A_NUMBER' | 'OUT_OF_RANGE', operation: string, key?: string): CacheError {
    return new CacheError(code, `${operation} on ${this.name}: ${code}`, { operation, backend: this.name, key })
  }
  // #endregion close

  // #region private
  #read(key: string): Item | undefined {
    const item = this.#store.get(this.#prefix + key)
    return item !== undefined && this.#lives(item) ? { ...item, key } : undefined
  }

  #write(item: Item): void {
    const stored = this.#prefix + item.key
    if (this.#lives(item)) this.#store.set(stored, { ...item, key: stored })
    else this.#store.delete(stored)
  }

  #remove(key: string): boolean {
    const item = this.#read(key)
    this.#store.delete(this.#prefix + key)
    return item !== undefined && item.value !== undefined
  }

  #lives(item: Item): boolean {
    return item.expiresAt === undefined || this.#clock.now() < item.expiresAt
  }
  // #endregion private
}
