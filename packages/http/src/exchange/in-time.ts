import { deferred } from './deferred.ts'
import type { Settings } from './settings.ts'

/** An origin that sent no head, or no more of a body, within the time limit. */
export class OriginTimeout extends Error {
  constructor(missing: string, ms: number) {
    super(`the origin sent no ${missing} within ${ms} ms`)
    this.name = 'OriginTimeout'
  }
}

/**
 * The response of a call, or a rejection after the time limit. Without the limit a load that hangs would hold its key for all later
 * requests.
 */
export async function inTime(
  call: () => Promise<Response>,
  { timeout, clock }: Pick<Settings, 'timeout' | 'clock'>,
  url: string,
): Promise<Response> {
  const late = deferred<never>()
  const cancel = clock.after(timeout, () => late.reject(new OriginTimeout(`response for ${url}`, timeout)))
  const calling = call()
  try {
    return await Promise.race([calling, late.promise])
  } catch (error) {
    // The response that comes too late keeps a connection until its body is cancelled.
    calling.then((response) => response.body?.cancel()).catch(() => {})
    throw error
  } finally {
    cancel()
  }
}
