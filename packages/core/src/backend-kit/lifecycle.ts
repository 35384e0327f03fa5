import { CacheError } from '../protocol/cache-error.ts'
import type { Clock } from '../protocol/clock.ts'
import { CallsInFlight } from './calls-in-flight.ts'
import { CloseDeadline } from './close-deadline.ts'

/**
 * The life of a backend or a bus: refuses calls after `close`, and lets `close` wait for the calls in flight (RACES R33).
 */
export class Lifecycle {
  readonly #name: string
  readonly #kind: 'backend' | 'bus'
  readonly #calls = new CallsInFlight()
  #isClosed = false
  #closing: Promise<void> | undefined

  /** `name` and `kind` are for the messages of errors, such as `redis` and `bus`. */
  constructor(name: string, kind: 'backend' | 'bus' = 'backend') {
    this.#name = name
    this.#kind = kind
  }

  /** Whether `close` was called. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** The error of a call after `close`. */
  closedError(method: string, key?: string): CacheError {
    const message = `${method}: the ${this.#kind} '${this.#name}' was closed; open another one`
    return new CacheError('CLOSED', message, { operation: method, backend: this.#name, key })
  }

  /** Throws `CLOSED` after `close`. */
  refuseWhenClosed(method: string, key?: string): void {
    if (this.#isClosed) throw this.closedError(method, key)
  }

  /** Runs a call that `close` waits for. Rejects with `CLOSED` after `close`. A synchronous throw becomes a rejection. */
  run<Result>(method: string, key: string | undefined, work: () => Promise<Result>): Promise<Result> {
    if (this.#isClosed) return Promise.reject(this.closedError(method, key))
    return this.#calls.run(work)
  }

  /** Begins work that `close` waits for. Each `begin` needs one `end`. */
  begin(): void {
    this.#calls.begin()
  }

  end(): void {
    this.#calls.end()
  }

  /** Resolves when no work is in flight. */
  idle(): Promise<void> {
    return this.#calls.idle()
  }

  /**
   * Refuses calls from now on, waits until no work is in flight, then runs `release`. `prepare` runs at once, before the
   * wait. Only the first call has an effect; every later call gives the promise of the first.
   */
  close(release: () => Promise<void> | void, prepare?: () => void): Promise<void> {
    this.#isClosed = true
    this.#closing ??= this.#close(release, prepare)
    return this.#closing
  }

  /**
   * `close` of a composite backend: it ends within a limited time, although a part hangs. Calls in flight get half of that
   * time. Then `release` runs, and the promise rejects with `TIMEOUT` unless `release` rejects.
   */
  closeInTime(
    release: (deadline: CloseDeadline) => Promise<void>,
    options: { readonly clock?: Clock | undefined; readonly prepare?: () => void } = {},
  ): Promise<void> {
    this.#isClosed = true
    this.#closing ??= this.#closeInTime(release, options.clock, options.prepare)
    return this.#closing
  }

  async #closeInTime(
    release: (deadline: CloseDeadline) => Promise<void>,
    clock: Clock | undefined,
    prepare: (() => void) | undefined,
  ): Promise<void> {
    const deadline = new CloseDeadline(this.#name, clock)
    prepare?.()
    const [waiting] = await Promise.allSettled([deadline.wait('a call in flight', this.idle(), 0.5)])
    await release(deadline)
    if (waiting.status === 'rejected') throw waiting.reason
  }

  async #close(release: () => Promise<void> | void, prepare: (() => void) | undefined): Promise<void> {
    prepare?.()
    await this.idle()
    await release()
  }
}
