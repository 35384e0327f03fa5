import { type Clock, type Duration, milliseconds } from '@cache/core/backend'
import { createMovableClock } from '@cache/core/conformance'

/** A clock that moves only when a test moves it. Its timers run in `advance`, in order, each at its instant. */
export interface TestClock extends Required<Clock> {
  /** Moves the clock forward, such as `clock.advance('5m')`. Throws `INVALID_ARGUMENT` for a bad duration. */
  advance(duration: Duration): void
  /** The number of timers that have not run yet. */
  readonly timers: number
}

/** Returns a clock that begins at `start`, in milliseconds since 1970. Default: 2030-01-01, midnight UTC. */
export function createTestClock(start?: number): TestClock {
  const clock = createMovableClock(start)
  return {
    now: () => clock.now(),
    after: (ms, action, keepAlive) => clock.after(ms, action, keepAlive),
    advance: (duration) => clock.advance(milliseconds(duration, 'duration', 'advance')),
    get timers() {
      return clock.timers
    },
  }
}
