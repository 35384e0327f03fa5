import type { Clock } from '@cache/core/backend'
import type { Slots } from './slots.ts'

/** Slots examined at each write: at a steady rate of writes, a pass takes a quarter as many writes as there are slots. */
const slotsPerWrite = 4
/** Slots examined at each tick of the timer: well under a millisecond. */
const slotsPerTick = 16_384
const pauseBetweenTicks = 10
const shortestWait = 1000
const longestWait = 2 ** 31 - 1

/** The entries that a sweeper removes. `expire` removes the entry of a slot. */
interface SweptEntries {
  readonly slots: Slots<unknown, unknown>
  readonly clock: Clock
  expire(slot: number): void
}

/**
 * Removes expired entries by passes over the slots in small steps: a few slots at each write and, without writes, by a
 * timer that keeps neither the process nor the cache alive. A pass begins only after some entry has expired.
 * Timing wheels and heaps would cost every write more than these passes save.
 */
export class Sweeper {
  readonly #entries: SweptEntries
  readonly #useTimer: boolean
  /** No entry expires before this instant. */
  #earliest = Number.POSITIVE_INFINITY
  /** The next slot of the current pass; -1 if there is no pass. */
  #hand = -1
  /** The earliest expiry time among the slots that the current pass has examined. */
  #earliestExamined = Number.POSITIVE_INFINITY
  #timer: ReturnType<typeof setTimeout> | undefined
  /** That of the same timers as `#timer`: a test may have faked the timers since. */
  #clearTimer: typeof clearTimeout = clearTimeout
  /** The instant at which the timer fires; `Infinity` if there is no timer. */
  #firesAt = Number.POSITIVE_INFINITY

  constructor(entries: SweptEntries, useTimer: boolean) {
    this.#entries = entries
    this.#useTimer = useTimer
  }

  /** Call it after an entry with this expiry time was set. */
  add(expiresAt: number): void {
    if (expiresAt < this.#earliest) this.#earliest = expiresAt
    if (expiresAt < this.#earliestExamined) this.#earliestExamined = expiresAt
    // A timer that waits for a distant expiry would keep entries that expire sooner until then.
    if (this.#useTimer && (this.#timer === undefined || expiresAt + shortestWait < this.#firesAt)) this.#wait()
  }

  /** A small step of a pass, if one is due. */
  step(): void {
    if (!this.#isDue()) return
    this.#examine(slotsPerWrite)
    // The timer was faked by a test and never fires, or the event loop is blocked: another one does no harm.
    if (this.#timer !== undefined && this.#entries.clock.now() > this.#firesAt + shortestWait) this.#wait()
  }

  sweepAll(): void {
    this.#hand = -1
    this.#examine(Number.POSITIVE_INFINITY)
  }

  clear(): void {
    this.#earliest = Number.POSITIVE_INFINITY
    this.#hand = -1
    this.#stopTimer()
  }

  #isDue(): boolean {
    return this.#hand >= 0 || this.#earliest <= this.#entries.clock.now()
  }

  #stopTimer(): void {
    this.#clearTimer.call(undefined, this.#timer)
    this.#timer = undefined
    this.#firesAt = Number.POSITIVE_INFINITY
  }

  #examine(steps: number): void {
    const { slots, clock } = this.#entries
    if (this.#hand < 0) {
      this.#hand = 0
      this.#earliestExamined = Number.POSITIVE_INFINITY
    }
    const now = clock.now()
    for (let left = steps; left > 0; left -= 1) {
      // A listener of an expiry may have cleared the cache.
      if (this.#hand < 0 || slots.expiryTimes === undefined) return
      if (this.#hand >= slots.high) {
        this.#hand = -1
        this.#earliest = this.#earliestExamined
        return
      }
      const slot = this.#hand
      this.#hand += 1
      if (!slots.isLive(slot)) continue
      const expiresAt = slots.expiryTimes[slot] as number
      if (expiresAt <= now) this.#entries.expire(slot)
      else if (expiresAt < this.#earliestExamined) this.#earliestExamined = expiresAt
    }
  }

  #wait(): void {
    this.#stopTimer()
    const now = this.#entries.clock.now()
    const untilEarliest = this.#earliest - now
    const pause = this.#hand >= 0 ? pauseBetweenTicks : Math.min(Math.max(untilEarliest, shortestWait), longestWait)
    this.#firesAt = now + pause
    // A weak reference: the timer must not keep alive a cache that the application no longer uses.
    const self = new WeakRef(this)
    this.#clearTimer = clearTimeout
    this.#timer = setTimeout(() => {
      const sweeper = self.deref()
      if (sweeper !== undefined) sweeper.#tick()
    }, pause)
    if (typeof this.#timer === 'object') this.#timer.unref()
  }

  #tick(): void {
    this.#stopTimer()
    try {
      if (this.#isDue()) this.#examine(slotsPerTick)
    } finally {
      // Also after a listener that throws.
      if (this.#hand >= 0 || this.#earliest < Number.POSITIVE_INFINITY) this.#wait()
    }
  }
}
