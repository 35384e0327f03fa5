import { invalidArgument } from '../../protocol/argument.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import { type Duration, milliseconds } from '../../protocol/duration.ts'
import type { Item } from '../../protocol/item.ts'
import { lifetime } from '../options/lifetime.ts'
import { checkTags } from '../options/write-options.ts'
import type { Flight } from '../state/flight.ts'
import { type LoadContext, notModified } from './load-context.ts'

const anyLife = { ttl: 0, staleFor: 0, expiresAt: undefined }

/** The argument of the loader of a flight. */
export class RunningLoad implements LoadContext {
  readonly key: string
  readonly stale: Item | undefined
  store = true
  readonly #flight: Flight
  #ttl: Duration | undefined
  #expiresAt: number | Date | undefined
  #staleFor: Duration | undefined
  #tags: readonly string[] | undefined

  constructor(key: string, stale: Item | undefined, flight: Flight) {
    this.key = key
    this.stale = stale
    this.#flight = flight
  }

  get ttl(): Duration | undefined {
    return this.#ttl
  }

  set ttl(ttl: Duration) {
    milliseconds(ttl, 'ttl', 'getOrSet')
    if (this.#expiresAt !== undefined) throw invalidArgument('ttl', ttl, 'absent where expiresAt is set', 'getOrSet')
    this.#ttl = ttl
  }

  get expiresAt(): number | Date | undefined {
    return this.#expiresAt
  }

  set expiresAt(expiresAt: number | Date) {
    lifetime({ expiresAt, ttl: this.#ttl }, anyLife, 'getOrSet')
    this.#expiresAt = expiresAt
  }

  get staleFor(): Duration | undefined {
    return this.#staleFor
  }

  set staleFor(staleFor: Duration) {
    milliseconds(staleFor, 'staleFor', 'getOrSet')
    this.#staleFor = staleFor
  }

  get tags(): readonly string[] | undefined {
    return this.#tags
  }

  set tags(tags: readonly string[]) {
    checkTags(tags, 'getOrSet')
    this.#tags = tags
    this.#flight.named = tags.map((tag) => this.#flight.namespaceRecord + tag)
  }

  get signal(): AbortSignal {
    return this.#flight.signal
  }

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
