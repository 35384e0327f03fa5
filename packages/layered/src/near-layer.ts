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

/** The first character of the version of a wrapped copy. Versions of items never begin with it. */
const mark = '~'
const markCode = mark.charCodeAt(0)
/** The `staleAt` of wrapped copies. Real items practically never have it, so one comparison tells them apart. */
const wrappedStaleAt = 0

/**
 * One layer in front of the authority. Its failures are reported and cost a remote read, but never fail the operation.
 * The result tells that the layer cannot be trusted with the key.
 *
 * With `nearTtl` a copy ends before its item does, but readers need the deadline of the item (`ttl` and `touch` use
 * it). Such a copy is wrapped: an item with a marked version whose value is the whole item.
 */
export class NearLayer {
  readonly backend: CacheBackend
  readonly sync: SyncCacheBackend | undefined
  /** Number of reads that this layer answered. */
  hits = 0
  readonly #nearTtl: number
  readonly #wraps: boolean
  readonly #clock: Clock
  readonly #report: (error: unknown, key?: string) => void

  constructor(backend: CacheBackend, nearTtl: number, clock: Clock, report: (error: unknown, key?: string) => void) {
    this.backend = backend
    this.sync = backend.sync
    this.#nearTtl = nearTtl
    this.#wraps = nearTtl !== Infinity
    this.#clock = clock
    this.#report = report
  }

  /** The synchronous reader of the layer, or `undefined` where it has none. */
  get reader(): NearReader | undefined {
    return this.sync ?? this.backend.near
  }

  /** The item of a copy. `undefined` for copies of a handle with another `nearTtl`. */
  unwrap(copy: Item | undefined): Item | undefined {
    if (copy === undefined || copy.value === undefined) return undefined
    // Every hit comes through here: a number is compared first, and the version only if that is not enough.
    return this.#wraps || copy.staleAt === wrappedStaleAt ? this.#unwrapMarked(copy) : copy
  }

  read(key: string): MaybePromise<Item | undefined> {
    if (this.sync === undefined) return this.#readAsync(key)
    try {
      return this.unwrap(this.sync.get(key))
    } catch (error) {
      this.#report(error, key)
      return undefined
    }
  }

  async #readAsync(key: string): Promise<Item | undefined> {
    try {
      return this.unwrap(await this.backend.get(key))
    } catch (error) {
      this.#report(error, key)
      return undefined
    }
  }

  /**
   * Whether the layer has no copy of the key, or one of this version. `version` is `undefined` where every copy is outdated. The result is
   * `false` if the layer failed: it may have an outdated copy when it works again.
   */
  hasNoOther(key: string, version: string | undefined): MaybePromise<boolean> {
    return this.#attempt<Item | undefined>(
      key,
      (backend) => backend.get(key),
      (copy) => {
        const item = this.unwrap(copy)
        return item === undefined || (version !== undefined && item.version === version)
      },
    )
  }

  /** The items of several keys, in their order. */
  readMany(keys: readonly string[]): MaybePromise<(Item | undefined)[]> {
    if (this.sync !== undefined) return keys.map((key) => this.read(key) as Item | undefined)
    return this.#readManyAsync(keys)
  }

  async #readManyAsync(keys: readonly string[]): Promise<(Item | undefined)[]> {
    try {
      if (this.backend.getMany === undefined) return await Promise.all(keys.map((key) => this.#readAsync(key)))
      return (await this.backend.getMany(keys)).map((copy) => this.unwrap(copy))
    } catch (error) {
      this.#report(error)
      return keys.map(() => undefined)
    }
  }

  /**
   * Stores a copy of an item that was just written, in place of any other. The result is `false` if the layer failed.
   */
  put(item: Item): MaybePromise<boolean> {
    const copy = this.#copyOf(item)
    if (copy === undefined) return this.drop(item.key)
    return this.#attempt(item.key, (backend) => backend.set(copy), always)
  }

  /**
   * Stores a copy of an item from a later layer if this layer still has the version that it had when the read began
   * (RACES R7). The result is `false` if it has another one, or failed.
   */
  offer(item: Item, seen: string | undefined): MaybePromise<boolean> {
    if (seen === item.version) return true
    const copy = this.#copyOf(item)
    // The item has expired: nothing is written (RACES R9), and an older copy goes.
    if (copy === undefined) return seen === undefined ? true : this.drop(item.key)
    const expected = seen === undefined ? undefined : this.#versionOfCopy(seen)
    return this.#attempt<boolean | undefined>(
      item.key,
      (backend) =>
        backend.compareAndSet === undefined
          ? (backend.set(copy) as MaybePromise<undefined>)
          : backend.compareAndSet(item.key, expected, copy),
      (isSet) => isSet !== false,
    )
  }

  drop(key: string): MaybePromise<boolean> {
    return this.#attempt(key, (backend) => backend.delete(key), always)
  }

  clear(prefix: string): MaybePromise<boolean> {
    return this.#attempt(undefined, (backend) => (prefix === '' ? backend.clear() : backend.clear(prefix)), always)
  }

  /** The copy keeps the absolute deadline of the item (RACES R8). `undefined` for an item that has expired. */
  #copyOf(item: Item): Item | undefined {
    const now = this.#clock.now()
    const deadline = item.expiresAt ?? Infinity
    if (deadline <= now) return undefined
    if (item.tags !== undefined) rememberValidity(item.tags)
    if (!this.#wraps) return item
    const { key, createdAt, cost } = item
    const copy = {
      key,
      value: item,
      version: this.#versionOfCopy(item.version),
      createdAt,
      staleAt: wrappedStaleAt,
      expiresAt: Math.min(deadline, now + this.#nearTtl),
    }
    return cost === undefined ? copy : { ...copy, cost }
  }

  #unwrapMarked(copy: Item): Item | undefined {
    const isMarked = copy.version.charCodeAt(0) === markCode
    if (isMarked !== this.#wraps) return undefined
    return isMarked ? (copy.value as Item) : copy
  }

  #versionOfCopy(version: string): string {
    return this.#wraps ? mark + version : version
  }

  #attempt<Result>(
    key: string | undefined,
    call: (backend: CacheBackend | SyncCacheBackend) => MaybePromise<Result>,
    succeeded: (result: Result) => boolean,
  ): MaybePromise<boolean> {
    try {
      const result = call(this.sync ?? this.backend)
      return isPromise(result) ? this.#attemptAsync(key, result, succeeded) : succeeded(result)
    } catch (error) {
      this.#report(error, key)
      return false
    }
  }

  async #attemptAsync<Result>(
    key: string | undefined,
    result: Promise<Result>,
    succeeded: (result: Result) => boolean,
  ): Promise<boolean> {
    try {
      return succeeded(await result)
    } catch (error) {
      this.#report(error, key)
      return false
    }
  }
}

const always = (): boolean => true
