import type { Item } from '../../protocol/item.ts'
import { freshUntil, isFresh } from '../items/item-life.ts'
import type { Namespace } from '../items/namespace.ts'
import type { ReadFailure } from '../options/cache-options.ts'
import { later, type Steps } from '../state/steps.ts'

/** What reads items and changes none. */
export class Reads {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  *get(key: string, operation: string, failure: ReadFailure, stale: boolean): Steps<unknown> {
    this.#namespace.assertOpen(operation)
    const stored = this.#namespace.stored(key, operation)
    const { usable } = yield* this.#namespace.lookupOrMiss(stored, operation, failure)
    return this.#served(key, usable, stale)
  }

  /** `get` from a store that has to be waited for, without the detour of the operations. */
  getLater(key: string, stored: string, failure: ReadFailure): Promise<unknown> {
    const { state } = this.#namespace
    const started = state.recorder.samples ? performance.now() : undefined
    state.begin()
    // One promise besides the store's own: each more is a twentieth of what a get from Redis costs.
    return later(() => state.adapter.get(stored)).then(
      (raw) => {
        if (raw?.tags === undefined) return this.#servedLater(key, raw?.value === undefined ? undefined : raw, started)
        return this.#namespace
          .judged(raw, stored, 'get', failure)
          .then(({ usable }) => this.#servedLater(key, usable, started), endAndThrow)
      },
      (error) => {
        try {
          const { usable } = this.#namespace.missed(error, stored, 'get', failure)
          return this.#servedLater(key, usable, started)
        } catch (told) {
          return endAndThrow(told)
        }
      },
    )
    function endAndThrow(error: unknown): never {
      state.end()
      throw error
    }
  }

  #servedLater(key: string, usable: Item | undefined, started: number | undefined): unknown {
    const { state } = this.#namespace
    state.end()
    if (started !== undefined) state.recorder.gotSince(started)
    return this.#served(key, usable, false)
  }

  /** The value of what was found, counted as a hit or a miss. */
  #served(key: string, usable: Item | undefined, stale: boolean): unknown {
    const fresh = usable !== undefined && this.#namespace.isFresh(usable)
    if (usable === undefined || !(fresh || stale)) {
      this.#namespace.countMiss(key)
      return undefined
    }
    this.#namespace.countHit(key, !fresh)
    if (!fresh) this.#namespace.emitStale(key, 'asked')
    return usable.value
  }

  *has(key: string, failure: ReadFailure): Steps<boolean> {
    this.#namespace.assertOpen('has')
    const { usable } = yield* this.#namespace.lookupOrMiss(this.#namespace.stored(key, 'has'), 'has', failure)
    return usable !== undefined && this.#namespace.isFresh(usable)
  }

  /** The whole item under the application's key and tags, stale or fresh. */
  *item(key: string): Steps<Item | undefined> {
    this.#namespace.assertOpen('item')
    const { usable } = yield* this.#namespace.lookup(this.#namespace.stored(key, 'item'), 'item')
    return usable === undefined ? undefined : this.#namespace.published(usable, key)
  }

  *ttl(key: string): Steps<number | undefined> {
    this.#namespace.assertOpen('ttl')
    const { usable } = yield* this.#namespace.lookup(this.#namespace.stored(key, 'ttl'), 'ttl')
    const now = this.#namespace.state.now()
    if (usable === undefined || !isFresh(usable, now)) return undefined
    return Math.max(0, freshUntil(usable) - now)
  }

  *getMany(keys: readonly string[], failure: ReadFailure, stale: boolean): Steps<unknown[]> {
    const found = yield* this.#namespace.lookupMany(keys, 'getMany', failure)
    const now = this.#namespace.state.now()
    return found.map(({ usable }, index) => {
      const key = keys[index] as string
      const fresh = usable !== undefined && isFresh(usable, now)
      if (usable === undefined || !(fresh || stale)) {
        this.#namespace.countMiss(key)
        return undefined
      }
      this.#namespace.countHit(key, !fresh)
      if (!fresh) this.#namespace.emitStale(key, 'asked')
      return usable.value
    })
  }
}
