/** The interface of a suite. A new suite needs a line in `suites.ts` and no change of the harness. */

/** The part of the command line that suites and candidates get. */
export interface SuiteContext {
  /** Fewer operations and processes, for a first look; the figures are noisier. */
  readonly quick: boolean
  /** The arguments after the name of the suite. */
  readonly args: readonly string[]
}

/** One line of the table for each candidate. */
export interface Row {
  readonly name: string
  /** Such as `ns/op`, `op/s`, `bytes`, `%`. */
  readonly unit: string
  readonly better: 'lower' | 'higher'
  /**
   * Proves that the row did its work: the figure that every candidate has to report as `work`, or a function that
   * returns what is wrong with it. A candidate that reports anything else fails the run.
   */
  readonly work: number | ((work: number, candidate: string) => string | undefined)
  /** The candidate that this row's ratios refer to. Default: the suite's. */
  readonly baseline?: string
}

export interface Measurement {
  readonly value: number
  /** A counter or checksum of the work done: hits, the sum of the values read, bytes written. */
  readonly work: number
}

export interface CandidateContext extends SuiteContext {
  /** The `shared` value of the suite's `open`, after a round trip through JSON. */
  readonly shared: unknown
}

export interface Candidate {
  readonly name: string
  /** The npm packages that it measures; their versions are printed. */
  readonly packages?: readonly string[]
  /** The rows that it takes part in. Default: all. */
  readonly rows?: readonly string[]
  /** Runs in its own process. Imports the measured package inside, so that no other process loads it. */
  measure(row: string, context: CandidateContext): Measurement | Promise<Measurement>
}

/** A resource that a suite starts once for all its processes, such as a server. */
export interface Opened {
  /** Handed to every candidate. Must survive JSON. */
  readonly shared?: unknown
  close?(): Promise<void>
}

export interface Suite {
  readonly name: string
  /** One sentence: the measurement and its method. */
  readonly says: string
  /** The candidate that ratios refer to. */
  readonly baseline: string
  readonly rows: readonly Row[] | ((context: SuiteContext) => readonly Row[] | Promise<readonly Row[]>)
  readonly candidates: readonly Candidate[] | ((context: SuiteContext) => readonly Candidate[])
  /** Processes for each candidate and row. Default 5, with `--quick` 3. A suite whose figures cannot vary takes 1. */
  readonly repetitions?: number
  /** `'row'` (the default) starts a process for each row; `'candidate'` runs all rows of a candidate in one. */
  readonly processPer?: 'row' | 'candidate'
  /** Flags of Node for the candidates' processes, such as `--expose-gc`. */
  readonly execArgv?: readonly string[]
  /** Milliseconds after which a candidate's process is ended and its rows have failed. Default ten minutes. */
  readonly timeLimit?: number
  /** Whether it takes arguments after its name. Default: none, and they are refused. */
  readonly arguments?: string
  open?(context: SuiteContext): Promise<Opened>
  /** Lines under the table, such as goals and whether they were met. */
  conclude?(rows: readonly ResultRow[]): readonly string[]
}

/** One figure: the median over processes. */
export interface ResultRow {
  readonly suite: string
  readonly row: string
  readonly candidate: string
  readonly unit: string
  readonly value: number
  /** Largest minus smallest of the processes' figures, as a share of the median. */
  readonly spread: number
  /** The candidate that the ratio refers to. */
  readonly baseline: string
  /** `value` divided by the baseline's value in the same run. */
  readonly ratio: number
}
