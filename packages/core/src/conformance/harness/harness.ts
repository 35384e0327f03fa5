import type { CacheBackend } from '../../protocol/backend.ts'
import type { Clock } from '../../protocol/clock.ts'

/** A clock that stands still until it is moved. */
export interface MovableClock extends Required<Clock> {
  advance(ms: number): void
  /** How many timers wait. */
  readonly timers: number
}

/**
 * Kinds of values beyond what JSON has. A backend keeps a value exactly or refuses it with `NOT_STORABLE`; of the kinds
 * that its harness lists under `keeps`, it must keep every one.
 */
export type ValueKind = 'NaN' | 'date' | 'map' | 'set' | 'bytes' | 'bigint' | 'undefined member' | 'lone surrogate'

/** How stored bytes are damaged: other bytes in their place, the second half cut off, or none left. */
export type Damage = 'garbage' | 'truncated' | 'empty'

export type Awaitable<Value> = Value | Promise<Value>

/**
 * What the suite needs to know of a backend, and what it may do to it.
 *
 * The rules run one after the other, never two at once. Each begins with one `open` (or `openMany`, `openLimited`,
 * `openInjected`); from then on the other members mean the store of that `open`. Afterwards the suite closes every handle
 * that it opened, then calls `dispose`.
 *
 * It is a plain object whose members do not use `this`, so that the wrappers (`throughPrefix` and others) may copy it. A
 * member that is absent makes the rules that need it show as skipped, with the reason that `without` states for it.
 */
export interface Harness {
  /** Noun for the titles, such as `redis` or `memory, cloned values`. */
  readonly name: string

  /**
   * Opens a handle on an empty store that nothing else uses: a new folder, table, prefix. `means` are the optional members of
   * this harness that the rule needs: where it breaks or freezes the store, a backend's limits of time may be short, so that the
   * run is; elsewhere generous ones keep a slow machine from looking like a broken backend.
   */
  open(means?: readonly Means[]): Awaitable<CacheBackend>

  /** Opens another handle on the same data: another connection, another object on the same folder. */
  openSecond?(): Awaitable<CacheBackend>

  /** Opens a handle on the same store under another prefix: neither may see the other's items. */
  openOther?(): Awaitable<CacheBackend>

  /** Opens that many handles at once, on a store where nothing was ever made: no table, no folder. */
  openMany?(count: number): Promise<readonly CacheBackend[]>

  /** Opens a handle on an empty store that may hold that many entries. */
  openLimited?(entries: number): Awaitable<CacheBackend>

  /** Opens a handle, on an empty store, that was given a client of the application. */
  openInjected?(): Awaitable<InjectedClient>

  /** Begins a transaction of the application, for `inTransaction`: what it is handed, and how it ends. */
  beginTransaction?(): Awaitable<ApplicationTransaction>

  /** Restarts what the data outlive (every handle is closed before), and opens a handle on the same data. */
  reopen?(): Awaitable<CacheBackend>

  /** The clock that every handle was opened with. Without it, lifetimes are tried with short deadlines in real time. */
  readonly clock?: MovableClock

  /** Damages the stored bytes of the key, which is there, behind the back of every handle. */
  corrupt?(key: string, damage: Damage): Awaitable<void>

  /** Rewrites the stored bytes of the key, which is there, to a format version that does not exist yet. */
  futureFormat?(key: string): Awaitable<void>

  /** Makes the store unreachable: stops the server, cuts the connection, takes the folder away. */
  break?(): Awaitable<void>

  /** Undoes `break`. Resolves when the store itself answers; handles may take longer. */
  heal?(): Awaitable<void>

  /** Stops the store from answering while connections stay open: SIGSTOP, a swallowed reply. */
  freeze?(): Awaitable<void>

  /** Undoes `freeze`. */
  thaw?(): Awaitable<void>

  /** Milliseconds within which every operation must settle while the store is unreachable or frozen. Default 2,000. */
  readonly failureBound?: number

  /** Milliseconds that something which must come may take before it counts as broken. Default 10,000. */
  readonly patience?: number

  /** Whether the store keeps the caller's own objects (`references`) or copies of them. */
  readonly values: 'references' | 'copies'

  /** Kinds of values that must be kept. Default: NaN, date, map, set, bytes. */
  readonly keeps?: readonly ValueKind[]

  /** Why a member is absent, for the rules that are skipped for the lack of it. */
  readonly without?: Readonly<Partial<Record<Means, string>>>

  /** Seed of the random walks. Default: a new one for every run. The environment variable CONFORMANCE_SEED goes before it. */
  readonly seed?: number

  /** Removes what `open` made. Called after every rule, when every handle is closed. */
  dispose?(): Awaitable<void>
}

/** A backend on a client that the application made. */
export interface InjectedClient {
  readonly backend: CacheBackend
  /** Rejects unless the client still works. */
  works(): Promise<void>
  /** Ends the client. Called when the backend is closed. */
  end(): Awaitable<void>
}

/** A transaction of the application. The rule ends it by one of the two. */
export interface ApplicationTransaction {
  readonly transaction: unknown
  readonly commit: () => Promise<void>
  readonly rollBack: () => Promise<void>
}

/** The members of a harness that a rule may need. */
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
