import type { Address, StoreName } from './stores.ts'

/** What one process of a run does. */
export interface WorkerOrder {
  /** The name of the process in the history. */
  readonly process: string
  readonly store: StoreName
  readonly address: Address
  readonly seed: number
  /** Milliseconds by which the clock of the process is ahead. */
  readonly skew: number
  /** `process.hrtime.bigint()` at the start of the run. */
  readonly origin: string
  /** The path of the log. */
  readonly log: string
  /** The number of callers; 0: the process reads every key of all rounds once. */
  readonly clients: number
}

/** The time of the calls, in nanoseconds after the start of the run. A process waits for it once it is ready. */
export interface Period {
  readonly begin: number
  readonly end: number
}
