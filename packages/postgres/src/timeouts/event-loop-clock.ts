import { lagOfBlock } from './start-timeout.ts'

/** A block is noticed to so many milliseconds. */
const period = 100

/**
 * Milliseconds that go on while our own event loop does, and stand still while it is blocked: how long somebody has waited for
 * his turn then says nothing about the server. A timer that is late shows a block; it runs while calls are under way.
 */
class LoopClock {
  #blocked = 0
  #calls = 0
  /** When the timer is to fire; never while there is none. */
  #due = Number.POSITIVE_INFINITY

  /** A call begins, which `end` must follow. */
  begin(): void {
    this.#calls += 1
    if (this.#due === Number.POSITIVE_INFINITY) this.#arm()
  }

  end(): void {
    this.#calls -= 1
  }

  now(): number {
    const now = performance.now()
    return now - this.#blocked - this.#lag(now)
  }

  #lag(now: number): number {
    const lag = now - this.#due
    return lag > lagOfBlock ? lag : 0
  }

  #arm(): void {
    this.#due = performance.now() + period
    setTimeout(this.#look, period).unref()
  }

  readonly #look = (): void => {
    this.#blocked += this.#lag(performance.now())
    this.#due = Number.POSITIVE_INFINITY
    if (this.#calls > 0) this.#arm()
  }
}

/** One for all, because all share the event loop. */
export const loopClock: LoopClock = new LoopClock()
