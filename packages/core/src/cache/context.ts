import type { CacheBackend, SyncCacheBackend } from '../protocol/backend.ts'
import { CacheError, type CacheErrorCode, cacheErrorCode } from '../protocol/cache-error.ts'
import type { Settings } from './cache-options.ts'
import { type CacheEventName, Listeners } from './events.ts'
import { FailurePauses } from './failure-pauses.ts'
import type { Flight } from './flights.ts'
import { answer, type MaybePromise, type Operation } from './operation.ts'
import { Recorder } from './recorder.ts'
import { type Share, shareOf } from './share.ts'
import { type Reader, readerOf, type Store } from './store.ts'
import { TagRecords } from './tags.ts'

/** The caller's mistakes and answers, not failures of the backend. */
const callersCodes: ReadonlySet<CacheErrorCode> = new Set([
  'INVALID_ARGUMENT',
  'CLOSED',
  'UNSUPPORTED',
  'NOT_STORABLE',
  'NOT_A_NUMBER',
  'OUT_OF_RANGE',
  'CONFLICT',
  'ABORTED',
])

/** What a cache and its namespaces share. */
export class Context {
  readonly backend: CacheBackend | SyncCacheBackend
  readonly store: Store
  /** Whether this process is the only writer and the store answers at once. */
  readonly local: boolean
  readonly reader: Reader | undefined
  readonly share: Share
  readonly settings: Settings
  /** The namespace that the cache was made with. */
  readonly segments: readonly string[]
  readonly recorder: Recorder = new Recorder()
  readonly listeners: Listeners = new Listeners()
  readonly tags: TagRecords
  readonly pauses: FailurePauses = new FailurePauses()
  /** Flights that this cache started. */
  readonly running: Set<Flight> = new Set()
  readonly #background = new Set<Promise<unknown>>()
  closed = false
  /** Told the name of every event that somebody begins to listen to. */
  onListener: (name: CacheEventName) => void = () => {}

  constructor(
    backend: CacheBackend | SyncCacheBackend,
    store: Store,
    local: boolean,
    settings: Settings,
    segments: readonly string[],
  ) {
    this.segments = segments
    this.backend = backend
    this.store = store
    this.local = local
    this.reader =
      readerOf(local ? (store as SyncCacheBackend) : backend) ?? (local ? (store as SyncCacheBackend) : undefined)
    this.share = shareOf(backend)
    this.settings = settings
    this.tags = new TagRecords(store, this.share, settings.clock, settings.tagTtl, local)
  }

  now(): number {
    return this.settings.clock.now()
  }

  /** Work that nobody may be waiting for, and that `close` lets settle. */
  track(work: Promise<unknown>): void {
    const settled: Promise<unknown> = work.then(
      () => this.#background.delete(settled),
      () => this.#background.delete(settled),
    )
    this.#background.add(settled)
  }

  async settled(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background)
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
    if (!callersCodes.has(failure.code)) this.report(failure)
    return failure
  }

  /** A failure that no caller is told of: counted and told whatever its code. */
  degraded(error: unknown, operation: string, key?: string): void {
    const failure = this.failed(error, operation, key)
    if (callersCodes.has(failure.code)) this.report(failure)
  }

  report(error: CacheError): void {
    this.recorder.errors += 1
    if (this.listeners.has('error')) this.listeners.emit('error', { error, namespace: this.segments })
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
