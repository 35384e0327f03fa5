/** A source of the current instant. A test injects a clock and moves it, instead of waiting. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /**
   * Calls `action` once after `ms` milliseconds; returns the function that cancels it. The timer keeps the process alive only
   * with `keepAlive`. Absent: the machine's timers.
   */
  after?(ms: number, action: () => void, keepAlive?: boolean): () => void
}

/** The longest delay that `setTimeout` takes; longer ones fire at once. */
const longestDelay = 2 ** 31 - 1

function after(ms: number, action: () => void, keepAlive = false): () => void {
  if (ms === Infinity) return () => {}
  let cancel = wait(ms)
  function wait(left: number): () => void {
    // That of the same timers: a test may fake the timers before it is called.
    const clear = clearTimeout
    const timer = setTimeout(fire, Math.min(left, longestDelay), left - longestDelay)
    if (!keepAlive) unref(timer)
    return () => clear(timer)
  }
  function fire(left: number): void {
    if (left <= 0) action()
    else cancel = wait(left)
  }
  return () => cancel()
}

/** Browsers and edge runtimes have numbers for timers, which keep nothing alive. */
function unref(timer: ReturnType<typeof setTimeout>): void {
  if (typeof timer === 'object') timer.unref()
}

/** The machine's wall clock and timers. */
export const systemClock: Required<Clock> = { now: () => Date.now(), after }
