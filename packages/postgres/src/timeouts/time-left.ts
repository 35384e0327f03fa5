import { timeoutError } from '../errors.ts'
import { loopClock } from './event-loop-clock.ts'

/** For a call of several statements: gives the milliseconds that are left of its time, and throws `TIMEOUT` when none are. */
export function timeLeft(operation: string, timeout: number): () => number {
  const end = loopClock.now() + timeout
  return () => {
    const left = end - loopClock.now()
    if (left <= 0) throw timeoutError(operation, timeout)
    return left
  }
}
