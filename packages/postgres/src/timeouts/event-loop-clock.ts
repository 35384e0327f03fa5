import { blockedAfter } from './start-timeout.ts'

/** Milliseconds between two looks for a block. */
const period = 100

/**
 * A clock in milliseconds that stands still while our own event loop is blocked. So a block never counts as time in
 * which the server did not reply. A late timer shows a block; the timer runs while calls are in flight.
 */
export class EventLoopClock {
  #blocked = 0
  #calls = 0
  /** The instant at which the timer is to fire; infinity while there is no timer. */
  #due = Number.POSITIVE_INFINITY

  /** Marks the beginning of a call, which `end` must follow. */
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
    return lag > blockedAfter ? lag : 0
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

/** One clock for all backends and buses, because they share the event loop. */
export const eventLoopClock: EventLoopClock = new EventLoopClock()
