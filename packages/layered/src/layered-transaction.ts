import {
  type BackendStats,
  type Bus,
  type CacheBackend,
  createVersion,
  forwardCapabilities,
  type Item,
  isRecordKey,
} from '@cache/core/backend'
import { backendName } from './errors.ts'

/**
 * The authority in an open transaction of the application. It neither reads nor makes near copies, because only the
 * transaction may see its changes. The commit publishes the announcements. They have a source of their own, so that
 * this process receives them as well.
 */
export class LayeredTransaction implements CacheBackend {
  readonly name: string = backendName
  readonly getMany?: (keys: readonly string[]) => Promise<(Item | undefined)[]>
  readonly setMany?: (items: readonly Item[]) => Promise<void>
  readonly deleteMany?: (keys: readonly string[]) => Promise<number>
  readonly compareAndSet?: (key: string, expected: string | undefined, next: Item | undefined) => Promise<boolean>
  readonly increment?: (key: string, delta: number, expiresAt?: number) => Promise<number>
  readonly keys?: (prefix?: string) => AsyncIterable<string>
  readonly stats?: () => Promise<BackendStats>
  readonly #authority: CacheBackend
  readonly #bus: Pick<Bus, 'publish'>
  readonly #source = createVersion()

  /** `authority` and `bus` are views of the same transaction. */
  constructor(authority: CacheBackend, bus: Pick<Bus, 'publish'>) {
    this.#authority = authority
    this.#bus = bus
    forwardCapabilities<LayeredTransaction>(this, [authority], {
      getMany: (getMany) => getMany,
      setMany: (setMany) => async (items) => {
        await setMany(items)
        await this.#announce(items.map(({ key }) => key))
      },
      deleteMany: (deleteMany) => async (keys) => {
        const removed = await deleteMany(keys)
        await this.#announce(keys)
        return removed
      },
      compareAndSet: (compareAndSet) => (key, expected, next) =>
        this.#changing(key, compareAndSet(key, expected, next)),
      increment: (increment) => (key, delta, expiresAt) => this.#changing(key, increment(key, delta, expiresAt)),
      keys: (keys) => keys,
      stats: (stats) => stats,
      describe: { absent: 'the layered backend outside of the transaction describes itself' },
      listen: { absent: 'the layered backend outside of the transaction emits the events' },
      inTransaction: { absent: 'it is in a transaction' },
      near: { absent: 'only the transaction may see its changes, so it has no near copies' },
      sync: { absent: 'the last layer has transactions, so it is remote' },
      close: { absent: 'the application ends the transaction' },
    })
  }

  get(key: string): Promise<Item | undefined> {
    return this.#authority.get(key)
  }

  async set(item: Item): Promise<void> {
    await this.#authority.set(item)
    await this.#announce([item.key])
  }

  async delete(key: string): Promise<boolean> {
    const deleted = await this.#authority.delete(key)
    await this.#announce([key])
    return deleted
  }

  async clear(prefix?: string): Promise<void> {
    await (prefix === undefined ? this.#authority.clear() : this.#authority.clear(prefix))
    await this.#bus.publish({ kind: 'clear', source: this.#source, prefix: prefix ?? '' })
  }

  async #changing<Result>(key: string, change: Promise<Result>): Promise<Result> {
    const result = await change
    if (result !== false) await this.#announce([key])
    return result
  }

  /**
   * Announces keys without versions, so that the authority has to confirm near copies. Locks and rate limits have no
   * copies.
   */
  async #announce(keys: readonly string[]): Promise<void> {
    const announced = keys.filter((key) => !isRecordKey(key) || key[1] === '#')
    if (announced.length > 0) await this.#bus.publish({ kind: 'delete', source: this.#source, keys: announced })
  }
}
