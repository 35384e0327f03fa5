/** Test doubles and assertions for applications that use `@cache/core`. */
export { assertCached, assertLoads, assertNotCached, assertTagged, assertTtl } from './assertions.ts'
export { cacheMatchers, type MatcherResult } from './cache-matchers.ts'
export type { Fault, FaultOptions, StoreCall, StoreMethod } from './fault.ts'
export { createTestCache, type TestCache, type TestCacheOptions } from './test-cache.ts'
export { createTestClock, type TestClock } from './test-clock.ts'
export { TestStore, type TestStoreOptions } from './test-store.ts'
