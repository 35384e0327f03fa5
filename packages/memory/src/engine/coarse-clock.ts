import type { Clock } from '@cache/core/backend'

/** Reads of the clock that may be answered from memory while calls follow each other closely. */
const MOST_READS = 64
/** Reads in a row within one millisecond from which on calls are taken to follow each other closely. */
const CLOSE_READS = 16

/**
 * The wall clock, read at most once in 64 calls: `Date.now()` costs more than a look-up. Calls that come slowly read it each
 * time; the number of calls answered from memory grows only while the millisecond stands still. So the answer is late by a
 * millisecond or two at most, or inside one synchronous block that stalls after a busy phase, by at most 63 calls, and 15 more of
 * each cache that had told of its next hits before.
 *
 * A timer of one millisecond runs only while answers come from memory, ends itself when the calls end, and keeps no process alive.
 */
export class CoarseClock implements Clock {
  /** The time while it may be answered from memory, else Infinity: what lies beyond it has not come yet. For those who `spend`. */
  horizon: number = Number.POSITIVE_INFINITY
  private time = 0
  private left = 0
  private reads = 1
  /** Reads in a row that found the same millisecond. */
  private still = 0
  private used = false
  private timer: ReturnType<typeof setInterval> | undefined

  now(): number {
    if (this.left <= 0) return this.read()
    if (--this.left === 0) this.horizon = Number.POSITIVE_INFINITY
    return this.time
  }

  /** Counts calls that looked at the horizon instead of asking for the time. */
  spend(calls: number): void {
    this.left -= calls
    if (this.left <= 0) this.horizon = Number.POSITIVE_INFINITY
  }

  private read(): number {
    const time = Date.now()
    const passed = time - this.time
    if (passed === 0) {
      if (++this.still >= CLOSE_READS) this.reads = Math.min(this.reads * 2, MOST_READS)
    } else {
      this.still = this.reads === 1 ? 0 : this.still
      if (passed !== 1) this.slowDown()
    }
    this.time = time
    this.left = this.reads - 1
    this.horizon = this.left > 0 ? time : Number.POSITIVE_INFINITY
    this.used = true
    if (this.left > 0 && this.timer === undefined) this.start()
    return time
  }

  private start(): void {
    this.timer = setInterval(() => this.tick(), 1)
    // In a browser the timer is a number.
    if (typeof this.timer === 'object') this.timer.unref()
  }

  private tick(): void {
    this.left = 0
    this.horizon = Number.POSITIVE_INFINITY
    if (this.used) {
      this.used = false
      return
    }
    clearInterval(this.timer)
    this.timer = undefined
    this.slowDown()
  }

  private slowDown(): void {
    this.reads = 1
    this.still = 0
  }
}

/** One for all caches of the process. */
export const coarseClock: CoarseClock = new CoarseClock()

/** Stands in where another clock was given: nobody reads it, so nothing ever lies beyond its horizon. */
export const shutClock: CoarseClock = new CoarseClock()
