import { sqlState } from '../errors.ts'
import { eventLoopClock } from '../timeouts/event-loop-clock.ts'
import type { ResultRow, Run } from './session.ts'

/** The longest delays before the first attempts, in milliseconds; each further attempt has the last one. */
const longestDelays = [0, 2, 4, 8, 16, 32] as const

/**
 * Sends a statement again while its time lasts, when the server rolled it back because of a concurrent write: a
 * serialization failure, which isolation levels above READ COMMITTED report, or a deadlock. The server has undone the
 * statement, so no write takes effect twice.
 *
 * Only for statements that are transactions of their own. In a transaction of the application the whole transaction must
 * be repeated.
 */
export function retryConflicts(run: Run): Run {
  return (statement, values, method, timeout, mayWait) => {
    const end = eventLoopClock.now() + timeout
    return run(statement, values, method, timeout, mayWait).catch((error: unknown) => {
      if (!isConflict(error)) throw error
      return sendAgain((left) => run(statement, values, method, left, mayWait), error, end)
    })
  }
}

/** Rejects with the last conflict when the time is over. */
async function sendAgain(
  send: (timeout: number) => Promise<ResultRow[]>,
  first: unknown,
  end: number,
): Promise<ResultRow[]> {
  let conflict = first
  for (let attempt = 0; ; attempt += 1) {
    const longest = longestDelays[attempt] ?? longestDelays[longestDelays.length - 1] ?? 0
    // A random delay, so that two statements do not meet again and again.
    await delay(Math.min(Math.random() * longest, Math.max(0, end - eventLoopClock.now())))
    const left = end - eventLoopClock.now()
    if (left <= 0) throw conflict
    try {
      return await send(left)
    } catch (error) {
      // On a client of the application: the conflict has ended the application's transaction.
      if (stateOf(error) === failedTransaction) throw conflict
      if (!isConflict(error)) throw error
      conflict = error
    }
  }
}

/** The timer keeps the process alive: between two attempts no socket does. */
function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

const failedTransaction = '25P02'

function isConflict(error: unknown): boolean {
  const state = stateOf(error)
  return state === '40001' || state === '40P01'
}

/** The SQLSTATE of the error of `pg` inside a `CacheError`. */
function stateOf(error: unknown): string | undefined {
  return sqlState((error as Error).cause)
}
