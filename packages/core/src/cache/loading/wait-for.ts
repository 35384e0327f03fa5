import type { Clock } from '../../protocol/clock.ts'
import { aborted } from '../options/signal.ts'
import type { Flight } from '../state/flight.ts'

/** What a caller got that did not want to wait any longer. */
export const timedOut: unique symbol = Symbol('timed out')

/** How long a caller waits, and what happens when it was the last one and left by its own signal. */
export interface WaitOptions {
  readonly ms: number
  /** The name of the cache, for errors. */
  readonly cache: string
  readonly signal: AbortSignal | undefined
  readonly clock: Required<Clock>
  readonly onLastAbort: (reason: unknown) => void
}

/** Waits for a flight's work until it settles, the time is over, or the caller aborts (RACES R24). */
export function waitFor<T>(flight: Flight, work: Promise<T>, options: WaitOptions): Promise<T | typeof timedOut> {
  const { ms, signal, clock } = options
  if (ms === Infinity && signal === undefined) return counted(flight, work)
  return new Promise((resolve, reject) => {
    let left = false
    flight.waiting += 1
    const stopTimer = clock.after(ms, onTimeout)
    signal?.addEventListener('abort', onAbort)
    work.then(
      (value) => leave(() => resolve(value)),
      (error) => leave(() => reject(error)),
    )
    // Aborted between the look-up and here: no event comes any more.
    if (signal?.aborted === true) onAbort()
    function leave(settle: () => void): void {
      if (left) return
      left = true
      flight.waiting -= 1
      stopTimer()
      signal?.removeEventListener('abort', onAbort)
      settle()
    }
    /** Whoever does not wait any longer still wants the result in the cache: the load goes on without callers (RACES R22). */
    function onTimeout(): void {
      flight.background = true
      leave(() => resolve(timedOut))
    }
    function onAbort(): void {
      leave(() => reject(aborted(flight.key, signal, 'getOrSet', options.cache)))
      if (flight.waiting === 0 && !flight.background) options.onLastAbort(signal?.reason)
    }
  })
}

async function counted<T>(flight: Flight, work: Promise<T>): Promise<T> {
  flight.waiting += 1
  try {
    return await work
  } finally {
    flight.waiting -= 1
  }
}
