import { AssertionError } from 'node:assert'
import { isDeepStrictEqual } from 'node:util'
import type { CacheLike, Stats } from '@cache/core'
import { type Duration, milliseconds } from '@cache/core/backend'
import { inspectValue } from './inspect-value.ts'

/** The members of a cache that assertions call. */
export type ReadableCache = Pick<CacheLike, 'get' | 'item' | 'ttl'>

/**
 * Asserts that the cache has a fresh value for the key, and with a third argument that it is this value. Resolves to the value; rejects
 * with an `AssertionError` that says what the cache has.
 */
export async function assertCached(
  cache: ReadableCache,
  key: string,
  ...expected: [value?: unknown]
): Promise<unknown> {
  const value = await cache.get(key)
  if (value === undefined) throw await missing(cache, key, expected[0])
  if (expected.length > 0 && !isDeepStrictEqual(value, expected[0])) {
    throw failed(`the cache has another value for '${key}'`, value, expected[0], assertCached)
  }
  return value
}

/** Asserts that the cache has no fresh value for the key. A stale value counts as none. */
export async function assertNotCached(cache: ReadableCache, key: string): Promise<void> {
  const value = await cache.get(key)
  if (value !== undefined) throw failed(`the cache has a value for '${key}'`, value, undefined, assertNotCached)
}

/** Asserts that the stored item of the key has all of these tags. */
export async function assertTagged(cache: ReadableCache, key: string, ...tags: readonly string[]): Promise<void> {
  const item = await cache.item(key)
  if (item === undefined) throw await missing(cache, key, undefined)
  const found = Object.keys(item.tags ?? {}).sort()
  const lacking = tags.filter((tag) => !found.includes(tag))
  if (lacking.length > 0) {
    throw failed(`the item of '${key}' lacks the tags ${lacking.join(', ')}`, found, [...tags].sort(), assertTagged)
  }
}

/** Asserts that the value of the key stays fresh for this time: between `least` and `most`. `most` defaults to `least`. */
export async function assertTtl(
  cache: ReadableCache,
  key: string,
  least: Duration,
  most: Duration = least,
): Promise<void> {
  const [from, to] = [milliseconds(least, 'least', 'assertTtl'), milliseconds(most, 'most', 'assertTtl')]
  const left = await cache.ttl(key)
  if (left === undefined) throw await missing(cache, key, undefined)
  if (left >= from && left <= to) return
  const range = from === to ? `${from} ms` : `${from} to ${to} ms`
  throw failed(`the value of '${key}' is fresh for ${left} ms, not for ${range}`, left, from, assertTtl)
}

/**
 * Runs the work and asserts the number of loads that the cache began meanwhile. Resolves to the result of the work. Concurrent work on
 * the same cache counts too.
 */
export async function assertLoads<Result>(
  cache: { stats(): Promise<Pick<Stats, 'loads'>> },
  expected: number,
  work: () => Promise<Result> | Result,
): Promise<Result> {
  const { loads: before } = await cache.stats()
  const result = await work()
  const loads = (await cache.stats()).loads - before
  if (loads !== expected) throw failed(`the work caused ${loads} loads, not ${expected}`, loads, expected, assertLoads)
  return result
}

/** The error for a key without a fresh value: says whether there is a stale one. */
async function missing(cache: ReadableCache, key: string, expected: unknown): Promise<AssertionError> {
  const stale = await cache.item(key)
  const found = stale === undefined ? 'nothing' : `only a stale value: ${inspectValue(stale.value)}`
  return failed(`the cache has ${found} for '${key}'`, undefined, expected, assertCached)
}

function failed(
  message: string,
  actual: unknown,
  expected: unknown,
  stackStartFn: (...given: never[]) => unknown,
): AssertionError {
  return new AssertionError({
    message,
    actual,
    expected,
    operator: 'cache',
    stackStartFn: stackStartFn as () => unknown,
  })
}
