import type { MovableClock } from './harness.ts'

/** A clock for tests: stands at `start` (default 2030-01-01) and moves only when it is told to. */
export function createMovableClock(start: number = Date.UTC(2030, 0, 1)): MovableClock {
  let instant = start
  return {
    now: () => instant,
    advance: (ms) => {
      instant += ms
    },
  }
}
