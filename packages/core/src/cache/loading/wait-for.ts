import type { Clock } from '../../protocol/clock.ts'
import { aborted } from '../options/aborted.ts'
import type { Flight } from '../state/flight.ts'

/** The outcome of a wait whose time is over. */
export const timedOut: unique symbol = Symbol('timed out')

/** The limits of one caller's wait, and the reaction to an abort of the last caller. */
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
    // The wait ends with an answer, so it keeps the process alive: nothing else may.
    const stopTimer = clock.after(ms, onTimeout, true)
    signal?.addEventListener('abort', onAbort)
    work.then(
      (value) => leave(() => resolve(value)),
      (error) => leave(() => reject(error)),
    )
    // An abort before the listener was added causes no event.
    if (signal?.aborted === true) onAbort()
    function leave(settle: () => void): void {
      if (left) return
      left = true
      flight.waiting -= 1
      stopTimer()
      signal?.removeEventListener('abort', onAbort)
      settle()
    }
    /** Runs even after the caller timed out: the next caller can use the result, so the load goes on without callers (RACES R22). */
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
