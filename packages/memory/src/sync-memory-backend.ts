import {
  type BackendEvent,
  type BackendStats,
  CacheError,
  checkComparison,
  checkIncrement,
  checkItem,
  checkItems,
  checkKey,
  checkKeys,
  checkPrefix,
  createVersion,
  type EventHub,
  type Item,
  invalidArgument,
  type SyncCacheBackend,
} from '@cache/core/backend'
import { entryLimit } from './engine/create-engine.ts'
import { type DumpedEntry, dumpEngine, loadEngine } from './engine/dump.ts'
import type { Engine } from './engine/engine.ts'
import type { Isolate } from './isolation.ts'

/** The synchronous members of a `MemoryBackend`, on the same data. `MemoryBackend` creates it. */
export class SyncMemoryBackend implements SyncCacheBackend {
  readonly name: string
  readonly #engine: Engine<string, Item>
  readonly #hub: EventHub
  readonly #isolateOnWrite: Isolate | undefined
  readonly #isolateOnRead: Isolate | undefined
  #closed = false

  constructor(
    name: string,
    engine: Engine<string, Item>,
    hub: EventHub,
    isolateOnWrite: Isolate | undefined,
    isolateOnRead: Isolate | undefined,
  ) {
    this.name = name
    this.#engine = engine
    this.#hub = hub
    this.#isolateOnWrite = isolateOnWrite
    this.#isolateOnRead = isolateOnRead
  }

  get(key: string): Item | undefined {
    const item = this.#engine.get(key)
    return item !== undefined && this.#isolateOnRead === undefined ? item : this.#missOrIsolated(key, item)
  }

  // Apart from `get`, so that V8 inlines more of a hit.
  #missOrIsolated(key: string, item: Item | undefined): Item | undefined {
    if (item !== undefined) return this.#isolateOnRead === undefined ? item : this.#isolateOnRead(item, 'get')
    // A closed backend is empty, so only misses check whether it is closed.
    if (this.#closed) throw this.#closedError('get', key)
    return undefined
  }

