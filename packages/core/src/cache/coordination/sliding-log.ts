import type { Item } from '../../protocol/item.ts'
import type { RateLimitResult } from '../options/rate-limit-options.ts'
import type { Limit } from '../state/backend-state.ts'

/** The instants of the allowed calls that are within the window, oldest first. */
type Log = readonly number[]

/**
 * A sliding window log: the instant of every allowed call within the window. Exact: no window of that length ever holds more than
 * the limit, by clocks that agree. An instant is never before an earlier one of the log: a clock that lags behind continues at the
 * instant of the last call, so it cannot free places that are taken (RACES R16).
 *
 * Returns the results of calls that come one after the other, and the record after them; `counted` is `undefined` where it stays.
 */
export function takeFromLog(
  before: Item | undefined,
  calls: readonly Limit[],
  now: number,
): { results: RateLimitResult[]; counted: Log | undefined; expiresAt: number } {
  const window = calls[0]?.window ?? 0
  const stored = Array.isArray(before?.value) ? (before.value as number[]) : []
  const at = Math.max(now, stored.at(-1) ?? now)
  const log = stored.filter((instant) => instant + window > at)
  // The record runs out a window after its last change, by the store's clock, also if its instants are from a clock ahead.
  const latest = now + window
  let allowed = false
  const results = calls.map(({ limit }): RateLimitResult => {
    const isAllowed = log.length < limit
    if (isAllowed) log.push(at)
    allowed ||= isAllowed
    const remaining = Math.max(0, limit - log.length)
    return { allowed: isAllowed, remaining, resetAt: remaining > 0 ? now : freeAt(log, limit, window, latest) }
  })
  // A refused call changes nothing, except a record to which a clock ahead of this one gave a longer life.
  const tooLong = before?.expiresAt !== undefined && before.expiresAt > latest
  return { results, counted: allowed || tooLong ? log : undefined, expiresAt: latest }
}

/** The instant from which on one more call fits: the oldest of the last `limit` calls has left the window by then. */
function freeAt(log: Log, limit: number, window: number, latest: number): number {
  return Math.min((log[log.length - limit] ?? 0) + window, latest)
}
