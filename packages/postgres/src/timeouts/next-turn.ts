/**
 * Resolves in the next turn of the event loop. A loop of statements waits for it between two rounds: replies that arrive
 * without a turn in between would keep all timers from firing, and the loop would never run out of time.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
