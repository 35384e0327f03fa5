import { CacheError } from '../../protocol/cache-error.ts'
import { type Duration, milliseconds } from '../../protocol/duration.ts'
import type { Item } from '../../protocol/item.ts'
import { checkTags } from '../options/write-options.ts'
import type { Flight } from '../state/flight.ts'

/** The result of a loader whose stale value is still right. */
export const notModified: unique symbol = Symbol('not modified')

/** The argument of a loader: its input, and settings for the result that the loader may change. */
export class LoadContext {
  readonly key: string
  /** The value that is being renewed, if there is one, with its version and instants: for conditional requests. */
  readonly stale: Item | undefined
  /** Set to `false`, the result is returned but not stored. */
  store = true
  readonly #flight: Flight
  #ttl: Duration | undefined
  #staleFor: Duration | undefined
  #tags: readonly string[] | undefined

  constructor(key: string, stale: Item | undefined, flight: Flight) {
    this.key = key
    this.stale = stale
    this.#flight = flight
  }

  /** Lifetime of the result. Default: the option of the caller, else of the cache. */
  get ttl(): Duration | undefined {
    return this.#ttl
  }

  set ttl(ttl: Duration) {
    milliseconds(ttl, 'ttl', 'getOrSet')
    this.#ttl = ttl
  }

  get staleFor(): Duration | undefined {
    return this.#staleFor
  }

  set staleFor(staleFor: Duration) {
    milliseconds(staleFor, 'staleFor', 'getOrSet')
    this.#staleFor = staleFor
  }

  /** Tags of the result besides those that the caller declared. A result whose tag was invalidated since the load began is not stored. */
  get tags(): readonly string[] | undefined {
    return this.#tags
  }

  set tags(tags: readonly string[]) {
    checkTags(tags, 'getOrSet')
    this.#tags = tags
    this.#flight.named = tags.map((tag) => this.#flight.namespaceRecord + tag)
  }

  /** Aborted when every caller that waited has left by its own signal. */
  get signal(): AbortSignal {
    return this.#flight.signal
  }

  /** Return this to keep the stale value for another life. Throws `INVALID_ARGUMENT` where there is none. */
  notModified(): typeof notModified {
    if (this.stale === undefined) {
      throw new CacheError(
        'INVALID_ARGUMENT',
        `getOrSet: notModified() for '${this.key}', of which no stale value exists`,
        {
          operation: 'getOrSet',
          key: this.key,
        },
      )
    }
    return notModified
  }
}

/**
 * Makes the value of a key. `undefined` means "not there" and is not stored; `null` is a value. A loader whose `Value` includes
 * `undefined` makes the result of `getOrSet` include it.
 */
export type Loader<Value> = (context: LoadContext) => Promise<Value | typeof notModified> | Value | typeof notModified
