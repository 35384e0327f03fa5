import {
  type BackendEvent,
  type BackendStats,
  type CacheBackend,
  CompositeParts,
  deleteMany,
  getMany,
  type Item,
  Lifecycle,
  type NearReader,
  setMany,
  settleAll,
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
  readonly #life = new Lifecycle(this.name)

  /** Throws `INVALID_ARGUMENT` for unknown options and values that are not allowed. */
  constructor(options: ShardedOptions) {
    const { names, shards, closeParts } = resolveOptions(options)
    this.#shards = shards
    this.#placement = new Placement(names)
    if (shards.every((shard) => shard.compareAndSet !== undefined)) {
      this.compareAndSet = (key, expected, next) =>
        this.#life.run(
          'compareAndSet',
          key,
          async () => (await this.#of(key).compareAndSet?.(key, expected, next)) ?? false,
        )
    }
    if (shards.every((shard) => shard.increment !== undefined)) {
      this.increment = (key, delta, expiresAt) =>
        this.#life.run('increment', key, async () => (await this.#of(key).increment?.(key, delta, expiresAt)) ?? 0)
    }
    if (shards.every((shard) => shard.keys !== undefined)) this.keys = (prefix) => this.#keys(prefix)
    if (shards.every((shard) => shard.near !== undefined)) {
      this.near = { get: (key) => (!this.#life.isClosed ? this.#of(key).near?.get(key) : undefined) }
    }
    this.#parts = new CompositeParts(shards, closeParts)
  }

  get(key: string): Promise<Item | undefined> {
    return this.#life.run('get', key, () => this.#of(key).get(key))
  }

  set(item: Item): Promise<void> {
    return this.#life.run('set', item.key, () => this.#of(item.key).set(item))
  }

  delete(key: string): Promise<boolean> {
    return this.#life.run('delete', key, () => this.#of(key).delete(key))
  }

  /** Clears every shard that can be reached, and rejects when one could not. */
  clear(prefix?: string): Promise<void> {
    return this.#life.run('clear', undefined, async () => {
      await settleAll(this.#shards.map((shard) => (prefix === undefined ? shard.clear() : shard.clear(prefix))))
    })
  }

  getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.#life.run('getMany', undefined, async () => {
      const found = new Map<string, Item | undefined>()
      const asking = this.#parted(keys, (key) => key).map(async ([shard, own]) => {
        const items = await getMany(shard, own)
        for (const [index, key] of own.entries()) found.set(key, items[index])
      })
      await settleAll(asking)
      return keys.map((key) => found.get(key))
    })
  }

  setMany(items: readonly Item[]): Promise<void> {
    return this.#life.run('setMany', undefined, async () => {
      await settleAll(this.#parted(items, ({ key }) => key).map(([shard, own]) => setMany(shard, own)))
    })
  }

  deleteMany(keys: readonly string[]): Promise<number> {
    return this.#life.run('deleteMany', undefined, async () => {
      const removed = await settleAll(this.#parted(keys, (key) => key).map(([shard, own]) => deleteMany(shard, own)))
      return removed.reduce((sum, one) => sum + one, 0)
    })
  }

  /** Sums of what every shard tells. */
  stats(): Promise<BackendStats> {
    return this.#life.run('stats', undefined, async () => {
      const told = await settleAll(this.#shards.map(async (shard) => (await shard.stats?.()) ?? {}))
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
    return this.#life.close(() => this.#parts.close())
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

  async *#keys(prefix?: string): AsyncGenerator<string> {
    for (const shard of this.#shards) {
      this.#life.refuseWhenClosed('keys')
      yield* shard.keys?.(prefix) ?? []
    }
  }
}
