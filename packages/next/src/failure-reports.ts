/** Reports failures of the store, which Next never sees. */
export class FailureReports {
  readonly #onError: ((error: unknown, operation: string) => void) | undefined
  readonly #reported = new Set<string>()

  constructor(onError: ((error: unknown, operation: string) => void) | undefined) {
    this.#onError = onError
  }

  /** Never throws: a failure must not fail a render. */
  report(error: unknown, operation: string): void {
    if (this.#onError !== undefined) {
      try {
        this.#onError(error, operation)
      } catch (thrown) {
        this.#warn(thrown, 'onError')
      }
      return
    }
    this.#warn(error, operation)
  }

  #warn(error: unknown, operation: string): void {
    if (this.#reported.has(operation)) return
    this.#reported.add(operation)
    const reason = error instanceof Error ? error.message : String(error)
    process.emitWarning(
      `The cache of Next failed in ${operation}: ${reason}. Next goes on without it. Further failures of this kind are not shown; ` +
        'pass onError to nextCacheHandler to get all',
      { type: 'CacheWarning', code: 'NEXT_CACHE_FAILED' },
    )
  }
}
