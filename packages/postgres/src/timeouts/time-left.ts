import { timeoutError } from '../errors.ts'
import { eventLoopClock } from './event-loop-clock.ts'

/**
 * For a call of several statements: a function that returns the milliseconds left of its time, and throws `TIMEOUT`
 * when none are.
 */
export function timeLeft(method: string, timeout: number): () => number {
  const end = eventLoopClock.now() + timeout
  return () => {
    const left = end - eventLoopClock.now()
    if (left <= 0) throw timeoutError(method, timeout)
    return left
  }
}
