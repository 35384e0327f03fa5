import {
  type BackendEvent,
  type BackendPart,
  type BackendStats,
  type CacheBackend,
  CacheError,
  type CacheErrorCode,
  type Clock,
  createVersion,
  EventHub,
  type Item,
  openOrClosed,
} from '../../src/backend-kit/index.ts'
import type { ByteStore } from './byte-store.ts'
import { decodeItem, encodeItem } from './item-bytes.ts'

export interface BytesBackendOptions {
  readonly store: ByteStore
  readonly clock: Clock
  readonly prefix?: string
  readonly maxEntries?: number
}

export type Entries = Map<string, Uint8Array>

/**
 * The reference backend that leaves the process: bytes in a store behind a wire, a prefix, a limit, events. Small, so that a
 * broken backend can be told from it by one method.
 */
export class BytesBackend implements CacheBackend {
  readonly name: string = 'bytes'
  readonly options: BytesBackendOptions
  readonly prefix: string
  protected readonly hub: EventHub = new EventHub()
  protected closed = false
  protected evictions = 0
  protected expired = 0

  constructor(options: BytesBackendOptions) {
    this.options = options
    this.prefix = options.prefix ?? 'own:'
  }

  listen(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void {
    return this.hub.listen(listener, types)
  }

  async get(key: string): Promise<Item | undefined> {
    return this.request('get', (entries) => this.read(entries, key), key)
  }

  async set(item: Item): Promise<void> {
    const bytes = encodeItem(item, 'set')
    await this.request('set', (entries) => this.write(entries, item, bytes), item.key)
  }

  async delete(key: string): Promise<boolean> {
    return this.request('delete', (entries) => this.remove(entries, key), key)
  }

  async clear(prefix = ''): Promise<void> {
    await this.request('clear', (entries) => {
      for (const key of entries.keys()) if (key.startsWith(this.prefix + prefix)) entries.delete(key)
    })
  }

  async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.request('getMany', (entries) => keys.map((key) => this.read(entries, key)))
  }

  async setMany(items: readonly Item[]): Promise<void> {
    const bytes = items.map((item) => encodeItem(item, 'setMany'))
    await this.request('setMany', (entries) => {
      for (const [n, item] of items.entries()) this.write(entries, item, bytes[n] as Uint8Array)
    })
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    return this.request('deleteMany', (entries) => keys.filter((key) => this.remove(entries, key)).length)
  }

  async compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    const bytes = next && encodeItem(next, 'compareAndSet')
    const compareAndSet = (entries: Entries): boolean => {
      if (this.read(entries, key)?.version !== expected) return false
      if (next && bytes) this.write(entries, next, bytes)
      else entries.delete(this.at(key))
      return true
    }
    return this.request('compareAndSet', compareAndSet, key)
  }

  async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
    return this.request('increment', (entries) => this.add(entries, key, delta, expiresAt), key)
  }

  async *keys(prefix = ''): AsyncIterable<string> {
    const stored = await this.request('keys', (entries) => [...entries.keys()])
    for (const key of stored) {
      if (!key.startsWith(this.prefix + prefix)) continue
      const own = key.slice(this.prefix.length)
      if ((await this.request('keys', (entries) => this.read(entries, own)))?.value !== undefined) yield own
    }
  }

  async stats(): Promise<BackendStats> {
    const items = await this.request('stats', (entries) => this.count(entries))
    const size = await this.request('stats', (entries) => this.size(entries))
    return { items, size, evictions: this.evictions, expired: this.expired }
  }

  describe(): BackendPart {
    return { kind: 'store', name: this.name, ...openOrClosed(this.closed), backend: this }
  }

  async close(): Promise<void> {
    this.closed = true
  }

  protected async request<Answer>(
    operation: string,
    work: (entries: Entries) => Answer,
    key?: string,
  ): Promise<Answer> {
    if (this.closed) throw this.error('CLOSED', operation, key)
    return this.options.store.request(operation, work)
  }

  /** Where the item of a key lies in the store. */
  protected at(key: string): string {
    return this.prefix + key
  }

  protected read(entries: Entries, key: string): Item | undefined {
    const bytes = entries.get(this.at(key))
    if (bytes === undefined) return undefined
    const item = decodeItem(key, bytes)
    if (item instanceof Error) {
      this.hub.emit({ type: 'error', error: item })
      return undefined
    }
    if (this.lives(item)) return item
    this.expire(entries, key)
    return undefined
  }

  protected expire(entries: Entries, key: string): void {
    entries.delete(this.at(key))
    this.expired += 1
    this.hub.emit({ type: 'expire', key })
  }

  protected lives(item: Item): boolean {
    return item.expiresAt === undefined || this.options.clock.now() < item.expiresAt
  }

  protected write(entries: Entries, item: Item, bytes: Uint8Array): void {
    entries.delete(this.at(item.key))
    if (!this.lives(item)) return
    entries.set(this.at(item.key), bytes)
    this.evict(entries)
  }

  protected evict(entries: Entries): void {
    const { maxEntries } = this.options
    for (const key of entries.keys()) {
      if (maxEntries === undefined || entries.size <= maxEntries) return
      entries.delete(key)
      this.evictions += 1
      this.hub.emit({ type: 'evict', key: key.slice(this.prefix.length), reason: 'entries' })
    }
  }

  protected remove(entries: Entries, key: string): boolean {
    const item = this.read(entries, key)
    entries.delete(this.at(key))
    return item?.value !== undefined
  }

  protected add(entries: Entries, key: string, delta: number, expiresAt: number | undefined): number {
    const found = this.read(entries, key)
    const counter = found?.value === undefined ? undefined : found
    const before = counter ? counter.value : 0
    if (typeof before !== 'number' || !Number.isInteger(before)) throw this.error('NOT_A_NUMBER', 'increment', key)
    const sum = before + delta
    if (!Number.isSafeInteger(sum)) throw this.error('OUT_OF_RANGE', 'increment', key)
    const created = { key, createdAt: this.options.clock.now(), ...(expiresAt === undefined ? {} : { expiresAt }) }
    const item = { ...(counter ?? created), value: sum, version: createVersion() }
    this.write(entries, item, encodeItem(item, 'increment'))
    return sum
  }

  protected size(entries: Entries): number {
    return [...entries.values()].reduce((sum, bytes) => sum + bytes.length, 0)
  }

  protected count(entries: Entries): number {
    let count = 0
    for (const key of [...entries.keys()]) {
      if (!key.startsWith(this.prefix)) continue
      if (this.read(entries, key.slice(this.prefix.length))?.value !== undefined) count += 1
    }
    return count
  }

  protected error(code: CacheErrorCode, operation: string, key?: string): CacheError {
    return new CacheError(code, `${operation}: ${code}`, { operation, backend: this.name, key })
  }
}
