import type { Duration } from '@cache/core/backend'
import { assertCached, assertTagged, assertTtl, type ReadableCache } from './assertions.ts'

/** What a matcher of vitest or jest resolves to. */
export interface MatcherResult {
  readonly pass: boolean
  readonly message: () => string
}

async function result(assertion: Promise<unknown>, inverse: string): Promise<MatcherResult> {
  try {
    await assertion
    return { pass: true, message: () => inverse }
  } catch (error) {
    // An error of the store is no answer to the question.
    if ((error as { readonly code?: unknown }).code !== 'ERR_ASSERTION') throw error
    return { pass: false, message: () => (error as Error).message }
  }
}

/** Matchers for `expect.extend(cacheMatchers)` of vitest and jest. All are asynchronous: `await expect(cache).toHaveCached('key')`. */
export const cacheMatchers: {
  toHaveCached(cache: ReadableCache, key: string, ...value: [expected?: unknown]): Promise<MatcherResult>
  toHaveTags(cache: ReadableCache, key: string, ...tags: readonly string[]): Promise<MatcherResult>
  toHaveTtl(cache: ReadableCache, key: string, least: Duration, most?: Duration): Promise<MatcherResult>
} = {
  toHaveCached: (cache, key, ...value) =>
    result(assertCached(cache, key, ...value), `the cache has ${value.length === 0 ? 'a' : 'this'} value for '${key}'`),
  toHaveTags: (cache, key, ...tags) =>
    result(assertTagged(cache, key, ...tags), `the item of '${key}' has the tags ${tags.join(', ')}`),
  toHaveTtl: (cache, key, least, most) =>
    result(assertTtl(cache, key, least, most), `the value of '${key}' has this remaining time`),
}
