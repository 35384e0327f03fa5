import { errorWithCode } from '../errors.ts'

/**
 * The outcome of `work`, or `TIMEOUT` after `timeout` milliseconds. A busy event loop of this process does not count.
 */
export async function withTimeout<Value>(timeout: number, work: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const giveUp = (): void => reject(errorWithCode('TIMEOUT', `not done within ${timeout} ms`))
    // Replies that have arrived are read first: see `CommandTimeouts`.
    timer = setTimeout(() => setImmediate(() => setImmediate(giveUp)), timeout)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
