/**
 * The interface for authors of backends. Applications use `Cache`, which adds all other features to every backend.
 *
 * `Cache` guarantees the following, so that a backend need not check it. Keys are strings of any length and content,
 * `version` is a non-empty string of printable ASCII, and instants are finite whole numbers. A codec, where the backend has
 * one, checks `value`. No method is called after `close`. CONTRACT.md lists the promises of a backend in return; the
 * conformance suite (`@cache/core/conformance`) checks them.
 */
import type { CacheError } from './cache-error.ts'
import type { Item } from './item.ts'

/** The limit that removed an entry. */
export type EvictionReason = 'entries' | 'bytes'

/** An event of a backend. */
export type BackendEvent =
  | { readonly type: 'evict'; readonly key: string; readonly reason: EvictionReason }
  | { readonly type: 'expire'; readonly key: string }
  /** A failure that no caller received: a damaged item that was read as a miss, a lost connection, a failed clean-up. */
  | { readonly type: 'error'; readonly error: CacheError }
  | { readonly type: 'busMessage'; readonly kind: string; readonly keys: readonly string[] }
  /** The state of a queue of changes that have not reached the authority yet (RACES R11). */
  | { readonly type: 'recovery'; readonly state: 'started' | 'drained' | 'overflowed'; readonly pending: number }

/** Statistics of a backend. A member that is expensive to compute is absent. */
export interface BackendStats {
  /** Number of live items, as exact as the store allows. */
  readonly items?: number
  /** Bytes of all items. */
  readonly size?: number
  /** Items removed because of a limit, since this handle was opened. */
  readonly evictions?: number
  /** Expired items that this handle removed. */
  readonly expired?: number
}

/** `down`: the part does nothing for its owner. `degraded`: it works in part, or work waits. */
export type PartStatus = 'ok' | 'degraded' | 'down'

/**
 * - `store`: a backend, also one that is made of others.
 * - `bus`: the announcements between processes.
 * - `circuit`: a guard that refuses calls while the store behind it fails.
 * - `queue`: calls that wait for the store.
 * - `recovery`: changes that the store has yet to do.
 * - `write-behind`: changes that the application's database has yet to get.
 */
export type PartKind = 'store' | 'bus' | 'circuit' | 'queue' | 'recovery' | 'write-behind'

/** A backend or a part of it, as far as this process knows it without a call of the store. Holds neither keys nor values. */
export interface BackendPart {
  readonly kind: PartKind
  /** A noun, such as `redis`. */
  readonly name: string
  /** The state of the part itself, without those of `parts`. */
  readonly status: PartStatus
  /** Why it is not `ok`; absent otherwise. Free of secrets. */
  readonly message?: string
  /** Calls or changes that wait. */
  readonly pending?: number
  /** How many may wait. */
  readonly limit?: number
  /** Whether the backend around this part is down whenever the part is. Default `false`. */
  readonly essential?: boolean
  /**
   * The backend that `Cache.health` reads a key from, to learn whether it answers. A backend that gets better only by calls, such as one
   * with a circuit, gives itself, so that health checks alone end an outage. Absent where the parts are asked in its place.
   */
  readonly backend?: CacheBackend
  readonly parts?: readonly BackendPart[]
}

/** The copies that this process holds of a remote store. */
export interface NearReader {
  /** Returns the item if the copy may still be used. `undefined` does not mean that the key is empty. */
  get(key: string): Item | undefined

  /**
   * For readers that return tag records: a number from `newGeneration` that changes whenever a record that `get` returned may
   * have changed. `Cache` then looks up the tags of an item once for each generation instead of at each hit. `undefined`:
   * the reader does not know.
   */
  generation?(): number | undefined
}

/**
 * A store of items. Four members are required. The presence of an optional member declares a capability; without it, `Cache`
 * uses a fallback, or rejects with `UNSUPPORTED` where a fallback would break a promise.
 *
 * Every method rejects with a `CacheError` when the store fails. A placeholder (an item whose value is `undefined`) is
 * stored, returned and compared like any item, but does not count as a value: see `delete`, `increment` and `keys`.
 */
export interface CacheBackend {
  /** A noun for logs and errors, such as `redis`. */
  readonly name: string

