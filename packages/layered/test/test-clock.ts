import type { Clock } from '@cache/core/backend'

interface Timer {
  readonly at: number
  readonly action: () => void
}

/** A clock that stands still until it is moved, timers included: they run while it moves, each at its instant. */
export class TestClock implements Clock {
  #instant: number = Date.UTC(2030, 0, 1)
  readonly #timers = new Set<Timer>()

  now(): number {
    return this.#instant
  }

  after(ms: number, action: () => void): () => void {
    const timer = { at: this.#instant + ms, action }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  /** Timers that wait. */
  get timers(): number {
    return this.#timers.size
  }

  advance(ms: number): void {
    const end = this.#instant + ms
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.at <= end).sort((one, other) => one.at - other.at)[0]
      if (due === undefined) break
      this.#timers.delete(due)
      this.#instant = Math.max(this.#instant, due.at)
      due.action()
    }
    this.#instant = end
  }
}
