import type { Item } from '../../protocol/item.ts'
import type { RateLimitResult } from '../options/rate-limit-options.ts'
import type { Limit } from '../state/backend-state.ts'

/** What the record holds: when the current window began, the calls allowed in it and in the one before. */
type Window = readonly [start: number, current: number, previous: number]

/**
 * A sliding window counter: the calls allowed in the current fixed window and, by the share of it that still overlaps, in the one
 * before (Cloudflare, "How we built rate limiting capable of scaling to millions of domains", 2017). The record has three numbers. In
 * the worst case just under twice the limit passes within one window, where all calls of the earlier window came at its end.
 *
 * Returns the results of calls that come one after the other, and the record after them; `counted` is `undefined` where it stays.
 */
export function takeFromCounter(
  before: Item | undefined,
  calls: readonly Limit[],
  now: number,
): { results: RateLimitResult[]; counted: Window | undefined; expiresAt: number } {
  const window = calls[0]?.window ?? 0
  // After two windows every call counted now has left the window, by any clock.
  const gone = now + 2 * window
  let counted = roll(before?.value as Window | undefined, window, now)
  const freeAt = (limit: number): number => Math.min(nextFree(counted, limit, window), gone)
  let allowed = false
  const results = calls.map(({ limit }): RateLimitResult => {
    if (free(counted, limit, window, now) < 1) return { allowed: false, remaining: 0, resetAt: freeAt(limit) }
    counted = [counted[0], counted[1] + 1, counted[2]]
    allowed = true
    const remaining = free(counted, limit, window, now)
    return { allowed: true, remaining, resetAt: remaining > 0 ? now : freeAt(limit) }
  })
  // A refused call changes nothing, except a record to which a clock ahead of this one gave a longer life.
  const tooLong = before?.expiresAt !== undefined && before.expiresAt > gone
  return {
    results,
    counted: allowed || tooLong ? counted : undefined,
    expiresAt: Math.min(counted[0] + 2 * window, gone),
  }
}

/** The record moved on to the window that holds `now`. A clock that lags behind the record's stays in the record's window (R16). */
function roll(counted: Window | undefined, window: number, now: number): Window {
  const start = now - (now % window)
  if (counted === undefined || start >= counted[0] + 2 * window) return [start, 0, 0]
  return start >= counted[0] + window ? [start, 0, counted[1]] : counted
}

/** Calls that fit right now, a whole number of 0 or more: those of the window before count by the share that still overlaps. */
function free([start, current, previous]: Window, limit: number, window: number, now: number): number {
  const over = Math.min(window, Math.max(0, now - start))
  return Math.max(0, limit - current - Math.ceil((previous * (window - over)) / window))
}

/** The first instant at which one more call fits, if no other call comes before. */
function nextFree([start, current, previous]: Window, limit: number, window: number): number {
  const room = limit - current - 1
  if (room >= 0) return start + untilWeighs(previous, room, window)
  return start + window + untilWeighs(current, limit - 1, window)
}

/** Milliseconds of a window after which `calls` of the window before weigh no more than `room`. */
function untilWeighs(calls: number, room: number, window: number): number {
  return calls <= room ? 0 : Math.ceil(window - (room * window) / calls)
}