  /** Resolves to the item. Resolves to `undefined` when the key has none, it expired, or its stored bytes are unreadable. */
  get(key: string): Promise<Item | undefined>

  /** Stores the item in place of an existing one. An item whose `expiresAt` has passed leaves the key empty. */
  set(item: Item): Promise<void>

  /** Removes the item. Resolves to `true` if it was a live value, and to `false` for a placeholder, which is removed too. */
  delete(key: string): Promise<boolean>

  /** Removes every item whose key starts with `prefix`, compared character by character. Default: every item of this backend. */
  clear(prefix?: string): Promise<void>

  /** `get` of each key, in the order of the keys. An unreadable item is `undefined` and does not affect the others. */
  getMany?(keys: readonly string[]): Promise<(Item | undefined)[]>

  /** `set` of each item, in order. When it rejects, some items may have been stored. */
  setMany?(items: readonly Item[]): Promise<void>

  /** `delete` of each key. Resolves to the number of removed live values. */
  deleteMany?(keys: readonly string[]): Promise<number>

  /**
   * Stores `next`, or removes the item when `next` is `undefined`, if and only if the live item of the key has the version
   * `expected`. `undefined` as `expected` means that the key has no live item. Resolves to whether the condition held. The
   * call is atomic with respect to every other call of every handle on the same data. `next.key` equals `key`.
   */
  compareAndSet?(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean>

  /**
   * Adds `delta` to a whole number atomically, and resolves to the sum. A missing key or a placeholder counts from 0 and gets
   * `expiresAt`. An existing counter keeps its deadline, tags, `staleAt` and cost. Rejects with `NOT_A_NUMBER` for any other
   * value, and with `OUT_OF_RANGE` when the sum is not a safe integer; the value then stays. The version changes with the
   * value; a store that keeps counters as plain numbers may derive the version from the value.
   */
  increment?(key: string, delta: number, expiresAt?: number): Promise<number>

  /**
   * Yields the keys of live values that start with `prefix`, without placeholders. A key that lives through the whole
   * iteration appears at least once; other keys may appear (RACES R42).
   */
  keys?(prefix?: string): AsyncIterable<string>

  stats?(): Promise<BackendStats>

  /**
   * Returns what this process knows of the backend and its parts, such as a lost connection, an open circuit or a queue. Calls
   * no store, and never throws: after `close` the backend is `down`. Absent where nothing is known beyond the store's answers.
   */
  describe?(): BackendPart

  /**
   * Adds a listener for events of the given types, or of all types; returns the function that removes it. A listener must not
   * throw. An event without a listener should cost nothing.
   */
  listen?(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void

  /**
   * The same data through an open transaction of the application, for stores in the application's database. Changes there
   * take effect with the commit; a rollback undoes them. A key that is removed there is closed to other `compareAndSet` calls
   * until the transaction ends, even if the key was empty (RACES R3). Throws `INVALID_ARGUMENT`.
   */
  inTransaction?(transaction: unknown): CacheBackend

  /** Present in layers and buffers in front of a slower store. A memory store has `sync` instead. */
  readonly near?: NearReader

  /**
   * The same data through synchronous methods. Present only where this process is the only writer (a memory store): `Cache`
   * then orders loads, deletes and tags within this process alone.
   */
  readonly sync?: SyncCacheBackend

  /** Waits for calls in flight, then closes everything that the backend opened, but no injected client. A second call has no effect. */
  close?(): Promise<void>
}

/** A `CacheBackend` with synchronous methods. Each member keeps the same promises; failures throw. */
export interface SyncCacheBackend {
  readonly name: string
  get(key: string): Item | undefined
  set(item: Item): void
  delete(key: string): boolean
  clear(prefix?: string): void
  getMany?(keys: readonly string[]): (Item | undefined)[]
  setMany?(items: readonly Item[]): void
  deleteMany?(keys: readonly string[]): number
  compareAndSet?(key: string, expected: string | undefined, next: Item | undefined): boolean
  increment?(key: string, delta: number, expiresAt?: number): number
  keys?(prefix?: string): Iterable<string>
  stats?(): BackendStats
  listen?(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void
  close?(): void
}
