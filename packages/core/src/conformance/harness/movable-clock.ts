import type { MovableClock } from './harness.ts'

interface Timer {
  readonly at: number
  readonly action: () => void
}

/**
 * A clock for tests: starts at `start` (default 2030-01-01) and moves only by `advance`. Timers run during `advance`, each at its
 * instant.
 */
export function createMovableClock(start: number = Date.UTC(2030, 0, 1)): MovableClock {
  let instant = start
  const timers = new Set<Timer>()
  const nextDue = (end: number): Timer | undefined =>
    [...timers].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0]
  return {
    now: () => instant,
    after: (ms, action) => {
      const timer = { at: instant + ms, action }
      timers.add(timer)
      return () => {
        timers.delete(timer)
      }
    },
    advance: (ms) => {
      const end = instant + ms
      for (let due = nextDue(end); due !== undefined; due = nextDue(end)) {
        timers.delete(due)
        instant = Math.max(instant, due.at)
        due.action()
      }
      instant = end
    },
    get timers() {
      return timers.size
    },
  }
}
