import type { CacheBackend, NearReader, SyncCacheBackend } from '../../protocol/backend.ts'
import { CacheError, type CacheErrorCode, cacheErrorCode } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import type { Settings } from '../options/cache-options.ts'
import { type CacheEventName, Listeners } from './events.ts'
import { FailurePauses } from './failure-pauses.ts'
import type { Flight } from './flights.ts'
import { InFlight } from './calls-in-flight.ts'
import type { Lease } from '../coordination/lease.ts'
import { isFresh } from '../options/lifetime.ts'
import { answer, type MaybePromise, type Operation, runAsync } from './steps.ts'
import { Recorder } from './recorder.ts'
import { Share, shareOf } from './backend-state.ts'
import { readerOf, type Store } from './backend-adapter.ts'
import { TagRecords } from '../items/tag-records.ts'

/** The caller's mistakes and answers, not failures of the backend. */
const callersCodes: ReadonlySet<CacheErrorCode> = new Set([
  'INVALID_ARGUMENT',
  'UNSUPPORTED',
  'NOT_STORABLE',
  'NOT_A_NUMBER',
  'OUT_OF_RANGE',
  'CONFLICT',
  'ABORTED',
])

/** What a context is made of. */
interface ContextParts {
  readonly backend: CacheBackend | SyncCacheBackend
  readonly store: Store
  /** Whether this process is the only writer and the store answers at once. */
  readonly local: boolean
  readonly settings: Settings
  /** The namespace that the cache was made with. */
  readonly segments: readonly string[]
  /** Whether its callers get values and no promises. */
  readonly synchronous: boolean
}

/** What a cache and its namespaces share. */
export class Context implements ContextParts {
  readonly backend: CacheBackend | SyncCacheBackend
  readonly store: Store
  readonly local: boolean
  readonly synchronous: boolean
  /** What answers without waiting, until the cache is closed. */
  reader: NearReader | undefined
  readonly share: Share
  readonly settings: Settings
  readonly segments: readonly string[]
  readonly recorder: Recorder
  readonly listeners: Listeners
  readonly tags: TagRecords
  readonly pauses: FailurePauses = new FailurePauses()
  /** Flights that this cache started. */
  readonly running: Set<Flight>
  /** Leases that this cache holds. */
  readonly leases: Set<Lease>
  readonly #inFlight: InFlight
  closed = false
  /** A loader named tags though it declares no parameter (`(...args) => …`): from then on any loader may. */
  anyNamesTags = false
  /** The cache outside, where this is one in a transaction of the application. */
  readonly origin: Context | undefined
  /** Told the name of every event that somebody begins to listen to. */
  onListener: (name: CacheEventName) => void = () => {}

  constructor(parts: ContextParts, origin?: Context) {
    const { backend, store, local, settings, segments, synchronous } = parts
    this.synchronous = synchronous
    this.segments = segments
    this.backend = backend
    this.store = store
    this.local = local
    this.origin = origin
    this.running = origin?.running ?? new Set()
    this.leases = origin?.leases ?? new Set()
    this.recorder = origin?.recorder ?? new Recorder()
    this.listeners = origin?.listeners ?? new Listeners()
    this.#inFlight = origin === undefined ? new InFlight() : origin.#inFlight
    this.reader =
      readerOf(local ? (store as SyncCacheBackend) : backend) ?? (local ? (store as SyncCacheBackend) : undefined)
    this.share = origin === undefined ? shareOf(backend) : new Share(origin.share)
    this.settings = settings
    this.tags = new TagRecords(store, this.share, settings.clock, settings.tagTtl, local)
  }

  /** The same cache on its backend's view of a transaction. What it does counts and is told as of this one. */
  inTransaction(view: CacheBackend): Context {
    const { settings, segments } = this
    const inside = new Context(
      { backend: view, store: view, local: false, settings, segments, synchronous: false },
      this,
    )
    inside.onListener = this.onListener
    return inside
  }

  close(): void {
    this.closed = true
    this.reader = undefined
  }

  now(): number {
    return this.settings.clock.now()
  }

  /** Milliseconds since then; 0 where the clock was set back meanwhile. */
  since(then: number): number {
    return Math.max(0, this.now() - then)
  }

  /** `isFresh` now. Most items are never stale, and the clock is not read for them. */
  isFresh(item: Item): boolean {
    return item.staleAt === undefined || isFresh(item, this.now())
  }

  /** Runs an operation that `close` lets settle. */
  run<T>(operation: Operation<T>): Promise<T> {
    return runAsync(operation, this.#inFlight)
  }

  /** Something is under way that `close` waits for, until `end`. */
  begin(): void {
    this.#inFlight.begin()
  }

  end(): void {
    this.#inFlight.end()
  }

  /** Work that nobody may be waiting for, and that `close` lets settle. It does not reject. */
  async track(work: Promise<unknown>): Promise<void> {
    this.#inFlight.begin()
    await work
    this.#inFlight.end()
  }

  /** The answer of a function of the application within an operation: `close` does not wait for it. */
  *aside<T>(work: Promise<T>): Operation<T> {
    this.#inFlight.end()
    try {
      return yield* answer(work)
    } finally {
      this.#inFlight.begin()
    }
  }

  /** Resolves when every operation that began has settled. */
  settled(): Promise<void> {
    return this.#inFlight.idle()
  }

  /** One call of the store, whose failure is counted, told, and thrown as a `CacheError`. */
  *call<T>(operation: string, key: string | undefined, run: (store: Store) => MaybePromise<T>): Operation<T> {
    try {
      return yield* answer(run(this.store))
    } catch (error) {
      throw this.failed(error, operation, key)
    }
  }

  /** The same for an operation made of several calls. */
  *guard<T>(operation: string, key: string | undefined, inner: Operation<T>): Operation<T> {
    try {
      return yield* inner
    } catch (error) {
      throw this.failed(error, operation, key)
    }
  }

  /** The error as a `CacheError`; counted and told once, unless it is the caller's mistake. */
  failed(error: unknown, operation: string, key?: string): CacheError {
    const code = cacheErrorCode(error)
    const failure =
      code === undefined
        ? new CacheError('BACKEND_FAILURE', `${operation} failed on ${this.store.name}: ${messageOf(error)}`, {
            operation,
            backend: this.store.name,
            key,
            cause: error,
          })
        : (error as CacheError)
    if (this.#isFailure(failure)) this.report(failure)
    return failure
  }

  /** A failure that no caller is told of: counted and told whatever its code. */
  degraded(error: unknown, operation: string, key?: string): void {
    const failure = this.failed(error, operation, key)
    if (!this.#isFailure(failure)) this.report(failure)
  }

  report(error: CacheError): void {
    this.recorder.errors += 1
    if (this.listeners.has('error')) this.listeners.emit('error', { error, namespace: this.segments })
  }

  /** A backend that was closed under an open cache has failed; after `close` it is the caller who is late. */
  #isFailure({ code }: CacheError): boolean {
    return code === 'CLOSED' ? !this.closed : !callersCodes.has(code)
  }

  unsupported(operation: string, needs: string): CacheError {
    return new CacheError(
      'UNSUPPORTED',
      `${operation} needs a backend with ${needs}, which ${this.store.name} is not`,
      {
        operation,
        backend: this.store.name,
      },
    )
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
