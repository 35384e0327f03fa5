import {
  type BackendEvent,
  type BackendStats,
  type CacheBackend,
  type Clock,
  type Codec,
  checkOptions,
  EventHub,
  type Item,
  invalidArgument,
  nonEmptyString,
  withMethods,
} from '@cache/core/backend'
import { checkFunction, createEngine } from './engine/create-engine.ts'
import type { DumpedEntry } from './engine/dump.ts'
import type { RemovalListener } from './engine/engine.ts'
import { type EngineSettings, engineOptionNames } from './engine/engine-settings.ts'
import { estimateBytes } from './estimate-bytes.ts'
import { type Isolation, isolationSteps, isolations } from './isolation.ts'
import type { EvictionPolicy } from './policy/policy.ts'
import type { RemovalReason } from './removal-reason.ts'
import { SyncMemoryBackend } from './sync-memory-backend.ts'

/** Options of a `MemoryBackend`. At least one of `maxEntries` and `maxBytes` is required. */
export interface MemoryBackendOptions {
  /** The largest number of items. Default: no limit. */
  readonly maxEntries?: number | undefined
  /** The largest sum of the bytes that `weigh` returns. Default: no limit. */
  readonly maxBytes?: number | undefined
  /** A heavier item is not stored. Default: half of `maxBytes`. */
  readonly maxEntryBytes?: number | undefined
  /** Returns the bytes of an item, a finite number of 0 or more. Default: the `cost` of the item, else an estimate of value and key. */
  readonly weigh?: ((item: Item) => number) | undefined
  /** Chooses the item to evict when a limit is exceeded. Default: `adaptive`. */
  readonly policy?: EvictionPolicy | undefined
  /**
   * How stored values are isolated from changes by their readers and writers. `reference`: not at all, the value itself is
   * stored and returned. `clone`: each write and read copies it. `freeze`: each write freezes it deeply. `codec`: each write and
   * read encodes and decodes it with `codec`. All but `reference` refuse values that they cannot keep exactly, with
   * `NOT_STORABLE`. Default: `reference`.
   */
  readonly isolation?: Isolation | undefined
  /**
   * The codec of the isolation `codec`. With the codec of the production store, development refuses the values that production
   * refuses.
   */
  readonly codec?: Codec | undefined
  /** Called after an item was removed, with the reason. It may call the backend again. */
  readonly onRemoval?: ((item: Item, reason: RemovalReason) => void) | undefined
  /** The name in logs and errors. Default: `memory`. */
  readonly name?: string | undefined
  /** Read at every access to an item with a lifetime. Default: the wall clock, read at most once in 64 closely following calls. */
  readonly clock?: Clock | undefined
  /**
   * Returns numbers from 0 (inclusive) to 1 (exclusive), for the seed of the index and for random choices of policies.
   * Default: secure numbers for the seed, `Math.random` for policies.
   */
  readonly random?: (() => number) | undefined
}

const optionNames = [...engineOptionNames, 'isolation', 'codec', 'onRemoval', 'name']

/**
 * A bounded cache backend in the memory of the process. The members of `sync` are synchronous; the other members return
 * settled promises of the same results.
 */
export class MemoryBackend implements CacheBackend {
  readonly name: string
  readonly sync: SyncMemoryBackend

  /** Throws `INVALID_ARGUMENT` for an unknown option, a bad value, or when there is neither `maxEntries` nor `maxBytes`. */
  constructor(options: MemoryBackendOptions) {
    checkOptions(options, optionNames, 'MemoryBackend')
    const { isolation = 'reference', onRemoval } = options
    if (!isolations.includes(isolation)) {
      throw invalidArgument('isolation', isolation, `one of ${isolations.join(', ')}`, 'MemoryBackend')
    }
    this.name = options.name === undefined ? 'memory' : nonEmptyString(options.name, 'name', 'MemoryBackend')
    const hub = new EventHub()
    const engine = createEngine<string, Item>(engineSettings(options), removalListener(hub, onRemoval), 'MemoryBackend')
    const { onWrite, onRead } = isolationSteps(isolation, this.name, checkCodec(isolation, options.codec))
    this.sync = new SyncMemoryBackend(this.name, engine, hub, onWrite, onRead)
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

  listen(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void {
    return this.sync.listen(listener, types)
  }

  async close(): Promise<void> {
    this.sync.close()
  }

  /** Changes the limit of items. A smaller limit evicts at once. Throws `INVALID_ARGUMENT` unless it is a whole number from 1 to 2^30. */
  resize(maxEntries: number): void {
    this.sync.resize(maxEntries)
  }

  /** All live items, those that would be evicted first at the front. For `load`, after a restart for example. */
  dump(): DumpedEntry<string, Item>[] {
    return this.sync.dump()
  }

  /**
   * Stores the items of a dump, except those that have expired since. Returns how many were stored. At the first entry that
   * cannot come from a dump it throws `INVALID_ARGUMENT`, and at the first value that cannot be stored `NOT_STORABLE`. The
   * items before that one stay stored.
   */
  load(entries: Iterable<DumpedEntry<string, Item>>): number {
    return this.sync.load(entries)
  }
}

function checkCodec(isolation: Isolation, codec: Codec | undefined): Codec | undefined {
  if (isolation === 'codec') return withMethods(codec, ['encode', 'decode'], 'codec', 'a codec', 'MemoryBackend')
  if (codec === undefined) return undefined
  throw invalidArgument('codec', codec, "absent, unless isolation is 'codec'", 'MemoryBackend')
}

function engineSettings(options: MemoryBackendOptions): EngineSettings<string, Item> {
  const { isolation: _isolation, codec: _codec, name: _name, onRemoval: _onRemoval, weigh, ...settings } = options
  checkFunction(weigh, 'weigh', 'MemoryBackend')
  if (weigh !== undefined) return { ...settings, weigh: (item) => weigh(item) }
  return options.maxBytes === undefined ? settings : { ...settings, weigh: itemBytes }
}

/** The `cost` that the application gave, else an estimate. */
function itemBytes(item: Item): number {
  return item.cost ?? estimateBytes(item) + estimateBytes(item.key)
}

function removalListener(hub: EventHub, onRemoval: MemoryBackendOptions['onRemoval']): RemovalListener<string, Item> {
  checkFunction(onRemoval, 'onRemoval', 'MemoryBackend')
  return {
    everyReason: onRemoval !== undefined,
    emit(key, item, reason) {
      emitRemoval(hub, key, reason)
      onRemoval?.(item, reason)
    },
  }
}

function emitRemoval(hub: EventHub, key: string, reason: RemovalReason): void {
  if (reason === 'expired') {
    if (hub.wants('expire')) hub.emit({ type: 'expire', key })
  } else if ((reason === 'entries' || reason === 'bytes' || reason === 'oversize') && hub.wants('evict')) {
    hub.emit({ type: 'evict', key, reason: reason === 'entries' ? 'entries' : 'bytes' })
  }
}
