import type { Measurement } from './suite.ts'

/** The rows that one candidate's process measures. */
export interface Order {
  readonly suite: string
  /** A module that exports `suite`, for tests of the harness; else the name is looked up in `suites`. */
  readonly module?: string
  readonly candidate: string
  readonly rows: readonly string[]
  readonly quick: boolean
  readonly args: readonly string[]
  readonly shared: unknown
}

/** The result of one row. */
export type Report =
  | { readonly row: string; readonly measurement: Measurement }
  | { readonly row: string; readonly failure: string }
