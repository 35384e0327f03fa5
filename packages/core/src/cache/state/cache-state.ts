import { CallsInFlight } from '../../backend-kit/calls-in-flight.ts'
import { isPromise, type MaybePromise } from '../../backend-kit/maybe-promise.ts'
import type { CacheBackend, NearReader, SyncCacheBackend } from '../../protocol/backend.ts'
import { CacheError, type CacheErrorCode, cacheErrorCode } from '../../protocol/cache-error.ts'
import type { Settings } from '../options/cache-options.ts'
import { type BackendAdapter, readerOf } from './backend-adapter.ts'
import { BackendState, backendStateOf } from './backend-state.ts'
import { type CacheEventName, Listeners } from './events.ts'
import { FailurePauses } from './failure-pauses.ts'
import type { Flight } from './flight.ts'
import { Recorder } from './recorder.ts'
import { answer, runAsync, type Steps } from './steps.ts'
import { warnOfFailure, warnOfRefusedValue } from './warn-of-failure.ts'

/** The caller's mistakes and answers, not failures of the backend. */
const callersCodes: ReadonlySet<CacheErrorCode> = new Set([
  'INVALID_ARGUMENT',
  'UNSUPPORTED',
  'NOT_A_NUMBER',
  'OUT_OF_RANGE',
  'CONFLICT',
  'ABORTED',
])

/** What a state is made of. */
interface CacheStateParts {
  readonly backend: CacheBackend | SyncCacheBackend
  readonly adapter: BackendAdapter
  /** Whether this process is the only writer and the store answers at once. */
  readonly local: boolean
  readonly settings: Settings
  /** The namespace that the cache was made with. */
  readonly segments: readonly string[]
}

/** What a cache and its namespaces share. */
export class CacheState implements CacheStateParts {
  readonly backend: CacheBackend | SyncCacheBackend
  readonly adapter: BackendAdapter
  readonly local: boolean
  /** What answers without waiting, until the cache is closed. */
  reader: NearReader | undefined
  readonly shared: BackendState
  readonly settings: Settings
  readonly segments: readonly string[]
  readonly recorder: Recorder
  readonly listeners: Listeners
  readonly pauses: FailurePauses = new FailurePauses()
  /** Flights that this cache started. */
  readonly running: Set<Flight>
  /** Leases that this cache holds. */
  readonly leases: Set<{ close(): void }>
  readonly #inFlight: CallsInFlight
  readonly #onError = (error: unknown): unknown => this.addName(error)
  closed = false
  /** A loader named tags though it declares no parameter (`(...args) => …`): from then on any loader may. */
  anyNamesTags = false
  /** The cache outside, where this is one in a transaction of the application. */
  readonly origin: CacheState | undefined
  /** Called with the name of every event that gets a listener. */
  onListener: (name: CacheEventName) => void = () => {}

  constructor(parts: CacheStateParts, origin?: CacheState) {
    const { backend, adapter, local, settings, segments } = parts
    this.segments = segments
    this.backend = backend
    this.adapter = adapter
    this.local = local
    this.origin = origin
    this.running = origin?.running ?? new Set()
    this.leases = origin?.leases ?? new Set()
    this.recorder = origin?.recorder ?? new Recorder()
    this.listeners = origin?.listeners ?? new Listeners(parts.settings.name)
    this.#inFlight = origin === undefined ? new CallsInFlight() : origin.#inFlight
    this.reader =
      readerOf(local ? (adapter as SyncCacheBackend) : backend) ?? (local ? (adapter as SyncCacheBackend) : undefined)
    this.shared = origin === undefined ? backendStateOf(backend) : new BackendState(origin.shared)
    this.settings = settings
  }

