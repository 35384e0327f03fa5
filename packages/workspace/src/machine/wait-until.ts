export interface WaitOptions {
  /** Milliseconds after which the wait fails. Default 10,000. */
  readonly timeout?: number
  /** Milliseconds between two checks. Default 10. */
  readonly every?: number
}

/**
 * Resolves to the first truthy result of `condition`. A condition that throws counts as not yet fulfilled. At the
 * time limit the wait rejects with `what` in its message and the last error as its cause.
 */
export async function waitUntil<T>(
  what: string,
  condition: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<NonNullable<T>> {
  const timeout = options.timeout ?? 10_000
  const start = performance.now()
  let cause: unknown
  for (;;) {
    try {
      const result = await condition()
      if (result) return result as NonNullable<T>
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() - start >= timeout) throw new Error(`not within ${timeout} ms: ${what}`, { cause })
    await new Promise((resolve) => setTimeout(resolve, options.every ?? 10))
  }
}
