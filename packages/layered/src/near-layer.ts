import {
  type CacheBackend,
  type Clock,
  type Item,
  isPromise,
  type MaybePromise,
  type NearReader,
  rememberValidity,
  type SyncCacheBackend,
} from '@cache/core/backend'

const markCode = 126
/** No version that is made for an item begins with it. */
const mark = '~'
/** A marked copy was never fresh: hardly any other item says so, whatever its clock. */
const never = 0

/**
 * One layer in front of the authority. Its failures cost a far read and never the operation: they are reported, and the
 * answer says that the layer may not be trusted with the key.
 *
 * With `nearTtl` a copy ends before its item does, but a reader must still be given the item's own deadline (`ttl` and
 * `touch` go by it). The copy is then an item of its own, marked in its version, with the whole item as its value.
 */
export class NearLayer {
  readonly backend: CacheBackend
  readonly sync: SyncCacheBackend | undefined
  /** Reads served by this layer. */
  hits = 0
  readonly #nearTtl: number
  readonly #wrapped: boolean
  readonly #clock: Clock
  readonly #report: (error: unknown, key?: string) => void

  constructor(backend: CacheBackend, nearTtl: number, clock: Clock, report: (error: unknown, key?: string) => void) {
    this.backend = backend
    this.sync = backend.sync
    this.#nearTtl = nearTtl
    this.#wrapped = nearTtl !== Infinity
    this.#clock = clock
    this.#report = report
  }

  /** The layer as it answers without waiting, or `undefined` where it cannot. */
  get reader(): NearReader | undefined {
    return this.sync ?? this.backend.near
  }

  /** The item of a stored copy. Copies of a handle with another setting of `nearTtl` are not read. */
  unwrap(held: Item | undefined): Item | undefined {
    if (held === undefined || held.value === undefined) return undefined
    // An instant is compared here, and the version only where that leaves a doubt: it is the path of every hit.
    return this.#wrapped || held.staleAt === never ? this.#unmarked(held) : held
  }

  read(key: string): MaybePromise<Item | undefined> {
    if (this.sync === undefined) return this.#readLater(key)
    try {
      return this.unwrap(this.sync.get(key))
    } catch (error) {
      this.#report(error, key)
      return undefined
    }
  }

  async #readLater(key: string): Promise<Item | undefined> {
    try {
      return this.unwrap(await this.backend.get(key))
    } catch (error) {
      this.#report(error, key)
      return undefined
    }
  }

  /** The items of several keys, in their order. */
  readMany(keys: readonly string[]): MaybePromise<(Item | undefined)[]> {
    if (this.sync !== undefined) return keys.map((key) => this.read(key) as Item | undefined)
    return this.#readManyLater(keys)
  }

  async #readManyLater(keys: readonly string[]): Promise<(Item | undefined)[]> {
    try {
      if (this.backend.getMany === undefined) return await Promise.all(keys.map((key) => this.#readLater(key)))
      return (await this.backend.getMany(keys)).map((held) => this.unwrap(held))
    } catch (error) {
      this.#report(error)
      return keys.map(() => undefined)
    }
  }

  /** Holds a copy of what was just written, whatever was there. Resolves to `false` when the layer failed. */
  put(item: Item): MaybePromise<boolean> {
    const copy = this.#copy(item)
    if (copy === undefined) return this.drop(item.key)
    return this.#attempt(item.key, (store) => store.set(copy), done)
  }

  /**
   * Holds a copy of an item that was read further away, if the layer still holds what it held when that read began
   * (RACES R7). Resolves to `false` when it holds something else, or failed.
   */
  offer(item: Item, seen: string | undefined): MaybePromise<boolean> {
    if (seen === item.version) return true
    const copy = this.#copy(item)
    // No life remains: nothing is written (RACES R9), and what was seen is older still.
    if (copy === undefined) return seen === undefined ? true : this.drop(item.key)
    const expected = seen === undefined ? undefined : this.#stored(seen)
    return this.#attempt<boolean | undefined>(
      item.key,
      (store) =>
        store.compareAndSet === undefined
          ? (store.set(copy) as MaybePromise<undefined>)
          : store.compareAndSet(item.key, expected, copy),
      (swapped) => swapped !== false,
    )
  }

  drop(key: string): MaybePromise<boolean> {
    return this.#attempt(key, (store) => store.delete(key), done)
  }

  clear(prefix: string): MaybePromise<boolean> {
    return this.#attempt(undefined, (store) => (prefix === '' ? store.clear() : store.clear(prefix)), done)
  }

  /** The absolute deadline is kept (RACES R8), and `undefined` means that no life remains. */
  #copy(item: Item): Item | undefined {
    const now = this.#clock.now()
    const deadline = item.expiresAt ?? Infinity
    if (deadline <= now) return undefined
    if (item.tags !== undefined) rememberValidity(item.tags)
    if (!this.#wrapped) return item
    const { key, createdAt, cost } = item
    const copy = {
      key,
      value: item,
      version: this.#stored(item.version),
      createdAt,
      staleAt: never,
      expiresAt: Math.min(deadline, now + this.#nearTtl),
    }
    return cost === undefined ? copy : { ...copy, cost }
  }

  #unmarked(held: Item): Item | undefined {
    const marked = held.version.charCodeAt(0) === markCode
    if (marked !== this.#wrapped) return undefined
    return marked ? (held.value as Item) : held
  }

  #stored(version: string): string {
    return this.#wrapped ? mark + version : version
  }

  #attempt<Answer>(
    key: string | undefined,
    call: (store: CacheBackend | SyncCacheBackend) => MaybePromise<Answer>,
    judge: (answer: Answer) => boolean,
  ): MaybePromise<boolean> {
    try {
      const answer = call(this.sync ?? this.backend)
      return isPromise(answer) ? this.#settle(key, answer, judge) : judge(answer)
    } catch (error) {
      this.#report(error, key)
      return false
    }
  }

  async #settle<Answer>(
    key: string | undefined,
    answer: Promise<Answer>,
    judge: (answer: Answer) => boolean,
  ): Promise<boolean> {
    try {
      return judge(await answer)
    } catch (error) {
      this.#report(error, key)
      return false
    }
  }
}

const done = (): boolean => true
