/** A wait that ends in time or is told that it did not. */
export interface Deadline {
  /** By `performance.now()`. */
  readonly due: number
  readonly late: () => void
}

/**
 * Many deadlines on one timer: a timer for each statement would cost as much as the statement's own bookkeeping.
 *
 * A timer may fire late because this process itself was busy, with the answer already in the socket's buffer. So two turns
 * of the event loop, in which sockets are read, come between the timer and `late`: a block of our own loop is not taken
 * for a dead server.
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
    this.#timer = setTimeout(this.#turn, Math.ceil(timeout), 2)
    // Who waits for an answer has a socket open; a timer that nobody needs any more keeps nothing alive.
    this.#timer.unref()
  }

  readonly #turn = (rest: number): void => {
    if (rest > 0) {
      setImmediate(this.#turn, rest - 1)
      return
    }
    this.#firesAt = Number.POSITIVE_INFINITY
    const now = performance.now()
    for (const deadline of [...this.#pending]) {
      // A timer may fire a little before its time.
      if (deadline.due > now + 1) continue
      this.#pending.delete(deadline)
      deadline.late()
    }
    const next = Math.min(...[...this.#pending].map(({ due }) => due))
    if (next !== Number.POSITIVE_INFINITY && next < this.#firesAt) this.#arm(next, Math.max(1, next - now))
  }
}
