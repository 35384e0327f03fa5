import {
  type BackendEvent,
  type BackendStats,
  CacheError,
  createVersion,
  type EventHub,
  type Item,
  invalidArgument,
  type SyncCacheBackend,
} from '@cache/core/backend'
import { entryLimit } from './engine/create-engine.ts'
import { type DumpedEntry, dumpEngine, loadEngine } from './engine/dump.ts'
import type { Engine } from './engine/engine.ts'

/** The synchronous members of a `MemoryBackend`, on the same data. Made by `MemoryBackend`, not by applications. */
export class SyncMemoryBackend implements SyncCacheBackend {
  readonly name: string
  private readonly engine: Engine<string, Item>
  private readonly hub: EventHub
  /** What is stored for the value of an item, and given for a stored one: the same, a copy, or the same but frozen. */
  private readonly isolate: ((item: Item, operation: string) => Item) | null
  private readonly reveal: ((item: Item, operation: string) => Item) | null
  private closed = false

  constructor(
    name: string,
    engine: Engine<string, Item>,
    hub: EventHub,
    isolate: ((item: Item, operation: string) => Item) | null,
    reveal: ((item: Item, operation: string) => Item) | null,
  ) {
    this.name = name
    this.engine = engine
    this.hub = hub
    this.isolate = isolate
    this.reveal = reveal
  }

  get(key: string): Item | undefined {
    const item = this.engine.get(key)
    if (item !== undefined) return this.reveal === null ? item : this.reveal(item, 'get')
    // A closed store is empty, so hits need not ask.
    if (this.closed) throw this.closedError('get', key)
    return undefined
  }

  set(item: Item): void {
    if (this.closed) throw this.closedError('set', item.key)
    const stored = this.isolate === null ? item : this.isolate(item, 'set')
    this.engine.set(item.key, stored, item.expiresAt ?? Number.POSITIVE_INFINITY)
  }

  delete(key: string): boolean {
    if (this.closed) throw this.closedError('delete', key)
    const item = this.engine.peek(key)
    if (item === undefined) return false
    this.engine.delete(key)
    return item.value !== undefined
  }

  clear(prefix?: string): void {
    if (this.closed) throw this.closedError('clear')
    if (prefix === undefined || prefix === '') {
      this.engine.clear()
      return
    }
    const { slots } = this.engine
    for (const slot of this.engine.liveSlots()) {
      if (slots.keyAt(slot).startsWith(prefix)) this.engine.clearSlot(slot)
    }
  }

  getMany(keys: readonly string[]): (Item | undefined)[] {
    if (this.closed) throw this.closedError('getMany')
    return keys.map((key) => this.get(key))
  }

  setMany(items: readonly Item[]): void {
    if (this.closed) throw this.closedError('setMany')
    const isolate = this.isolate
    // All copies are made before the first is stored: a value that cannot be kept leaves nothing torn.
    const stored = isolate === null ? items : items.map((item) => isolate(item, 'setMany'))
    for (const item of stored) this.engine.set(item.key, item, item.expiresAt ?? Number.POSITIVE_INFINITY)
  }

  deleteMany(keys: readonly string[]): number {
    if (this.closed) throw this.closedError('deleteMany')
    let removed = 0
    for (const key of keys) if (this.delete(key)) removed++
    return removed
  }

  compareAndSet(key: string, expected: string | undefined, next: Item | undefined): boolean {
    if (this.closed) throw this.closedError('compareAndSet', key)
    const stored = next === undefined || this.isolate === null ? next : this.isolate(next, 'compareAndSet')
    if (this.engine.peek(key)?.version !== expected) return false
    if (stored === undefined) this.engine.delete(key)
    else this.engine.set(key, stored, stored.expiresAt ?? Number.POSITIVE_INFINITY)
    return true
  }

  increment(key: string, delta: number, expiresAt?: number): number {
    if (this.closed) throw this.closedError('increment', key)
    const stored = this.engine.peek(key)
    // A placeholder has no value to count from, nor anything else that a counter would keep.
    const item = stored?.value === undefined ? undefined : stored
    const current = item === undefined ? 0 : item.value
    if (typeof current !== 'number' || !Number.isInteger(current)) {
      throw this.error('NOT_A_NUMBER', 'the value is not a whole number', 'increment', key)
    }
    const sum = current + delta
    if (!Number.isSafeInteger(sum)) throw this.error('OUT_OF_RANGE', 'the sum is not exact', 'increment', key)
    const base = { key, value: sum, version: createVersion(), createdAt: this.engine.clock.now() }
    const counted: Item =
      item !== undefined ? { ...item, ...base } : expiresAt === undefined ? base : { ...base, expiresAt }
    this.engine.set(key, counted, counted.expiresAt ?? Number.POSITIVE_INFINITY)
    return sum
  }

  *keys(prefix = ''): Generator<string> {
    if (this.closed) throw this.closedError('keys')
    const { slots } = this.engine
    for (const slot of this.engine.liveSlots()) {
      const key = slots.keyAt(slot)
      if (slots.valueAt(slot).value !== undefined && key.startsWith(prefix)) yield key
    }
  }

  stats(): BackendStats {
    if (this.closed) throw this.closedError('stats')
    const engine = this.engine
    return {
      items: engine.slots.count,
      ...(engine.slots.weights === null ? {} : { size: engine.bytes }),
      evictions: engine.evictedForEntries + engine.evictedForBytes + engine.refused,
      expired: engine.expired,
    }
  }

  /** As the `resize` of the backend. */
  resize(maxEntries: number): void {
    if (this.closed) throw this.closedError('resize')
    this.engine.resize(entryLimit(maxEntries, 'resize'))
  }

  /** As the `dump` of the backend. */
  dump(): DumpedEntry<string, Item>[] {
    if (this.closed) throw this.closedError('dump')
    const { reveal } = this
    const entries = dumpEngine(this.engine)
    return reveal === null ? entries : entries.map((entry) => ({ ...entry, value: reveal(entry.value, 'dump') }))
  }

  /** As the `load` of the backend. */
  load(entries: Iterable<DumpedEntry<string, Item>>): number {
    if (this.closed) throw this.closedError('load')
    return loadEngine(this.engine, entries, (entry) => this.loadable(entry))
  }

  listen(listener: (event: BackendEvent) => void): () => void {
    return this.hub.listen(listener)
  }

  /** Lets go of all items; every later call throws `CLOSED`. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.engine.clear()
  }

  private loadable(entry: DumpedEntry<string, Item>): Item {
    const item = entry.value
    if (typeof entry.key !== 'string' || item?.key !== entry.key) {
      throw invalidArgument('entry', entry, 'an item under its own key', 'load')
    }
    return this.isolate === null ? item : this.isolate(item, 'load')
  }

  private closedError(operation: string, key?: string): CacheError {
    return this.error('CLOSED', 'the backend was closed', operation, key)
  }

  private error(code: CacheError['code'], message: string, operation: string, key?: string): CacheError {
    return new CacheError(code, `${operation}: ${message}`, { operation, backend: this.name, key })
  }
}