  set(item: Item): void {
    if (this.#closed) throw this.#closedError('set', item?.key)
    checkItem(item, 'set')
    const isolated = this.#isolateOnWrite === undefined ? item : this.#isolateOnWrite(item, 'set')
    this.#engine.set(item.key, isolated, item.expiresAt ?? Number.POSITIVE_INFINITY)
  }

  delete(key: string): boolean {
    if (this.#closed) throw this.#closedError('delete', key)
    checkKey(key, 'delete')
    const item = this.#engine.peek(key)
    if (item === undefined) return false
    this.#engine.delete(key)
    return item.value !== undefined
  }

  clear(prefix?: string): void {
    if (this.#closed) throw this.#closedError('clear')
    checkPrefix(prefix, 'clear')
    if (prefix === undefined || prefix === '') {
      this.#engine.clear()
      return
    }
    const { slots } = this.#engine
    for (const slot of this.#engine.liveSlots()) {
      if (slots.keyAt(slot).startsWith(prefix)) this.#engine.clearSlot(slot)
    }
  }

  getMany(keys: readonly string[]): (Item | undefined)[] {
    if (this.#closed) throw this.#closedError('getMany')
    checkKeys(keys, 'getMany')
    return keys.map((key) => this.get(key))
  }

  setMany(items: readonly Item[]): void {
    if (this.#closed) throw this.#closedError('setMany')
    checkItems(items, 'setMany')
    const isolate = this.#isolateOnWrite
    // All copies before the first write: with a value that cannot be stored, the batch stores nothing.
    const isolated = isolate === undefined ? items : items.map((item) => isolate(item, 'setMany'))
    for (const item of isolated) this.#engine.set(item.key, item, item.expiresAt ?? Number.POSITIVE_INFINITY)
  }

  deleteMany(keys: readonly string[]): number {
    if (this.#closed) throw this.#closedError('deleteMany')
    checkKeys(keys, 'deleteMany')
    let removed = 0
    for (const key of keys) if (this.delete(key)) removed += 1
    return removed
  }

  compareAndSet(key: string, expected: string | undefined, next: Item | undefined): boolean {
    if (this.#closed) throw this.#closedError('compareAndSet', key)
    checkComparison(key, expected, next)
    const isolate = this.#isolateOnWrite
    const isolated = next === undefined || isolate === undefined ? next : isolate(next, 'compareAndSet')
    if (this.#engine.peek(key)?.version !== expected) return false
    if (isolated === undefined) this.#engine.delete(key)
    else this.#engine.set(key, isolated, isolated.expiresAt ?? Number.POSITIVE_INFINITY)
    return true
  }

  increment(key: string, delta: number, expiresAt?: number): number {
    if (this.#closed) throw this.#closedError('increment', key)
    checkIncrement(key, delta, expiresAt)
    const present = this.#engine.peek(key)
    // A placeholder has neither a value to count from nor other members that a counter keeps.
    const item = present?.value === undefined ? undefined : present
    const current = item === undefined ? 0 : item.value
    if (typeof current !== 'number' || !Number.isInteger(current)) {
      throw this.#error('NOT_A_NUMBER', 'the value is not a whole number', 'increment', key)
    }
    const sum = current + delta
    if (!Number.isSafeInteger(sum)) throw this.#error('OUT_OF_RANGE', 'the sum is not exact', 'increment', key)
    const base = { key, value: sum, version: createVersion(), createdAt: this.#engine.clock.now() }
    const counted: Item =
      item !== undefined ? { ...item, ...base } : expiresAt === undefined ? base : { ...base, expiresAt }
    this.#engine.set(key, counted, counted.expiresAt ?? Number.POSITIVE_INFINITY)
    return sum
  }

  *keys(prefix = ''): Generator<string> {
    if (this.#closed) throw this.#closedError('keys')
    checkPrefix(prefix, 'keys')
    const { slots } = this.#engine
    for (const slot of this.#engine.liveSlots()) {
      const key = slots.keyAt(slot)
      if (slots.valueAt(slot).value !== undefined && key.startsWith(prefix)) yield key
    }
  }

  stats(): BackendStats {
    if (this.#closed) throw this.#closedError('stats')
    const engine = this.#engine
    return {
      items: engine.slots.count,
      ...(engine.slots.weights === undefined ? {} : { size: engine.bytes }),
      evictions: engine.evictedForEntries + engine.evictedForBytes + engine.refused,
      expired: engine.expired,
    }
  }

  /** Like `resize` of the backend. */
  resize(maxEntries: number): void {
    if (this.#closed) throw this.#closedError('resize')
    this.#engine.resize(entryLimit(maxEntries, 'resize'))
  }

  /** Like `dump` of the backend. */
  dump(): DumpedEntry<string, Item>[] {
    if (this.#closed) throw this.#closedError('dump')
    const isolate = this.#isolateOnRead
    const entries = dumpEngine(this.#engine)
    return isolate === undefined ? entries : entries.map((entry) => ({ ...entry, value: isolate(entry.value, 'dump') }))
  }

  /** Like `load` of the backend. */
  load(entries: Iterable<DumpedEntry<string, Item>>): number {
    if (this.#closed) throw this.#closedError('load')
    return loadEngine(this.#engine, entries, (entry) => this.#itemOf(entry))
  }

  listen(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void {
    return this.#hub.listen(listener, types)
  }

  /** Removes all items. Every later call throws `CLOSED`. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#engine.clear()
  }

  #itemOf(entry: DumpedEntry<string, Item>): Item {
    const item = entry.value
    if (typeof entry.key !== 'string' || item?.key !== entry.key) {
      throw invalidArgument('entry', entry, 'an item under its own key', 'load')
    }
    return this.#isolateOnWrite === undefined ? item : this.#isolateOnWrite(item, 'load')
  }

  #closedError(operation: string, key?: string): CacheError {
    return this.#error('CLOSED', 'the backend was closed', operation, key)
  }

  #error(code: CacheError['code'], message: string, operation: string, key?: string): CacheError {
    return new CacheError(code, `${operation}: ${message}`, { operation, backend: this.name, key })
  }
}
