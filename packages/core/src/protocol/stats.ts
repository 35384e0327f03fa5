/**
 * What a cache did since it was made, and what its backend holds. Counters never go down.
 *
 * - `hits`, `misses`: each key asked for by `get`, `getMany`, `getOrSet`, `getOrSetMany` or `take` moves exactly one of them.
 *   A stale value that is served counts as a hit; an item whose tag was invalidated, that expired, or that could not be read
 *   counts as a miss. Of duplicates `getMany` counts each, `getOrSetMany` one. A call that is refused, or that its own signal or
 *   a failing backend ends before it is known what is stored, moves neither; nor do `has`, `item`, `ttl` and `keys`.
 * - `sets`: each item that was stored, by whatever means: `set`, `setMany`, `add`, `replace`, `update`, `compareAndSet`, a
 *   load's result. `increment`, `touch`, an item without a life (`ttl` 0) and one that the backend refused do not count.
 * - `deletes`: each live value that `delete`, `deleteMany` or `take` removed. `clear` and `deleteByTag` do not count items.
 * - `loads`: each key for which a loader ran, once the loader has ended; `loadFailures` those for which it threw. A load that
 *   outlasts its timeout counts when it ends.
 * - `errors`: each failure of the backend, whether the caller saw it or it was degraded to a miss.
 * - `evictions`, `expired`, `items`, `size`: from the backend; 0 where it cannot tell.
 */
export interface Stats {
  readonly hits: number
  readonly misses: number
  readonly sets: number
  readonly deletes: number
  readonly loads: number
  readonly loadFailures: number
  readonly errors: number
  readonly evictions: number
  readonly expired: number
  /** Live items in the backend. */
  readonly items: number
  /** Bytes in the backend. */
  readonly size: number
  /** `hits / (hits + misses)`, between 0 and 1; 0 before the first. */
  readonly hitRate: number
  /** Milliseconds, mean over all loads; 0 before the first. */
  readonly averageLoadTime: number
  /** Milliseconds, mean over a sample of `get`s (about one in 64, the first included); 0 before the first. */
  readonly averageGetTime: number
}
