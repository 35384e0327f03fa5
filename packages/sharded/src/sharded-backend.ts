import {
  type BackendEvent,
  type BackendStats,
  type CacheBackend,
  CacheError,
  CompositeParts,
  type Item,
  type NearReader,
} from '@cache/core/backend'
import { resolveOptions, type ShardedOptions } from './options.ts'
import { Placement } from './placement.ts'

/**
 * One cache spread over several stores: each key is in one of them, chosen by consistent hashing. A store that cannot be reached costs its own
 * keys alone: calls for them reject, as calls for many keys do that need it. Nothing is kept twice.
 *
 * `compareAndSet`, `increment`, `keys` and `near` are there where all shards have them.
 */
export class ShardedBackend implements CacheBackend {
  readonly name: string = 'sharded'
  readonly compareAndSet?: (key: string, expected: string | undefined, next: Item | undefined) => Promise<boolean>
  readonly increment?: (key: string, delta: number, expiresAt?: number) => Promise<number>
  readonly keys?: (prefix?: string) => AsyncIterable<string>
  readonly near?: NearReader
  readonly #shards: readonly CacheBackend[]
  readonly #placement: Placement
  readonly #parts: CompositeParts
  readonly #inFlight = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  /** Throws `INVALID_ARGUMENT` for unknown options and values that are not allowed. */
  constructor(options: ShardedOptions) {
    const { names, shards, closeParts } = resolveOptions(options)
    this.#shards = shards
    this.#placement = new Placement(names)
    if (shards.every((shard) => shard.compareAndSet !== undefined)) {
      this.compareAndSet = (key, expected, next) =>
        this.#run('compareAndSet', key, async () => (await this.#of(key).compareAndSet?.(key, expected, next)) ?? false)
    }
    if (shards.every((shard) => shard.increment !== undefined)) {
      this.increment = (key, delta, expiresAt) =>
        this.#run('increment', key, async () => (await this.#of(key).increment?.(key, delta, expiresAt)) ?? 0)
    }
    if (shards.every((shard) => shard.keys !== undefined)) this.keys = (prefix) => this.#keys(prefix)
    if (shards.every((shard) => shard.near !== undefined)) {
      this.near = { get: (key) => (this.#closing === undefined ? this.#of(key).near?.get(key) : undefined) }
    }
    this.#parts = new CompositeParts(shards, closeParts)
  }

  get(key: string): Promise<Item | undefined> {
    return this.#run('get', key, () => this.#of(key).get(key))
  }

  set(item: Item): Promise<void> {
    return this.#run('set', item.key, () => this.#of(item.key).set(item))
  }

  delete(key: string): Promise<boolean> {
    return this.#run('delete', key, () => this.#of(key).delete(key))
  }

  /** Clears every shard that can be reached, and rejects when one could not. */
  clear(prefix?: string): Promise<void> {
    return this.#run('clear', undefined, async () => {
      await all(this.#shards.map((shard) => (prefix === undefined ? shard.clear() : shard.clear(prefix))))
    })
  }

  getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.#run('getMany', undefined, async () => {
      const found = new Map<string, Item | undefined>()
      const asking = this.#parted(keys, (key) => key).map(async ([shard, own]) => {
        const items = await (shard.getMany?.(own) ?? Promise.all(own.map((key) => shard.get(key))))
        for (const [index, key] of own.entries()) found.set(key, items[index])
      })
      await all(asking)
      return keys.map((key) => found.get(key))
    })
  }

  setMany(items: readonly Item[]): Promise<void> {
    return this.#run('setMany', undefined, async () => {
      await all(this.#parted(items, ({ key }) => key).map(([shard, own]) => setAll(shard, own)))
    })
  }

  deleteMany(keys: readonly string[]): Promise<number> {
    return this.#run('deleteMany', undefined, async () => {
      const removed = await all(this.#parted(keys, (key) => key).map(([shard, own]) => deleteAll(shard, own)))
      return removed.reduce((sum, one) => sum + one, 0)
    })
  }

  /** Sums of what every shard tells. */
  stats(): Promise<BackendStats> {
    return this.#run('stats', undefined, async () => {
      const told = await all(this.#shards.map(async (shard) => (await shard.stats?.()) ?? {}))
      const names = ['items', 'size', 'evictions', 'expired'] as const
      const known = names.filter((name) => told.every((one: BackendStats) => one[name] !== undefined))
      return Object.fromEntries(
        known.map((name) => [name, told.reduce((sum, one: BackendStats) => sum + (one[name] ?? 0), 0)]),
      )
    })
  }

  /** What all shards tell. */
  listen(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void {
    const ends = this.#shards.map((shard) => shard.listen?.(listener, types))
    return () => {
      for (const end of ends.splice(0)) end?.()
    }
  }

  /**
   * Waits for calls in flight, then closes the shards. A shard with another open user stays open; with `closeParts: false` all
   * of them do. Rejects with the first failure, after all have closed.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#inFlight])
    await this.#parts.close()
  }

  #of(key: string): CacheBackend {
    return this.#shards[this.#placement.of(key)] as CacheBackend
  }

  /** What belongs to each shard, in the order given. */
  #parted<T>(given: readonly T[], keyOf: (one: T) => string): [CacheBackend, T[]][] {
    const parts = new Map<CacheBackend, T[]>()
    for (const one of given) {
      const shard = this.#of(keyOf(one))
      const part = parts.get(shard)
      if (part === undefined) parts.set(shard, [one])
      else part.push(one)
    }
    return [...parts]
  }

  #run<Answer>(operation: string, key: string | undefined, call: () => Promise<Answer>): Promise<Answer> {
    if (this.#closing !== undefined) return Promise.reject(this.#closed(operation, key))
    const running = call()
    this.#inFlight.add(running)
    const end = (): void => {
      this.#inFlight.delete(running)
    }
    running.then(end, end)
    return running
  }

  async *#keys(prefix?: string): AsyncGenerator<string> {
    for (const shard of this.#shards) {
      if (this.#closing !== undefined) throw this.#closed('keys', undefined)
      yield* shard.keys?.(prefix) ?? []
    }
  }

  #closed(operation: string, key: string | undefined): CacheError {
    return new CacheError('CLOSED', `${operation}: the backend was closed`, { operation, backend: this.name, key })
  }
}

/** The answers of all, once all have come; the first failure, so that nothing is still under way when it is told. */
async function all<Answer>(calls: readonly Promise<Answer>[]): Promise<Answer[]> {
  const settled = await Promise.allSettled(calls)
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
}

async function setAll(shard: CacheBackend, items: readonly Item[]): Promise<void> {
  if (shard.setMany !== undefined) return await shard.setMany(items)
  for (const item of items) await shard.set(item)
}

async function deleteAll(shard: CacheBackend, keys: readonly string[]): Promise<number> {
  if (shard.deleteMany !== undefined) return await shard.deleteMany(keys)
  const removed = await Promise.all([...new Set(keys)].map((key) => shard.delete(key)))
  return removed.filter(Boolean).length
}
