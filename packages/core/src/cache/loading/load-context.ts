import type { Duration } from '../../protocol/duration.ts'
import type { Item } from '../../protocol/item.ts'

/** The result of a loader whose stale value is still right. */
export const notModified: unique symbol = Symbol('not modified')

/** The argument of a loader: its input, and settings for the result that the loader may change. */
export interface LoadContext {
  readonly key: string
  /** The value that is being renewed, if there is one, with its version and instants: for conditional requests. */
  readonly stale: Item | undefined
  /** Set to `false`, the result is returned but not stored. */
  store: boolean
  /** Lifetime of the result. Default: the option of the caller, else of the cache. */
  get ttl(): Duration | undefined
  set ttl(ttl: Duration)
  /** The instant until which the result is fresh, instead of `ttl`: milliseconds since 1970 or a `Date`. */
  get expiresAt(): number | Date | undefined
  set expiresAt(expiresAt: number | Date)
  get staleFor(): Duration | undefined
  set staleFor(staleFor: Duration)
  /** Tags of the result besides those that the caller declared. A result whose tag was invalidated since the load began is not stored. */
  get tags(): readonly string[] | undefined
  set tags(tags: readonly string[])
  /** Aborted when every caller that waited has left by its own signal. */
  readonly signal: AbortSignal
  /** Return this to keep the stale value for another life. Throws `INVALID_ARGUMENT` where there is none. */
  notModified(): typeof notModified
}

/**
 * Makes the value of a key. `undefined` means "not there" and is not stored; `null` is a value. A loader whose `Value` includes
 * `undefined` makes the result of `getOrSet` include it.
 */
export type Loader<Value> = (context: LoadContext) => Promise<Value | typeof notModified> | Value | typeof notModified
