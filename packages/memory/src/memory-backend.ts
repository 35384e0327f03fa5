import {
  type BackendEvent,
  type BackendStats,
  type CacheBackend,
  type Clock,
  checkOptions,
  EventHub,
  type Item,
  invalidArgument,
  nonEmptyString,
} from '@cache/core/backend'
import { checkFunction, createEngine, type EngineSettings, engineOptionNames } from './engine/create-engine.ts'
import type { DumpedEntry } from './engine/dump.ts'
import type { EvictionTeller } from './engine/engine.ts'
import { estimateBytes } from './estimate-bytes.ts'
import { type Isolation, isolations, isolators } from './isolation.ts'
import type { EvictionPolicy } from './policy/policy.ts'
import type { RemovalReason } from './removal-reason.ts'
import { SyncMemoryBackend } from './sync-memory-backend.ts'

/** Options of a `MemoryBackend`. At least one of `maxEntries` and `maxBytes` is required. */
export interface MemoryBackendOptions {
  /** How many items it holds at most. Default: no limit of items. */
  readonly maxEntries?: number
  /** How many bytes, as told by `weigh`, it holds at most. Default: no limit of bytes. */
  readonly maxBytes?: number
  /** A heavier item is not stored. Default: half of `maxBytes`. */
  readonly maxEntryBytes?: number
  /** Bytes of an item, a finite number of 0 or more. Default: the item's `cost`, else an estimate of its value and key. */
  readonly weigh?: (item: Item) => number
  /** Who leaves when a limit is reached. Default: `adaptive`. */
  readonly policy?: EvictionPolicy
  /**
   * What guards stored values from their readers and writers. `reference`: nothing, the very value is kept and given.
   * `clone`: `structuredClone` on the way in and out. `freeze`: the value is deeply frozen when it is stored. Default: `reference`.
   */
  readonly isolation?: Isolation
  /** Called after an item has left, with the reason. It may call the backend again. */
  readonly onRemoval?: (item: Item, reason: RemovalReason) => void
  /** Noun for logs and errors. Default: `memory`. */
  readonly name?: string
  /** Read on every access to an item with a lifetime. Default: the wall clock, read at most once in 64 closely following calls. */
  readonly clock?: Clock
  /** Numbers from 0 (inclusive) to 1 (exclusive), for the seed of the index and for policies that draw lots. */
  readonly random?: () => number
}

const known = [...engineOptionNames, 'isolation', 'onRemoval', 'name']

/** A bounded cache backend in this process' memory. It answers without waiting, through `sync`; the promises of the other members are resolved at once. */
export class MemoryBackend implements CacheBackend {
  readonly name: string
  readonly sync: SyncMemoryBackend

  /** Throws `INVALID_ARGUMENT` for an unknown option, a bad value, or when there is neither `maxEntries` nor `maxBytes`. */
  constructor(options: MemoryBackendOptions) {
    checkOptions(options, known, 'MemoryBackend')
    const { isolation = 'reference', onRemoval } = options
    if (!isolations.includes(isolation)) {
      throw invalidArgument('isolation', isolation, `one of ${isolations.join(', ')}`, 'MemoryBackend')
    }
    this.name = options.name === undefined ? 'memory' : nonEmptyString(options.name, 'name', 'MemoryBackend')
    const hub = new EventHub()
    const engine = createEngine<string, Item>(engineSettings(options), evictionTeller(hub, onRemoval), 'MemoryBackend')
    const { isolate, reveal } = isolators(isolation, this.name)
    this.sync = new SyncMemoryBackend(this.name, engine, hub, isolate, reveal)
  }

  get(key: string): Promise<Item | undefined> {
    try {
      return Promise.resolve(this.sync.get(key))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async set(item: Item): Promise<void> {
    this.sync.set(item)
  }

  async delete(key: string): Promise<boolean> {
    return this.sync.delete(key)
  }

  async clear(prefix?: string): Promise<void> {
    this.sync.clear(prefix)
  }

  async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.sync.getMany(keys)
  }

  async setMany(items: readonly Item[]): Promise<void> {
    this.sync.setMany(items)
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    return this.sync.deleteMany(keys)
  }

  async compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    return this.sync.compareAndSet(key, expected, next)
  }

  async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
    return this.sync.increment(key, delta, expiresAt)
  }

  async *keys(prefix?: string): AsyncGenerator<string> {
    yield* this.sync.keys(prefix)
  }

  async stats(): Promise<BackendStats> {
    return this.sync.stats()
  }

  listen(listener: (event: BackendEvent) => void): () => void {
    return this.sync.listen(listener)
  }

  async close(): Promise<void> {
    this.sync.close()
  }

  /** Changes the limit of items. A smaller one pushes items out at once. Throws `INVALID_ARGUMENT` unless it is a whole number of 1 or more. */
  resize(maxEntries: number): void {
    this.sync.resize(maxEntries)
  }

  /** All live items, those that would be evicted first at the front, for `load` after a restart. */
  dump(): DumpedEntry<string, Item>[] {
    return this.sync.dump()
  }

  /**
   * Stores what `dump` gave; what has expired meanwhile is left out. Returns how many items were stored. Throws `INVALID_ARGUMENT` and
   * `NOT_STORABLE` at the first entry that is none of a dump or cannot be kept; those before it are stored then.
   */
  load(entries: Iterable<DumpedEntry<string, Item>>): number {
    return this.sync.load(entries)
  }
}

function engineSettings(options: MemoryBackendOptions): EngineSettings<string, Item> {
  const { isolation: _isolation, name: _name, onRemoval: _onRemoval, weigh, ...settings } = options
  checkFunction(weigh, 'weigh', 'MemoryBackend')
  if (weigh !== undefined) return { ...settings, weigh: (item) => weigh(item) }
  return options.maxBytes === undefined ? settings : { ...settings, weigh: itemBytes }
}

/** What the application says an item costs, else an estimate. */
function itemBytes(item: Item): number {
  return item.cost ?? estimateBytes(item) + estimateBytes(item.key)
}

function evictionTeller(hub: EventHub, onRemoval: MemoryBackendOptions['onRemoval']): EvictionTeller<string, Item> {
  checkFunction(onRemoval, 'onRemoval', 'MemoryBackend')
  return {
    tellsRemovals: onRemoval !== undefined,
    tell(key, item, reason) {
      if (hub.active) tellHub(hub, key, reason)
      onRemoval?.(item, reason)
    },
  }
}

function tellHub(hub: EventHub, key: string, reason: RemovalReason): void {
  if (reason === 'expired') hub.emit({ type: 'expire', key })
  else if (reason === 'entries' || reason === 'bytes') hub.emit({ type: 'evict', key, reason })
  else if (reason === 'oversize') hub.emit({ type: 'evict', key, reason: 'bytes' })
}
