import type { Clock } from '@cache/core/backend'

/** At most this many closely following calls get the result of one read of the clock. */
const maxCallsPerRead = 64
/** After this many reads within one millisecond, calls count as closely following. */
const readsBeforeCaching = 16

/** The source of the engine's `Date.now`. A fake is a function with another source; that of a bound or proxied one has no name. */
const nativeSource = /^function now\(\)\s*\{\s*\[native code\]\s*\}$/

const unknownSource = (): number => Number.NaN

/** `Atomics.waitAsync` of ES2024; absent on some platforms. */
type WaitAsync = (cell: Int32Array, index: number, expected: number, timeout: number) => { value: unknown }
const { waitAsync } = Atomics as { waitAsync?: WaitAsync }

/** A cell that is never notified. `undefined` where the platform has no shared memory or cannot wait on it. */
const tickCell =
  waitAsync !== undefined && typeof SharedArrayBuffer === 'function'
    ? new Int32Array(new SharedArrayBuffer(4))
    : undefined

/**
 * The wall clock, read at most once in 64 calls, because `Date.now()` costs more than a look-up. Every call reads it unless
 * calls follow closely: the number of calls per read grows only while reads return the same millisecond. So a result is
 * late by at most a millisecond or two. After a busy phase, a synchronous block that stalls can get up to 63 late results,
 * and up to 15 more from each cache that has reported its next hits in advance.
 *
 * A tick of one millisecond ends the use of a read. It runs only while calls are answered without a read, and keeps no
 * process alive. It comes from `Atomics.waitAsync`, because tests replace timers: a faked timer may never fire.
 *
 * Tests replace `Date.now` too. Every use of a read compares it with the function that was read, and only the native
 * function can be answered without a read: a fake can move its time at any moment.
 */
export class CoarseClock implements Clock {
  /**
   * The last read time while calls are answered without a read, else `Infinity`. An instant beyond it has not come yet,
   * if `Date.now` is `source`. A reader of this field must report its reads with `spend`.
   */
  horizon: number = Number.POSITIVE_INFINITY
  /** The native `Date.now` that the last read used. */
  source: () => number = unknownSource
  #lastFake: () => number = unknownSource
  #time = 0
  /** The calls that are still answered without a read. */
  #left = 0
  #callsPerRead = 1
  /** Reads in a row that returned the same millisecond. */
  #sameReads = 0
  #usedSinceTick = false
  #isTicking = false

  now(): number {
    if (this.#left <= 0 || Date.now !== this.source) return this.#read()
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
    if (Date.now !== this.source && !this.#adoptSource(Date.now)) return Date.now()
    const time = Date.now()
    const passed = time - this.#time
    if (passed === 0) {
      this.#sameReads += 1
      if (this.#sameReads >= readsBeforeCaching && tickCell !== undefined) {
        this.#callsPerRead = Math.min(this.#callsPerRead * 2, maxCallsPerRead)
      }
    } else {
      this.#sameReads = this.#callsPerRead === 1 ? 0 : this.#sameReads
      if (passed !== 1) this.#slowDown()
    }
    this.#time = time
    this.#left = this.#callsPerRead - 1
    this.horizon = this.#left > 0 ? time : Number.POSITIVE_INFINITY
    this.#usedSinceTick = true
    if (this.#left > 0 && !this.#isTicking) {
      this.#isTicking = true
      this.#waitForTick()
    }
    return time
  }

  /** Returns whether `now` is native. After a change of the function, no earlier read is used again. */
  #adoptSource(now: () => number): boolean {
    this.#left = 0
    this.horizon = Number.POSITIVE_INFINITY
    this.#slowDown()
    if (now === this.#lastFake) return false
    if (!nativeSource.test(Function.prototype.toString.call(now))) {
      this.#lastFake = now
      return false
    }
    this.source = now
    return true
  }

  #waitForTick(): void {
    const waiting = waitAsync?.(tickCell as Int32Array, 0, 0, 1)
    void Promise.resolve(waiting?.value).then(() => this.#tick())
  }

  #tick(): void {
    this.#left = 0
    this.horizon = Number.POSITIVE_INFINITY
    this.#isTicking = this.#usedSinceTick
    this.#usedSinceTick = false
    if (this.#isTicking) this.#waitForTick()
    else this.#slowDown()
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
