/** A timer that is so much late, in milliseconds, shows that our own event loop was blocked. */
export const lagOfBlock = 20

/**
 * Calls `late` when `timeout` milliseconds have passed; returns the function that ends the wait.
 *
 * A timer may fire late because this process itself was busy, with the answer already in the socket's buffer. So the time
 * of the block is given back, and two turns of the event loop, in which sockets are read, come between the timer and
 * `late`: a block of our own loop is not taken for a dead server.
 */
export function deadline(timeout: number, late: () => void): () => void {
  let ended = false
  let timer: NodeJS.Timeout | undefined
  const turn = (rest: number): void => {
    if (ended) return
    if (rest === 0) late()
    else setImmediate(turn, rest - 1)
  }
  const wait = (ms: number): void => {
    const due = performance.now() + ms
    timer = setTimeout(() => {
      const lag = performance.now() - due
      if (lag > lagOfBlock) wait(Math.min(lag, timeout))
      else turn(2)
    }, ms)
  }
  wait(timeout)
  return () => {
    ended = true
    clearTimeout(timer)
  }
}
