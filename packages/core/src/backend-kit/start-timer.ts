import { type Clock, systemClock } from '../protocol/clock.ts'

/**
 * Calls `action` once after `ms`, by the timers of the clock, or by those of the machine where the clock has none. The
 * result is the function that cancels it. The timer does not keep the process alive.
 */
export function startTimer(clock: Clock, ms: number, action: () => void): () => void {
  return clock.after === undefined ? systemClock.after(ms, action) : clock.after(ms, action)
}
