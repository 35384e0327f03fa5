import { errorWithCode } from '../errors.ts'

/** The outcome of `work`, or `TIMEOUT` when there is none after `timeout` ms; a busy event loop of our own is allowed for. */
export async function withTimeout<Value>(timeout: number, work: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const expire = (): void => reject(errorWithCode('TIMEOUT', `not done within ${timeout} ms`))
    // What was read meanwhile comes first: see `CommandTimeouts`.
    timer = setTimeout(() => setImmediate(() => setImmediate(expire)), timeout)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
