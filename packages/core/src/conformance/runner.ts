/** What a runner hands to a running test, as far as the suite needs it: a way to say at run time that it was skipped. */
export interface RunningTest {
  skip(reason: string): unknown
}

/**
 * What the suite borrows from the test runner. `describe` and `it` of vitest, node:test, jest and mocha fit as they are.
 */
export interface Runner {
  describe(title: string, body: () => void): unknown
  it: It
}

export interface It {
  (title: string, check: (running?: RunningTest) => Promise<void>, timeout?: number): unknown
  skip(title: string, check: () => void): unknown
}
