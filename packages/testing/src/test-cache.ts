import { Cache, type CacheOptions } from '@cache/core'
import { createTestClock, type TestClock } from './test-clock.ts'
import { TestStore, type TestStoreOptions } from './test-store.ts'

/** Options of `Cache` and of its store. */
export interface TestCacheOptions<Value = unknown>
  extends Omit<CacheOptions<Value>, 'backend' | 'clock'>,
    Omit<TestStoreOptions, 'clock'> {
  /** The instant at which the clock begins, in milliseconds since 1970. Default: 2030-01-01, midnight UTC. */
  readonly start?: number | undefined
}

export interface TestCache<Value = unknown> {
  /** The cache for the code under test. */
  readonly cache: Cache<Value>
  readonly clock: TestClock
  readonly store: TestStore
  /** Resolves when no load runs any more that goes on without its caller, such as a refresh in the background. */
  settled(): Promise<void>
}

/** A cache on a `TestStore` with a clock of its own. Throws `INVALID_ARGUMENT` for options that `Cache` or `TestStore` refuses. */
export function createTestCache<Value = unknown>(options: TestCacheOptions<Value> = {}): TestCache<Value> {
  const { start, codec, maxEntries, waitUntil, ...rest } = options
  const clock = createTestClock(start)
  const store = new TestStore({ codec, maxEntries, clock })
  const background = new Set<Promise<unknown>>()
  const cache = new Cache<Value>({
    ...rest,
    backend: store,
    clock,
    waitUntil: (work) => {
      background.add(work)
      void work.finally(() => background.delete(work))
      waitUntil?.(work)
    },
  })
  return {
    cache,
    clock,
    store,
    async settled() {
      while (background.size > 0) await Promise.all(background)
    },
  }
}
