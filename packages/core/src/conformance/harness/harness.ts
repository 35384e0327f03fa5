import type { CacheBackend } from '../../protocol/backend.ts'
import type { Clock } from '../../protocol/clock.ts'

/** A clock that moves only by `advance`. */
export interface MovableClock extends Required<Clock> {
  advance(ms: number): void
  /** The number of timers that have not run yet. */
  readonly timers: number
}

/**
 * Kinds of values that JSON lacks. A backend keeps a value exactly or rejects it with `NOT_STORABLE`. It must keep every kind
 * that its harness lists under `keeps`.
 */
export type ValueKind = 'NaN' | 'date' | 'map' | 'set' | 'bytes' | 'bigint' | 'undefined member' | 'lone surrogate'

/** The damage of stored bytes: other bytes in their place, without their second half, or without any byte. */
export type Damage = 'garbage' | 'truncated' | 'empty'

/** The relation of a second prefix to the first: any other one, or one that starts with the first. */
export type PrefixRelation = 'any' | 'longer'

export type Awaitable<Value> = Value | Promise<Value>

/**
 * The suite's access to a backend under test.
 *
 * The rules run one after the other. Each rule begins with one `open` (or `openMany`, `openLimited`, `openInjected`); the
 * other members then refer to the store of that call. After the rule the suite closes every handle and calls `dispose`.
 *
 * The harness is a plain object whose members do not use `this`, because wrappers such as `throughPrefix` copy it. Without an
 * optional member, the rules that need it show as skipped, with the reason that `without` gives.
 */
export interface Harness {
  /** A noun for the titles of tests, such as `redis` or `memory, cloned values`. */
  readonly name: string

  /**
   * Opens a handle on an empty store that is used for nothing else: a new folder, table or prefix. `means` lists the optional
   * members of this harness that the rule needs. For a rule that breaks or freezes the store, short time limits of the backend
   * keep the run short; for other rules, long ones prevent false failures on a slow machine.
   */
  open(means?: readonly Means[]): Awaitable<CacheBackend>

  /** Opens another handle on the same data: another connection, another object on the same folder. */
  openSecond?(): Awaitable<CacheBackend>

  /**
   * Opens a handle on the same store under another prefix. With the relation `longer`, the other prefix starts with the prefix
   * of `open`: `app2` or `app:` where that is `app`. A harness may use such a prefix for both relations.
   */
  openOther?(relation?: PrefixRelation): Awaitable<CacheBackend>

  /** Opens `count` handles concurrently on a store without any table or folder. */
  openMany?(count: number): Promise<readonly CacheBackend[]>

  /** Opens a handle on an empty store with this limit of entries. */
  openLimited?(entries: number): Awaitable<CacheBackend>

  /** Opens a handle on an empty store, with a client of the application. */
  openInjected?(): Awaitable<InjectedClient>

  /** Begins a transaction of the application, for `inTransaction`. */
  beginTransaction?(): Awaitable<ApplicationTransaction>

  /** Restarts the store, after every handle was closed, and opens a handle on the same data. */
  reopen?(): Awaitable<CacheBackend>

  /** The clock of every handle. Without it, the suite tests lifetimes with short deadlines in real time. */
  readonly clock?: MovableClock

  /** Damages the stored bytes of an existing key, without a call of any handle. */
  corrupt?(key: string, damage: Damage): Awaitable<void>

  /** Rewrites the stored bytes of an existing key to a format version that does not exist yet. */
  futureFormat?(key: string): Awaitable<void>

  /** Makes the store unreachable: stops the server, cuts the connection, takes the folder away. */
  break?(): Awaitable<void>

  /** Undoes `break`. Resolves when the store itself answers; handles may take longer. */
  heal?(): Awaitable<void>

  /** Makes the store hang while connections stay open: by SIGSTOP, or by dropped replies. */
  freeze?(): Awaitable<void>

  /** Undoes `freeze`. */
  thaw?(): Awaitable<void>

  /** Milliseconds within which every call must settle while the store is unreachable or hangs. Default 2,000. */
  readonly failureBound?: number

  /** Milliseconds that the suite waits for an expected effect before the rule fails. Default 10,000. */
  readonly patience?: number

  /** Whether the store keeps the caller's own objects (`references`) or copies of them. */
  readonly values: 'references' | 'copies'

  /** Kinds of values that must be kept. Default: NaN, date, map, set, bytes. */
  readonly keeps?: readonly ValueKind[]

  /** The reasons for absent members, which skipped rules show. */
  readonly without?: Readonly<Partial<Record<Means, string>>>

  /** Seed of the random sequences. Default: a new one for every run. The environment variable CONFORMANCE_SEED takes precedence. */
  readonly seed?: number

  /** Removes the store of `open`. The suite calls it after every rule, when every handle is closed. */
  dispose?(): Awaitable<void>
}

/** A backend on a client of the application. */
export interface InjectedClient {
  readonly backend: CacheBackend
  /** Rejects if the client no longer works. */
  works(): Promise<void>
  /** Closes the client, after the backend was closed. */
  end(): Awaitable<void>
}

/** A transaction of the application. The rule commits it or rolls it back. */
export interface ApplicationTransaction {
  readonly transaction: unknown
  readonly commit: () => Promise<void>
  readonly rollBack: () => Promise<void>
}

/** The optional members of a harness that a rule may need. */
export type Means =
  | 'openSecond'
  | 'openOther'
  | 'openMany'
  | 'openLimited'
  | 'openInjected'
  | 'beginTransaction'
  | 'reopen'
  | 'clock'
  | 'corrupt'
  | 'futureFormat'
  | 'break'
  | 'heal'
  | 'freeze'
  | 'thaw'
