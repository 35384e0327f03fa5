import type { Clock } from '@cache/core/backend'

/** At most this many closely following calls get the result of one read of the clock. */
const maxCallsPerRead = 64
/** After this many reads within one millisecond, calls count as closely following. */
const readsBeforeCaching = 16

/**
 * The wall clock, read at most once in 64 calls, because `Date.now()` costs more than a look-up. Every call reads it unless
 * calls follow closely: the number of calls per read grows only while reads return the same millisecond. So a result is
 * late by at most a millisecond or two. After a busy phase, a synchronous block that stalls can get up to 63 late results,
 * and up to 15 more from each cache that has reported its next hits in advance.
 *
 * A timer of one millisecond runs only while calls are answered without a read. It ends when the calls end, and keeps no
 * process alive.
 */
export class CoarseClock implements Clock {
  /**
   * The last read time while calls are answered without a read, else `Infinity`. An instant beyond it has not come yet.
   * A reader of this field must report its reads with `spend`.
   */
  horizon: number = Number.POSITIVE_INFINITY
  #time = 0
  /** The calls that are still answered without a read. */
  #left = 0
  #callsPerRead = 1
  /** Reads in a row that returned the same millisecond. */
  #sameReads = 0
  #usedSinceTick = false
  #timer: ReturnType<typeof setInterval> | undefined

  now(): number {
    if (this.#left <= 0) return this.#read()
    this.#left -= 1
    if (this.#left === 0) this.horizon = Number.POSITIVE_INFINITY
    return this.#time
  }

  /** Counts calls that read `horizon` instead of calling `now`. */
  spend(calls: number): void {
    this.#left -= calls
    if (this.#left <= 0) this.horizon = Number.POSITIVE_INFINITY
  }

  #read(): number {
    const time = Date.now()
    const passed = time - this.#time
    if (passed === 0) {
      this.#sameReads += 1
      if (this.#sameReads >= readsBeforeCaching) this.#callsPerRead = Math.min(this.#callsPerRead * 2, maxCallsPerRead)
    } else {
      this.#sameReads = this.#callsPerRead === 1 ? 0 : this.#sameReads
      if (passed !== 1) this.#slowDown()
    }
    this.#time = time
    this.#left = this.#callsPerRead - 1
    this.horizon = this.#left > 0 ? time : Number.POSITIVE_INFINITY
    this.#usedSinceTick = true
    if (this.#left > 0 && this.#timer === undefined) this.#startTimer()
    return time
  }

  #startTimer(): void {
    this.#timer = setInterval(() => this.#tick(), 1)
    // A browser's timer is a number.
    if (typeof this.#timer === 'object') this.#timer.unref()
  }

  #tick(): void {
    this.#left = 0
    this.horizon = Number.POSITIVE_INFINITY
    if (this.#usedSinceTick) {
      this.#usedSinceTick = false
      return
    }
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#slowDown()
  }

  #slowDown(): void {
    this.#callsPerRead = 1
    this.#sameReads = 0
  }
}

/** The one clock of all caches of the process without a clock of their own. */
export const coarseClock: CoarseClock = new CoarseClock()

/** Takes the place of the coarse clock in caches with a clock of their own. It is never read, so its horizon is always `Infinity`. */
export const unusedClock: CoarseClock = new CoarseClock()
