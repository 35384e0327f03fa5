import type { Engine } from './engine.ts'

/** Slots looked at for each write: at a steady rate of writes a pass over the cache ends after a quarter as many writes as slots. */
const SLOTS_PER_WRITE = 4
/** Slots looked at in one turn of the timer: well under a millisecond. */
const SLOTS_PER_TURN = 16_384
const PAUSE_BETWEEN_TURNS = 10
const SHORTEST_WAIT = 1000
const LONGEST_WAIT = 2 ** 31 - 1

/**
 * Reclaims expired entries by walking over the slots in small steps, a few at each write and, while nobody writes, by a timer
 * that keeps neither the process nor the cache alive. A walk begins only when some deadline has passed. Wheels and heaps would cost
 * every write more than this walk saves.
 */
export class Sweeper<K, V> {
  private readonly engine: Engine<K, V>
  private readonly useTimer: boolean
  /** No entry expires before this instant. */
  private earliest = Number.POSITIVE_INFINITY
  /** Where the walk stands; -1 when there is none. */
  private hand = -1
  /** The earliest deadline that the walk left behind. */
  private earliestBehind = Number.POSITIVE_INFINITY
  private timer: ReturnType<typeof setTimeout> | undefined
  /** When the timer is due; Infinity where there is none. */
  private wakesAt = Number.POSITIVE_INFINITY

  constructor(engine: Engine<K, V>, useTimer: boolean) {
    this.engine = engine
    this.useTimer = useTimer
  }

  /** An entry with this deadline was set. */
  add(deadline: number): void {
    if (deadline < this.earliest) this.earliest = deadline
    if (deadline < this.earliestBehind) this.earliestBehind = deadline
    // A timer that waits for a far deadline would let nearer ones lie until then.
    if (this.useTimer && (this.timer === undefined || deadline + SHORTEST_WAIT < this.wakesAt)) this.wait()
  }

  /** A small step of the walk, if one is due. */
  step(): void {
    if (this.hand >= 0 || this.earliest <= this.engine.clock.now()) this.walk(SLOTS_PER_WRITE)
  }

  sweepAll(): void {
    this.hand = -1
    this.walk(Number.POSITIVE_INFINITY)
  }

  clear(): void {
    this.earliest = Number.POSITIVE_INFINITY
    this.hand = -1
    this.stopTimer()
  }

  private stopTimer(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.wakesAt = Number.POSITIVE_INFINITY
  }

  private walk(steps: number): void {
    const { slots, clock } = this.engine
    if (this.hand < 0) {
      this.hand = 0
      this.earliestBehind = Number.POSITIVE_INFINITY
    }
    const now = clock.now()
    for (let left = steps; left > 0; left--) {
      // A callback of an expiry may have cleared the cache.
      if (this.hand < 0 || slots.deadlines === null) return
      if (this.hand >= slots.high) {
        this.hand = -1
        this.earliest = this.earliestBehind
        return
      }
      const slot = this.hand++
      if (!slots.isLive(slot)) continue
      const deadline = slots.deadlines[slot] as number
      if (deadline <= now) this.engine.expire(slot)
      else if (deadline < this.earliestBehind) this.earliestBehind = deadline
    }
  }

  private wait(): void {
    this.stopTimer()
    const now = this.engine.clock.now()
    const due = this.earliest - now
    const pause = this.hand >= 0 ? PAUSE_BETWEEN_TURNS : Math.min(Math.max(due, SHORTEST_WAIT), LONGEST_WAIT)
    this.wakesAt = now + pause
    // The timer must not keep a cache alive that the application has let go of.
    const self = new WeakRef(this)
    this.timer = setTimeout(() => self.deref()?.turn(), pause)
    if (typeof this.timer === 'object') this.timer.unref()
  }

  /** What the timer does. */
  turn(): void {
    this.stopTimer()
    try {
      if (this.hand >= 0 || this.earliest <= this.engine.clock.now()) this.walk(SLOTS_PER_TURN)
    } finally {
      // Also after a callback that throws.
      if (this.hand >= 0 || this.earliest < Number.POSITIVE_INFINITY) this.wait()
    }
  }
}
