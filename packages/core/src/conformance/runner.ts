import type { Summary } from './rules/summary.ts'

/** The argument that a runner passes to a running test: the suite uses it to skip the test while it runs. */
export interface RunningTest {
  skip(reason: string): unknown
}

/**
 * The functions of the test runner that the suite calls. `describe` and `it` of vitest, node:test, jest and mocha fit.
 */
export interface Runner {
  describe(title: string, body: () => void): unknown
  it: It
  /** `afterAll` of vitest and jest, `after` of node:test and mocha. Needed for `summary`. */
  after?(action: () => void): unknown
  /** Receives the summary after the last rule. A rule that the runner did not run, because of a filter, is absent. */
  summary?(summary: Summary): void
}

export interface It {
  (title: string, check: (running?: RunningTest) => Promise<void>, timeout?: number): unknown
  skip(title: string, check: () => void): unknown
}
