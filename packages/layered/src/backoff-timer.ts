import { type Clock, systemClock } from '@cache/core/backend'

/** Runs a task again and again, each time later, until it is told that all is well. Never keeps the process alive. */
export class BackoffTimer {
  readonly #clock: Clock
  readonly #first: number
  readonly #most: number
  readonly #task: () => void
  #delay: number
  #cancel: (() => void) | undefined

  constructor(clock: Clock, first: number, most: number, task: () => void) {
    this.#clock = clock
    this.#first = first
    this.#most = most
    this.#task = task
    this.#delay = first
  }

  /** Plans the next run, unless one is planned. */
  schedule(): void {
    if (this.#cancel !== undefined) return
    this.#cancel = after(this.#clock, this.#delay, () => {
      this.#cancel = undefined
      this.#task()
    })
    this.#delay = Math.min(this.#delay * 2, this.#most)
  }

  /** All is well: cancels the planned run, and the next failure waits the first delay again. */
  reset(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#delay = this.#first
  }
}

/** Calls `action` once after `ms`, by the clock's own timers where it has them; returns the function that prevents it. */
export function after(clock: Clock, ms: number, action: () => void): () => void {
  return clock.after === undefined ? systemClock.after(ms, action) : clock.after(ms, action)
}
