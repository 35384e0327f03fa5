import { lagOfBlock } from './start-timeout.ts'

/** A wait that ends in time or is told that it did not. */
export interface Deadline {
  /** By `performance.now()`. */
  due: number
  readonly late: () => void
}

/**
 * Many deadlines on one timer: a timer for each statement would cost as much as the statement's own bookkeeping.
 *
 * As with `deadline`, a block of our own event loop is not taken for a dead server.
 */
export class Deadlines {
  readonly #pending = new Set<Deadline>()
  #timer: NodeJS.Timeout | undefined
  #firesAt = Number.POSITIVE_INFINITY

  start(timeout: number, late: () => void): Deadline {
    const deadline = { due: performance.now() + timeout, late }
    this.#pending.add(deadline)
    if (deadline.due < this.#firesAt) this.#arm(deadline.due, timeout)
    return deadline
  }

  end(deadline: Deadline): void {
    this.#pending.delete(deadline)
  }

  #arm(due: number, timeout: number): void {
    clearTimeout(this.#timer)
    this.#firesAt = due
    this.#timer = setTimeout(this.#fire, Math.ceil(timeout))
    // Who waits for an answer has a socket open; a timer that nobody needs any more keeps nothing alive.
    this.#timer.unref()
  }

  readonly #fire = (): void => {
    const lag = performance.now() - this.#firesAt
    // What the loop was blocked for is given back.
    if (lag > lagOfBlock) for (const deadline of this.#pending) deadline.due += lag
    setImmediate(() => setImmediate(this.#tell))
  }

  readonly #tell = (): void => {
    this.#firesAt = Number.POSITIVE_INFINITY
    const now = performance.now()
    let next = Number.POSITIVE_INFINITY
    for (const deadline of [...this.#pending]) {
      // A timer may fire a little before its time.
      if (deadline.due <= now + 1) {
        this.#pending.delete(deadline)
        deadline.late()
      } else next = Math.min(next, deadline.due)
    }
    if (next < this.#firesAt) this.#arm(next, Math.max(1, next - now))
  }
}
