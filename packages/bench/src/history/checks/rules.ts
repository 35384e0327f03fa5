import { millisecond, type Stall } from '../record/call.ts'

/** The promises of a store that differ between stores. */
export interface Promises {
  /** Whether items may disappear at any moment, because a limit evicts them. */
  readonly evicts: boolean
  /**
   * Milliseconds for which another process may serve a value after its change: the lifetime of near copies or of
   * remembered tags, and the longest call that fetches them. 0 without near copies.
   */
  readonly staleness: number
}

/** The promises together with the conditions of one run. */
export interface Rules {
  readonly evicts: boolean
  /** Nanoseconds, for a call of `process` that began at `at`; longer while the process could not run. */
  stalenessOf(process: string, at: number): number
}

/** A stall delays the timers that end near copies. Older stalls than this have no effect on a call. */
const memory = 5000 * millisecond

export function rulesOf({ evicts, staleness }: Promises, stalls: readonly Stall[]): Rules {
  if (staleness === 0) return { evicts, stalenessOf: () => 0 }
  return {
    evicts,
    stalenessOf: (process, at) => {
      let sum = staleness * millisecond
      for (const stall of stalls) {
        if (stall.process === process && stall.end > at - memory && stall.end - stall.length < at + memory)
          sum += stall.length
      }
      return sum
    },
  }
}
