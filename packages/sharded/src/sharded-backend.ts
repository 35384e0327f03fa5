import {
  type BackendEvent,
  type BackendPart,
  type BackendStats,
  type CacheBackend,
  CompositeParts,
  checkComparison,
  checkIncrement,
  checkItem,
  checkItems,
  checkKey,
  checkKeys,
  checkListener,
  checkPrefix,
  deleteMany,
  describeBackend,
  forwardCapabilities,
  getMany,
  type Item,
  Lifecycle,
  type NearReader,
  openOrClosed,
  setMany,
  settleAll,
} from '@cache/core/backend'
import { combinedGeneration } from './combined-generation.ts'
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
  readonly #names: readonly string[]
  readonly #placement: Placement
  readonly #parts: CompositeParts
  readonly #life = new Lifecycle(this.name)

  /** Throws `INVALID_ARGUMENT` for unknown options and values that are not allowed. */
  constructor(options: ShardedOptions) {
    const { names, shards, closeParts } = resolveOptions(options)
    this.#shards = shards
    this.#names = names
    this.#placement = new Placement(names)
    forwardCapabilities<ShardedBackend>(this, shards, {
      getMany: 'own',
      setMany: 'own',
      deleteMany: 'own',
      compareAndSet:
        (...members) =>
        (key, expected, next) =>
          this.#life.run('compareAndSet', key, () => {
            checkComparison(key, expected, next)
            return this.#memberOf(members, key)(key, expected, next)
          }),
      increment:
        (...members) =>
        (key, delta, expiresAt) =>
          this.#life.run('increment', key, () => {
            checkIncrement(key, delta, expiresAt)
            return this.#memberOf(members, key)(key, delta, expiresAt)
          }),
      keys:
        (...members) =>
        (prefix) =>
          this.#keys(members, prefix),
      stats: 'own',
      describe: 'own',
      listen: 'own',
      inTransaction: { absent: 'shards may be different databases, and a transaction belongs to one of them' },
      near: (...nears) => ({
        get: (key) => (this.#life.isClosed ? undefined : this.#memberOf(nears, key).get(key)),
        generation: combinedGeneration(nears, () => !this.#life.isClosed),
      }),
      sync: { absent: 'a shard may be remote, so calls return promises' },
      close: 'own',
    })
    this.#parts = new CompositeParts(shards, closeParts)
  }

  get(key: string): Promise<Item | undefined> {
    return this.#life.run('get', key, () => {
      checkKey(key, 'get')
      return this.#of(key).get(key)
    })
  }

  set(item: Item): Promise<void> {
    return this.#life.run('set', item?.key, () => {
      checkItem(item, 'set')
      return this.#of(item.key).set(item)
    })
  }

  delete(key: string): Promise<boolean> {
    return this.#life.run('delete', key, () => {
      checkKey(key, 'delete')
      return this.#of(key).delete(key)
    })
  }

  /** Clears every shard that can be reached, and rejects when one could not. */
  clear(prefix?: string): Promise<void> {
    return this.#life.run('clear', undefined, async () => {
      checkPrefix(prefix, 'clear')
      await settleAll(this.#shards.map((shard) => (prefix === undefined ? shard.clear() : shard.clear(prefix))))
    })
  }

  getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.#life.run('getMany', undefined, async () => {
      checkKeys(keys, 'getMany')
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
      checkItems(items, 'setMany')
      await settleAll(this.#parted(items, ({ key }) => key).map(([shard, own]) => setMany(shard, own)))
    })
  }

  deleteMany(keys: readonly string[]): Promise<number> {
    return this.#life.run('deleteMany', undefined, async () => {
      checkKeys(keys, 'deleteMany')
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

  /** The shards under their names. The backend is down when all of them are. */
  describe(): BackendPart {
    const parts = this.#shards.map((shard, index) => ({
      ...describeBackend(shard),
      name: this.#names[index] as string,
    }))
    return { kind: 'store', name: this.name, ...openOrClosed(this.#life.isClosed), parts }
  }

  /** What all shards tell. */
  listen(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void {
    checkListener(listener, types)
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
    return this.#life.closeInTime((deadline) => this.#parts.close(deadline))
  }

  #of(key: string): CacheBackend {
    return this.#memberOf(this.#shards, key)
  }

  /** The element for the shard of the key, from an array in the order of the shards. */
  #memberOf<Member>(members: readonly Member[], key: string): Member {
    return members[this.#placement.of(key)] as Member
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

  async *#keys(members: readonly NonNullable<CacheBackend['keys']>[], prefix?: string): AsyncGenerator<string> {
    checkPrefix(prefix, 'keys')
    for (const keysOf of members) {
      this.#life.refuseWhenClosed('keys')
      yield* keysOf(prefix)
    }
  }
}
