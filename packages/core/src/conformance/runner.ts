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
}

export interface It {
  (title: string, check: (running?: RunningTest) => Promise<void>, timeout?: number): unknown
  skip(title: string, check: () => void): unknown
}
