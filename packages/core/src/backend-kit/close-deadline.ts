import { CacheError } from '../protocol/cache-error.ts'
import { type Clock, systemClock } from '../protocol/clock.ts'

/** Milliseconds that the `close` of a composite backend takes at most. */
const defaultLimit = 10_000

/** The time that `close` may take, so that a part that hangs does not keep it from ending. */
export class CloseDeadline {
  readonly #backend: string
  readonly #clock: Clock
  readonly #begin: number
  readonly #limit: number

  /** The time begins now. `backend` is the name of the backend, for the messages of errors. */
  constructor(backend: string, clock: Clock = systemClock, limit: number = defaultLimit) {
    this.#limit = limit
    this.#backend = backend
    this.#clock = clock
    this.#begin = clock.now()
  }

  /**
   * The outcome of the work, or a rejection with `TIMEOUT` at the deadline. The work then goes on without the caller.
   * `share` is the part of the whole time after which it counts as hanging. `what` is for the message.
   */
  async wait(what: string, work: Promise<unknown>, share = 1): Promise<void> {
    const elapsed = Math.max(0, this.#clock.now() - this.#begin)
    const left = Math.max(0, this.#limit * share - elapsed)
    let cancel = (): void => {}
    const timeout = new Promise<never>((_, reject) => {
      cancel = this.#after(left, () => reject(this.#error(what)))
    })
    try {
      await Promise.race([work, timeout])
    } finally {
      cancel()
    }
  }

  /** The caller of `close` waits for it, so the timer keeps the process alive. */
  #after(ms: number, action: () => void): () => void {
    const { after = systemClock.after } = this.#clock
    return after.call(this.#clock, ms, action, true)
  }

  #error(what: string): CacheError {
    const message = `close: ${what} did not end in time; the limit is ${this.#limit} ms`
    return new CacheError('TIMEOUT', message, { operation: 'close', backend: this.#backend })
  }
}
