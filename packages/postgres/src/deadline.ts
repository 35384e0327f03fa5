/**
 * Calls `late` when `timeout` milliseconds have passed; returns the function that ends the wait.
 *
 * A timer may fire late because this process itself was busy, with the answer already in the socket's buffer. So two turns
 * of the event loop, in which sockets are read, come between the timer and `late`: a block of our own loop is not taken
 * for a dead server.
 */
export function deadline(timeout: number, late: () => void): () => void {
  let ended = false
  const turn = (rest: number): void => {
    if (ended) return
    if (rest === 0) late()
    else setImmediate(turn, rest - 1)
  }
  const timer = setTimeout(turn, timeout, 2)
  return () => {
    ended = true
    clearTimeout(timer)
  }
}
