import type { Clock } from '../protocol/clock.ts'
import { startTimer } from './start-timer.ts'

/**
 * Runs a task once after a delay. Each run without a `reset` in between doubles the delay, up to the longest one. The timer
 * does not keep the process alive.
 */
export class BackoffTimer {
  readonly #clock: Clock
  readonly #firstDelay: number
  readonly #longestDelay: number
  readonly #task: () => void
  #delay: number
  #cancel: (() => void) | undefined

  /** `clock` supplies the timer; a clock without timers uses those of the machine. Delays are in milliseconds. */
  constructor(clock: Clock, firstDelay: number, longestDelay: number, task: () => void) {
    this.#clock = clock
    this.#firstDelay = firstDelay
    this.#longestDelay = longestDelay
    this.#task = task
    this.#delay = firstDelay
  }

  /** Plans the next run, unless one is planned. */
  schedule(): void {
    if (this.#cancel !== undefined) return
    this.#cancel = startTimer(this.#clock, this.#delay, () => {
      this.#cancel = undefined
      this.#task()
    })
    this.#delay = Math.min(this.#delay * 2, this.#longestDelay)
  }

  /** Cancels the planned run. The next one waits the first delay again. */
  reset(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#delay = this.#firstDelay
  }
}
