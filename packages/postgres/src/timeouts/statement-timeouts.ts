import { blockedAfter } from './start-timeout.ts'

/** The time-out of one statement. */
export interface StatementTimeout {
  /** By `performance.now()`. */
  due: number
  readonly onTimeout: () => void
}

/**
 * The time-outs of many statements on one timer: a timer for each would cost as much as all other work for the
 * statement.
 *
 * As in `startTimeout`, a block of our own event loop is never taken for a dead server.
 */
export class StatementTimeouts {
  readonly #pending = new Set<StatementTimeout>()
  #timer: NodeJS.Timeout | undefined
  #firesAt = Number.POSITIVE_INFINITY

  start(timeout: number, onTimeout: () => void): StatementTimeout {
    const started = { due: performance.now() + timeout, onTimeout }
    this.#pending.add(started)
    if (started.due < this.#firesAt) this.#arm(started.due, timeout)
    return started
  }

  stop(started: StatementTimeout): void {
    this.#pending.delete(started)
  }

  #arm(due: number, timeout: number): void {
    clearTimeout(this.#timer)
    this.#firesAt = due
    this.#timer = setTimeout(this.#fire, Math.ceil(timeout))
    // The open socket of a statement keeps the process alive as long as it is needed. This timer must not.
    this.#timer.unref()
  }

  readonly #fire = (): void => {
    const lag = performance.now() - this.#firesAt
    // The time that the event loop was blocked does not count.
    if (lag > blockedAfter) for (const started of this.#pending) started.due += lag
    setImmediate(() => setImmediate(this.#expire))
  }

  readonly #expire = (): void => {
    this.#firesAt = Number.POSITIVE_INFINITY
    const now = performance.now()
    let next = Number.POSITIVE_INFINITY
    for (const started of [...this.#pending]) {
      // A timer may fire a little before its time.
      if (started.due <= now + 1) {
        this.#pending.delete(started)
        started.onTimeout()
      } else next = Math.min(next, started.due)
    }
    if (next < this.#firesAt) this.#arm(next, Math.max(1, next - now))
  }
}