  /** The same cache on its backend's view of a transaction. Counts and events are those of this cache. */
  inTransaction(view: CacheBackend): CacheState {
    const { settings, segments } = this
    const inside = new CacheState({ backend: view, adapter: view, local: false, settings, segments }, this)
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

  /** Runs an operation that `close` lets settle. */
  run<T>(operation: Steps<T>): Promise<T> {
    return runAsync(operation, this.#inFlight, this.#onError)
  }

  /** Something is under way that `close` waits for, until `end`. */
  begin(): void {
    this.#inFlight.begin()
  }

  end(): void {
    this.#inFlight.end()
  }

  /** `next` of a value within a call that `begin` announced: the call ends with the value, or with its failure. */
  endAfter<T, Next>(value: MaybePromise<T>, next: (value: T) => Next): MaybePromise<Next> {
    if (isPromise(value))
      return value.then(
        (result) => {
          this.end()
          return next(result)
        },
        (error) => {
          this.end()
          throw error
        },
      )
    this.end()
    return next(value)
  }

  /** Runs a call that `close` lets settle; a synchronous failure becomes a rejection. */
  runCall<T>(call: () => MaybePromise<T>): Promise<T> {
    try {
      const value = call()
      if (!isPromise(value)) return Promise.resolve(value)
      this.begin()
      return value.then(
        (result) => {
          this.end()
          return result
        },
        (error) => {
          this.end()
          throw this.addName(error)
        },
      )
    } catch (error) {
      return Promise.reject(this.addName(error))
    }
  }

  /** Background work that `close` lets settle. It does not reject. */
  async track(work: Promise<unknown>): Promise<void> {
    this.#inFlight.begin()
    await work
    this.#inFlight.end()
  }

  /** The answer of a function of the application within an operation: `close` does not wait for it. */
  *awaitUserCode<T>(work: Promise<T>): Steps<T> {
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

  /** One call of the store. Its failure is counted, emitted, and thrown as a `CacheError`. */
  *call<T>(operation: string, key: string | undefined, run: (adapter: BackendAdapter) => MaybePromise<T>): Steps<T> {
    try {
      return yield* answer(run(this.adapter))
    } catch (error) {
      throw this.failed(error, operation, key)
    }
  }

  /** The same for an operation made of several calls. */
  *guard<T>(operation: string, key: string | undefined, inner: Steps<T>): Steps<T> {
    try {
      return yield* inner
    } catch (error) {
      throw this.failed(error, operation, key)
    }
  }

  /** The error as a `CacheError`; counted and emitted once, unless it is the caller's mistake. */
  failed(error: unknown, operation: string, key?: string): CacheError {
    const code = cacheErrorCode(error)
    const failure =
      code === undefined
        ? new CacheError('BACKEND_FAILURE', `${operation} failed on ${this.adapter.name}: ${messageOf(error)}`, {
            operation,
            backend: this.adapter.name,
            key,
            cause: error,
          })
        : (error as CacheError)
    this.addName(failure)
    if (this.#isFailure(failure)) this.report(failure)
    return failure
  }

  /** Notes the cache's name in a `CacheError` without one, and returns the error. */
  addName<Failure>(error: Failure): Failure {
    if (cacheErrorCode(error) !== undefined) (error as CacheError).cache ??= this.settings.name
    return error
  }

  /** The result of a call; its errors carry the cache's name. */
  named<T>(call: () => T): T {
    try {
      return call()
    } catch (error) {
      throw this.addName(error)
    }
  }

  /** A failure that no caller sees: counted and emitted with every code. */
  degraded(error: unknown, operation: string, key?: string): void {
    const failure = this.failed(error, operation, key)
    if (!this.#isFailure(failure)) this.report(failure)
    this.unseen(failure)
  }

  /** A failure that reaches no caller: the process is warned where no listener or logger of the cache gets it. */
  unseen(error: CacheError): void {
    if (!this.listeners.has('error')) warnOfFailure(this.settings.name, error)
  }

  report(error: CacheError): void {
    if (error.code === 'NOT_STORABLE' && this.settings.logger === undefined) warnOfRefusedValue(error)
    this.recorder.errors += 1
    if (this.listeners.has('error')) this.listeners.emit('error', { error }, this.segments)
  }

  /** A backend that was closed under an open cache has failed; after `close` of the cache the caller is late. */
  #isFailure({ code }: CacheError): boolean {
    return code === 'CLOSED' ? !this.closed : !callersCodes.has(code)
  }

  unsupported(operation: string, needs: string): CacheError {
    return new CacheError(
      'UNSUPPORTED',
      `${operation} needs a backend with ${needs}, which ${this.adapter.name} is not`,
      {
        operation,
        backend: this.adapter.name,
        cache: this.settings.name,
      },
    )
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
