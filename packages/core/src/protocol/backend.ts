/**
 * For those who write a backend. Applications use `Cache`, which gives every backend the whole feature set.
 *
 * What `Cache` guarantees, so that a backend need not check it: keys are strings of any length and content, `version` is a
 * non-empty string of printable ASCII, instants are finite whole numbers, `value` was checked by the codec where there is
 * one, and nothing is called after `close`. What a backend promises in return stands in CONTRACT.md, rule by rule; the
 * conformance suite (`@cache/core/conformance`) holds it to that.
 */
import type { CacheError } from './cache-error.ts'
import type { Item } from './item.ts'

/** Why an entry left without being asked to. */
export type EvictionReason = 'entries' | 'bytes'

/** What a backend tells without being asked. */
export type BackendEvent =
  | { readonly type: 'evict'; readonly key: string; readonly reason: EvictionReason }
  | { readonly type: 'expire'; readonly key: string }
  /** Something failed that no caller was told of: a damaged item that was read as a miss, a lost connection, a failed clean-up. */
  | { readonly type: 'error'; readonly error: CacheError }
  | { readonly type: 'busMessage'; readonly kind: string; readonly keys: readonly string[] }
  /** A queue of changes that could not reach the authority yet (RACES R11). */
  | { readonly type: 'recovery'; readonly state: 'started' | 'drained' | 'overflowed'; readonly pending: number }

/** What only the backend knows. A member that it cannot tell cheaply is absent. */
export interface BackendStats {
  /** Live items, as exactly as the store can tell. */
  readonly items?: number
  /** Bytes that the items take. */
  readonly size?: number
  /** Items removed to keep a limit, since this handle was opened. */
  readonly evictions?: number
  /** Expired items that this handle removed. */
  readonly expired?: number
}

/** What this process holds of a store that is farther away. */
export interface NearReader {
  /** Answers at once with what may still be trusted, or with `undefined`, which says nothing. */
  get(key: string): Item | undefined

  /**
   * For readers that answer for tag records: a number that stays the same only as long as every record that `get` told would
   * be told again, and that is made by `newGeneration` whenever one may not. `Cache` then looks the tags of an item up once for each
   * epoch rather than at each hit. `undefined` where that cannot be said.
   */
  generation?(): number | undefined
}

/**
 * A store of items. Four required members; each optional member is a capability by its presence, and `Cache` falls back
 * where it is absent, or rejects with `UNSUPPORTED` where no honest fallback exists.
 *
 * Every method rejects with a `CacheError` when the store fails. A placeholder (an item whose value is `undefined`) is
 * stored, returned and compared like any item, but is not counted as a value: see `delete`, `increment` and `keys`.
 */
export interface CacheBackend {
  /** Noun for logs and errors, such as `redis`. */
  readonly name: string

  /** Resolves to the item, or to `undefined` when there is none, it expired, or its stored form cannot be read. */
  get(key: string): Promise<Item | undefined>

  /** Stores the item, replacing what was there. An item whose `expiresAt` has passed leaves the key empty. */
  set(item: Item): Promise<void>

  /** Removes the item. Resolves to whether a live value was there; `false` for a placeholder, which is removed too. */
  delete(key: string): Promise<boolean>

  /** Removes every item whose key starts with `prefix`, compared character by character; without a prefix, every item of this backend. */
  clear(prefix?: string): Promise<void>

  /** The same as `get` for each key, in the order of the keys; a key that cannot be read costs only itself. */
  getMany?(keys: readonly string[]): Promise<(Item | undefined)[]>

  /** The same as `set` for each item in order. When it rejects, some may have been stored. */
  setMany?(items: readonly Item[]): Promise<void>

  /** The same as `delete` for each key; resolves to how many live values were there. */
  deleteMany?(keys: readonly string[]): Promise<number>

  /**
   * Compare-and-set: the one atomic primitive. Puts `next` in place, or removes the item when `next` is `undefined`, if and
   * only if the live item of that key has the version `expected`, where `undefined` means that no live item is there.
   * Resolves to whether it did. Atomic against every other operation of every handle on the same data. `next.key` equals
   * `key`.
   */
  compareAndSet?(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean>

  /**
   * Adds `delta` to a whole number and resolves to the sum, atomically. A missing key (or a placeholder) counts from 0 and
   * gets `expiresAt`; an existing one keeps its own deadline, and its tags, `staleAt` and cost. Rejects with `NOT_A_NUMBER` for any other value and with
   * `OUT_OF_RANGE` when the sum is not a safe integer, leaving the value untouched. The version changes with the value; a
   * store that keeps counters as plain numbers may derive it from the value.
   */
  increment?(key: string, delta: number, expiresAt?: number): Promise<number>

  /**
   * Iterates the keys of live values that start with `prefix`, placeholders left out. A key that lives through the whole
   * iteration appears at least once; others may or may not (RACES R42).
   */
  keys?(prefix?: string): AsyncIterable<string>

  stats?(): Promise<BackendStats>

  /**
   * Hears what happens without being asked for, of the given types or all; returns the function that ends it. A listener must
   * not throw. What nobody listens to should cost nothing.
   */
  listen?(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void

  /**
   * The same data through an open transaction of the application: what is changed there takes effect with its commit, and not
   * at all when it is rolled back. A key that was removed there stays closed to `compareAndSet` of others until the transaction ends,
   * also when nothing was there (RACES R3). For stores that live in the application's database. Throws `INVALID_ARGUMENT`.
   */
  inTransaction?(transaction: unknown): CacheBackend

  /** For layers and buffers in front of a slower store; a memory store offers `sync` instead. */
  readonly near?: NearReader

  /**
   * The same data without waiting. Present only where this process is the only writer (a memory store): `Cache` then
   * orders loads, deletes and tags by what happens in this process alone.
   */
  readonly sync?: SyncCacheBackend

  /** Lets work in flight settle, then frees what the backend itself opened; never an injected client. Calling it again does nothing. */
  close?(): Promise<void>
}

/** `CacheBackend` for a store that answers without waiting. The same promises, member by member; failures throw. */
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
