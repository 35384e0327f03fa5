import { type Bus, type CacheBackend, createVersion, type Item, isRecordKey } from '@cache/core/backend'
import { backendName } from './errors.ts'

/**
 * The authority in an open transaction of the application. Near copies are neither read nor made there, since nobody else may
 * see them: what changes is announced with the commit, under a source of its own, so that this process hears of it too.
 */
export class LayeredTransaction implements CacheBackend {
  readonly name: string = backendName
  readonly getMany?: (keys: readonly string[]) => Promise<(Item | undefined)[]>
  readonly compareAndSet?: (key: string, expected: string | undefined, next: Item | undefined) => Promise<boolean>
  readonly increment?: (key: string, delta: number, expiresAt?: number) => Promise<number>
  readonly keys?: (prefix?: string) => AsyncIterable<string>
  readonly #authority: CacheBackend
  readonly #bus: Pick<Bus, 'publish'>
  readonly #source = createVersion()

  /** Both are views of the same transaction. */
  constructor(authority: CacheBackend, bus: Pick<Bus, 'publish'>) {
    this.#authority = authority
    this.#bus = bus
    const { getMany, compareAndSet, increment, keys } = authority
    if (getMany) this.getMany = (keys) => getMany.call(authority, keys)
    if (compareAndSet) {
      this.compareAndSet = (key, expected, next) =>
        this.#changing(key, compareAndSet.call(authority, key, expected, next))
    }
    if (increment) {
      this.increment = (key, delta, expiresAt) => this.#changing(key, increment.call(authority, key, delta, expiresAt))
    }
    if (keys) this.keys = (prefix) => keys.call(authority, prefix)
  }

  get(key: string): Promise<Item | undefined> {
    return this.#authority.get(key)
  }

  async set(item: Item): Promise<void> {
    await this.#authority.set(item)
    await this.#tell([item.key])
  }

  async delete(key: string): Promise<boolean> {
    const deleted = await this.#authority.delete(key)
    await this.#tell([key])
    return deleted
  }

  async clear(prefix?: string): Promise<void> {
    await (prefix === undefined ? this.#authority.clear() : this.#authority.clear(prefix))
    await this.#bus.publish({ kind: 'clear', source: this.#source, prefix: prefix ?? '' })
  }

  async #changing<Answer>(key: string, change: Promise<Answer>): Promise<Answer> {
    const answer = await change
    if (answer !== false) await this.#tell([key])
    return answer
  }

  /** Without versions: a copy that someone holds by then is confirmed by the authority or dropped. Locks and limits are never near. */
  async #tell(keys: readonly string[]): Promise<void> {
    const told = keys.filter((key) => !isRecordKey(key) || key[1] === '#')
    if (told.length > 0) await this.#bus.publish({ kind: 'delete', source: this.#source, keys: told })
  }
}
