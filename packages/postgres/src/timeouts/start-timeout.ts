/** A timer that is this many milliseconds late shows that our own event loop was blocked. */
export const blockedAfter = 20

/**
 * Calls `onTimeout` when `timeout` milliseconds have passed; returns the function that stops the timer.
 *
 * A timer may fire late because this process itself was busy while the reply was already in the socket's buffer. So the
 * time of the block is added again, and two turns of the event loop, which read sockets, come between the timer and
 * `onTimeout`. A block of our own loop is then never taken for a dead server.
 */
export function startTimeout(timeout: number, onTimeout: () => void): () => void {
  let hasEnded = false
  let timer: NodeJS.Timeout | undefined
  const afterTicks = (rest: number): void => {
    if (hasEnded) return
    if (rest === 0) onTimeout()
    else setImmediate(afterTicks, rest - 1)
  }
  const wait = (ms: number): void => {
    const due = performance.now() + ms
    timer = setTimeout(() => {
      const lag = performance.now() - due
      if (lag > blockedAfter) wait(Math.min(lag, timeout))
      else afterTicks(2)
    }, ms)
  }
  wait(timeout)
  return () => {
    hasEnded = true
    clearTimeout(timer)
  }
}
