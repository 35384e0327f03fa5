import {
  CacheError,
  type Clock,
  createVersion,
  type SyncCacheBackend,
  systemClock,
} from '../../src/backend-kit/index.ts'
import type { Item } from '../../src/index.ts'

/** The plainest store that keeps the contract without waiting: a `Map`. The measure for the suite itself. */
export class SyncMapBackend implements SyncCacheBackend {
  readonly name: string = 'map'
  readonly #clock: Clock
  readonly #items: Map<string, Item>
  #closed = false

  constructor(options: { readonly clock?: Clock; readonly items?: Map<string, Item> } = {}) {
    this.#clock = options.clock ?? systemClock
    this.#items = options.items ?? new Map()
  }

  get(key: string): Item | undefined {
    this.#open('get', key)
    const item = this.#items.get(key)
    if (item === undefined || this.#lives(item)) return item
    this.#items.delete(key)
    return undefined
  }

  set(item: Item): void {
    this.#open('set', item.key)
    if (this.#lives(item)) this.#items.set(item.key, item)
    else this.#items.delete(item.key)
  }

  delete(key: string): boolean {
    this.#open('delete', key)
    const item = this.get(key)
    this.#items.delete(key)
    return item !== undefined && item.value !== undefined
  }

  clear(prefix = ''): void {
    this.#open('clear')
    for (const key of this.#items.keys()) if (key.startsWith(prefix)) this.#items.delete(key)
  }

  getMany(keys: readonly string[]): (Item | undefined)[] {
    this.#open('getMany')
    return keys.map((key) => this.get(key))
  }

  setMany(items: readonly Item[]): void {
    this.#open('setMany')
    for (const item of items) this.set(item)
  }

  deleteMany(keys: readonly string[]): number {
    this.#open('deleteMany')
    return keys.filter((key) => this.delete(key)).length
  }

  compareAndSet(key: string, expected: string | undefined, next: Item | undefined): boolean {
    this.#open('compareAndSet', key)
    if (this.get(key)?.version !== expected) return false
    if (next === undefined) this.#items.delete(key)
    else this.set(next)
    return true
  }

  increment(key: string, delta: number, expiresAt?: number): number {
    this.#open('increment', key)
    const found = this.get(key)
    const counter = found?.value === undefined ? undefined : found
    const before = counter === undefined ? 0 : counter.value
    if (typeof before !== 'number' || !Number.isInteger(before)) throw this.#error('NOT_A_NUMBER', 'increment', key)
    const sum = before + delta
    if (!Number.isSafeInteger(sum)) throw this.#error('OUT_OF_RANGE', 'increment', key)
    const created = { key, createdAt: this.#clock.now(), ...(expiresAt === undefined ? {} : { expiresAt }) }
    this.set({ ...(counter ?? created), value: sum, version: createVersion() })
    return sum
  }

  *keys(prefix = ''): Iterable<string> {
    this.#open('keys')
    for (const item of this.#items.values()) {
      if (item.value !== undefined && this.#lives(item) && item.key.startsWith(prefix)) yield item.key
    }
  }

  stats(): { items: number } {
    this.#open('stats')
    let items = 0
    for (const _ of this.keys()) items += 1
    return { items }
  }

  close(): void {
    this.#closed = true
  }

  #lives(item: Item): boolean {
    return item.expiresAt === undefined || this.#clock.now() < item.expiresAt
  }

  #open(operation: string, key?: string): void {
    if (this.#closed) throw this.#error('CLOSED', operation, key)
  }

  #error(code: 'CLOSED' | 'NOT_A_NUMBER' | 'OUT_OF_RANGE', operation: string, key?: string): CacheError {
    return new CacheError(code, `${operation}: ${code}`, { operation, backend: this.name, key })
  }
}
