import type { Item } from '../../protocol/item.ts'
import { freshUntil, isFresh } from '../options/lifetime.ts'
import { later, type Operation } from '../state/steps.ts'
import type { ReadFailure, Scope } from '../items/namespace.ts'

/** What reads items and changes none. */
export class Reads {
  readonly #scope: Scope

  constructor(scope: Scope) {
    this.#scope = scope
  }

  *get(key: string, operation: string, failure: ReadFailure, stale: boolean): Operation<unknown> {
    this.#scope.assertOpen(operation)
    const stored = this.#scope.stored(key, operation)
    const { usable } = yield* this.#scope.lookupOrMiss(stored, operation, failure)
    return this.#served(key, usable, stale)
  }

  /** `get` from a store that has to be waited for, without the detour of the operations. */
  getLater(key: string, stored: string, failure: ReadFailure): Promise<unknown> {
    const { context } = this.#scope
    const started = context.recorder.samples ? performance.now() : undefined
    context.begin()
    // One promise besides the store's own: each more is a twentieth of what a get from Redis costs.
    return later(() => context.store.get(stored)).then(
      (raw) => {
        if (raw?.tags === undefined) return this.#servedLater(key, raw?.value === undefined ? undefined : raw, started)
        return this.#scope
          .judged(raw, stored, 'get', failure)
          .then(({ usable }) => this.#servedLater(key, usable, started), endAndThrow)
      },
      (error) => {
        try {
          const { usable } = this.#scope.missed(error, stored, 'get', failure)
          return this.#servedLater(key, usable, started)
        } catch (told) {
          return endAndThrow(told)
        }
      },
    )
    function endAndThrow(error: unknown): never {
      context.end()
      throw error
    }
  }

  #servedLater(key: string, usable: Item | undefined, started: number | undefined): unknown {
    const { context } = this.#scope
    context.end()
    if (started !== undefined) context.recorder.gotSince(started)
    return this.#served(key, usable, false)
  }

  /** The value of what was found, counted as a hit or a miss. */
  #served(key: string, usable: Item | undefined, stale: boolean): unknown {
    const fresh = usable !== undefined && this.#scope.context.isFresh(usable)
    if (usable === undefined || !(fresh || stale)) {
      this.#scope.countMiss(key)
      return undefined
    }
    this.#scope.countHit(key, !fresh)
    if (!fresh) this.#scope.tellStale(key, 'asked')
    return usable.value
  }

  *has(key: string, failure: ReadFailure): Operation<boolean> {
    this.#scope.assertOpen('has')
    const { usable } = yield* this.#scope.lookupOrMiss(this.#scope.stored(key, 'has'), 'has', failure)
    return usable !== undefined && this.#scope.context.isFresh(usable)
  }

  /** The whole item under the application's key and tags, stale or fresh. */
  *item(key: string): Operation<Item | undefined> {
    this.#scope.assertOpen('item')
    const { usable } = yield* this.#scope.lookup(this.#scope.stored(key, 'item'), 'item')
    return usable === undefined ? undefined : this.#scope.published(usable, key)
  }

  *ttl(key: string): Operation<number | undefined> {
    this.#scope.assertOpen('ttl')
    const { usable } = yield* this.#scope.lookup(this.#scope.stored(key, 'ttl'), 'ttl')
    const now = this.#scope.context.now()
    if (usable === undefined || !isFresh(usable, now)) return undefined
    return Math.max(0, freshUntil(usable) - now)
  }

  *getMany(keys: readonly string[], failure: ReadFailure, stale: boolean): Operation<unknown[]> {
    const found = yield* this.#scope.lookupMany(keys, 'getMany', failure)
    const now = this.#scope.context.now()
    return found.map(({ usable }, index) => {
      const key = keys[index] as string
      const fresh = usable !== undefined && isFresh(usable, now)
      if (usable === undefined || !(fresh || stale)) {
        this.#scope.countMiss(key)
        return undefined
      }
      this.#scope.countHit(key, !fresh)
      if (!fresh) this.#scope.tellStale(key, 'asked')
      return usable.value
    })
  }
}
