import { chain, isPromise, type MaybePromise } from '../../backend-kit/maybe-promise.ts'
import type { Item } from '../../protocol/item.ts'
import { freshUntil, isFresh } from '../items/item-life.ts'
import type { Namespace } from '../items/namespace.ts'
import { tagRecord } from '../items/tag-records.ts'
import type { ReadFailure } from '../options/cache-options.ts'
import { checkTags } from '../options/write-options.ts'
import type { CacheState } from '../state/cache-state.ts'
import type { Steps } from '../state/steps.ts'
import { Finder, type LookUp } from './finder.ts'

/** The operations that read items and change none. Each waits only where the store does. */
export class Reads {
  readonly #namespace: Namespace
  readonly #state: CacheState
  readonly #finder: Finder

  constructor(namespace: Namespace) {
    this.#namespace = namespace
    this.#state = namespace.state
    this.#finder = new Finder(namespace)
  }

  get(key: string, failure: ReadFailure, stale: boolean): MaybePromise<unknown> {
    this.#namespace.assertOpen('get')
    const backendKey = this.#namespace.backendKey(key, 'get')
    const { recorder } = this.#state
    if (!recorder.samples) return this.#get(key, backendKey, failure, stale)
    const started = performance.now()
    return chain(this.#get(key, backendKey, failure, stale), (value) => {
      recorder.gotSince(started)
      return value
    })
  }

  /** One promise besides the store's own: each more is a twentieth of the cost of a get from Redis. */
  #get(key: string, backendKey: string, failure: ReadFailure, stale: boolean): MaybePromise<unknown> {
    const state = this.#state
    let raw: MaybePromise<Item | undefined>
    try {
      raw = state.adapter.get(backendKey)
    } catch (error) {
      return this.#serve(key, this.#finder.failed(error, backendKey, 'get', failure), stale)
    }
    if (!isPromise(raw))
      return chain(this.#finder.judge(raw, backendKey, 'get', failure), (lookUp) => this.#serve(key, lookUp, stale))
    state.begin()
    return raw.then(
      (item) => {
        if (item?.tags !== undefined)
          return state.endAfter(this.#finder.judge(item, backendKey, 'get', failure), (lookUp) =>
            this.#serve(key, lookUp, stale),
          )
        state.end()
        return this.#serveItem(key, item?.value === undefined ? undefined : item, stale)
      },
      (error) => {
        state.end()
        return this.#serve(key, this.#finder.failed(error, backendKey, 'get', failure), stale)
      },
    )
  }

  #serve(key: string, { usable }: LookUp, stale: boolean): unknown {
    return this.#serveItem(key, usable, stale)
  }

  /** The value of a usable item, counted as a hit or a miss. */
  #serveItem(key: string, usable: Item | undefined, stale: boolean): unknown {
    const fresh = usable !== undefined && this.#namespace.isFresh(usable)
    if (usable === undefined || !(fresh || stale)) {
      this.#namespace.countMiss(key)
      return undefined
    }
    this.#namespace.countHit(key, !fresh)
    if (!fresh) this.#namespace.emitStale(key, 'asked')
    return usable.value
  }

  has(key: string, failure: ReadFailure): MaybePromise<boolean> {
    return chain(
      this.#find(key, 'has', failure),
      ({ usable }) => usable !== undefined && this.#namespace.isFresh(usable),
    )
  }

  /** The whole item under the application's key and tags, stale or fresh. */
  item(key: string): MaybePromise<Item | undefined> {
    return chain(this.#find(key, 'item', 'reject'), ({ usable }) =>
      usable === undefined ? undefined : this.#namespace.published(usable, key),
    )
  }

  ttl(key: string): MaybePromise<number | undefined> {
    return chain(this.#find(key, 'ttl', 'reject'), ({ usable }) => {
      const now = this.#state.now()
      if (usable === undefined || !isFresh(usable, now)) return undefined
      return Math.max(0, freshUntil(usable) - now)
    })
  }

  *getMany(keys: readonly string[], failure: ReadFailure, stale: boolean): Steps<unknown[]> {
    const found = yield* this.#finder.findMany(keys, 'getMany', failure)
    return found.map((lookUp, index) => this.#serve(keys[index] as string, lookUp, stale))
  }

  *hasMany(keys: readonly string[], failure: ReadFailure): Steps<boolean[]> {
    const found = yield* this.#finder.findMany(keys, 'hasMany', failure)
    return found.map(({ usable }) => usable !== undefined && this.#namespace.isFresh(usable))
  }

  *tagInvalidatedAt(tag: string): Steps<number | undefined> {
    this.#namespace.assertOpen('tagInvalidatedAt')
    checkTags([tag], 'tagInvalidatedAt')
    const record = tagRecord(this.#namespace.path, tag)
    return yield* this.#state.call('tagInvalidatedAt', undefined, () => this.#namespace.tags.invalidatedAt(record))
  }

  #find(key: string, method: string, failure: ReadFailure): MaybePromise<LookUp> {
    this.#namespace.assertOpen(method)
    return this.#finder.find(this.#namespace.backendKey(key, method), method, failure)
  }
}
