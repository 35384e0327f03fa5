import { Flight } from './flights.ts'
import { isFresh, lifetime } from './lifetime.ts'
import { answer, type Operation } from './operation.ts'
import type { Found, Scope } from './scope.ts'
import type { WriteOptions } from './write-options.ts'

/**
 * `getOrSet` where nothing waits. Only the loader itself can change the key meanwhile; then its result is returned and not
 * stored (RACES R1, R4, R5).
 */
export function* loadSync(
  scope: Scope,
  key: string,
  loader: () => unknown,
  options: WriteOptions | undefined,
): Operation<unknown> {
  scope.assertOpen('getOrSet')
  const stored = scope.stored(key, 'getOrSet')
  const { context } = scope
  const found = yield* scope.lookupOrMiss(stored, 'getOrSet', context.settings.load.readFailure)
  const item = found.usable
  if (item !== undefined && isFresh(item, context.now())) {
    scope.countHit(key, false)
    return item.value
  }
  if (item !== undefined && context.pauses.paused(stored, context.now())) return staleValue(scope, key, item.value)
  const tags = yield* scope.capture(options?.tags, 'getOrSet')
  const flight = new Flight(stored, Object.keys(tags ?? {}), context.now())
  // A load of a Cache on the same backend may be under way; this one is newer, and its result is fenced off.
  context.share.flights.fence(stored)
  context.share.flights.add(flight)
  let value: unknown
  try {
    value = loader()
  } catch (error) {
    if (!failed(scope, key, stored, found, error, flight.startedAt)) throw error
    return staleValue(scope, key, item?.value)
  } finally {
    context.share.flights.end(flight)
  }
  scope.countMiss(key)
  yield* store(scope, key, value, flight, tags, options)
  return value
}

function* store(
  scope: Scope,
  key: string,
  value: unknown,
  flight: Flight,
  tags: Readonly<Record<string, string>> | undefined,
  options: WriteOptions | undefined,
): Operation<void> {
  const { context } = scope
  const ms = context.now() - flight.startedAt
  context.recorder.loads += 1
  context.recorder.loadTime += ms
  context.pauses.resume(flight.key)
  let stored = false
  if (value !== undefined && !flight.fenced) {
    const life = lifetime(options, context.settings.life, 'getOrSet')
    const { nullTtl } = context.settings.load
    const chosen = value === null && nullTtl !== undefined ? { ...life, ttl: nullTtl } : life
    try {
      yield* answer(context.store.set(scope.makeItem(flight.key, value, chosen, tags, options?.cost)))
      stored = true
      scope.countSet(key)
    } catch (error) {
      context.degraded(error, 'getOrSet', key)
    }
  }
  if (context.listeners.has('load')) scope.tell('load', { key, ms, stored })
}

/** Counts a failed load; says whether a stale value takes its place. */
function failed(scope: Scope, key: string, stored: string, found: Found, error: unknown, started: number): boolean {
  const { context } = scope
  context.recorder.loads += 1
  context.recorder.loadFailures += 1
  context.recorder.loadTime += context.now() - started
  if (context.listeners.has('loadFailed')) scope.tell('loadFailed', { key, error })
  if (found.usable === undefined) {
    scope.countMiss(key)
    return false
  }
  context.pauses.pause(stored, context.now() + context.settings.load.retryAfter)
  return true
}

function staleValue(scope: Scope, key: string, value: unknown): unknown {
  scope.countHit(key, true)
  scope.tellStale(key, 'loadFailed')
  return value
}
