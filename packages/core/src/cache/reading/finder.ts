import { isPromise, type MaybePromise } from '../../backend-kit/maybe-promise.ts'
import type { CacheError } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import type { Namespace } from '../items/namespace.ts'
import type { TagValidity } from '../items/tag-records.ts'
import type { ReadFailure } from '../options/cache-options.ts'
import { checkKeys } from '../options/write-options.ts'
import type { CacheState } from '../state/cache-state.ts'
import { answer, type Steps } from '../state/steps.ts'

/** The result of a look-up. One plain shape: a union of classes would cost each hit 3 to 8 ns. */
export interface LookUp {
  /** The stored item, placeholders and items of an invalidated tag included. The result of a load has to replace its version. */
  readonly raw: Item | undefined
  /** The item, if it may be served: fresh or stale, of valid tags. */
  readonly usable: Item | undefined
}

/** The look-up of a key under which nothing is stored. */
export const nothingFound: LookUp = Object.freeze({ raw: undefined, usable: undefined })

/** The one way to read items: every operation, with and without waiting, goes through `find` or `findMany`. */
export class Finder {
  readonly #namespace: Namespace
  readonly #state: CacheState

  constructor(namespace: Namespace) {
    this.#namespace = namespace
    this.#state = namespace.state
  }

  /**
   * One item, judged. Waits only where the store or a tag does. A failing backend finds nothing with `'miss'`; with `'reject'` its
   * error is thrown, or the promise rejects. The failure is counted and emitted in both cases.
   */
  find(backendKey: string, method: string, failure: ReadFailure): MaybePromise<LookUp> {
    let raw: MaybePromise<Item | undefined>
    try {
      raw = this.#state.adapter.get(backendKey)
    } catch (error) {
      return this.failed(error, backendKey, method, failure)
    }
    if (!isPromise(raw)) return this.judge(raw, backendKey, method, failure)
    // Judged inside this one `then`: a second one would cost 16 to 30 ns.
    return raw.then(
      (item) => this.judge(item, backendKey, method, failure),
      (error) => this.failed(error, backendKey, method, failure),
    )
  }

  /** The look-up that an answer of the store amounts to. Waits only where the versions of its tags are not at hand. */
  judge(raw: Item | undefined, backendKey: string, method: string, failure: ReadFailure): MaybePromise<LookUp> {
    if (raw === undefined) return nothingFound
    if (raw.value === undefined) return { raw, usable: undefined }
    if (raw.tags === undefined) return { raw, usable: raw }
    try {
      const validity = this.#namespace.tags.validity(raw.tags)
      if (!isPromise(validity)) return { raw, usable: usableOf(raw, validity) }
      return validity.then(
        (known) => ({ raw, usable: usableOf(raw, known) }),
        (error) => this.failed(error, backendKey, method, failure),
      )
    } catch (error) {
      return this.failed(error, backendKey, method, failure)
    }
  }

  /** The look-up of a failed read. Throws the failure with `'reject'`. */
  failed(error: unknown, backendKey: string, method: string, failure: ReadFailure): LookUp {
    const reported = this.#state.failed(error, method, backendKey)
    if (failure === 'reject') throw reported
    this.#state.unseen(reported)
    return nothingFound
  }

  /** The look-ups of many keys, in their order. */
  *findMany(keys: readonly string[], method: string, failure: ReadFailure): Steps<LookUp[]> {
    this.#namespace.assertOpen(method)
    checkKeys(keys, method)
    return yield* this.findAll(
      keys.map((key) => this.#namespace.backendKey(key, method)),
      method,
      failure,
    )
  }

  /** `findMany` by the keys of the backend. */
  *findAll(backendKeys: readonly string[], method: string, failure: ReadFailure): Steps<LookUp[]> {
    if (backendKeys.length === 0) return []
    try {
      const raws = yield* this.#getAll(backendKeys, method, failure)
      const tags = yield* this.#currentTags(raws, method, failure)
      return raws.map((raw) => this.#judgeAmong(raw, tags))
    } catch (error) {
      if (failure === 'reject') throw error
      this.#state.unseen(error as CacheError)
      return backendKeys.map(() => nothingFound)
    }
  }

  *#getAll(backendKeys: readonly string[], method: string, failure: ReadFailure): Steps<(Item | undefined)[]> {
    const { adapter } = this.#state
    if (adapter.getMany !== undefined)
      return yield* this.#state.call(method, undefined, () => adapter.getMany?.(backendKeys) ?? [])
    const all = backendKeys.map((key) => this.#getOne(key, method, failure))
    return all.some(isPromise) ? yield* answer(Promise.all(all)) : (all as (Item | undefined)[])
  }

  #getOne(backendKey: string, method: string, failure: ReadFailure): MaybePromise<Item | undefined> {
    const onError = (error: unknown): undefined => {
      this.failed(error, backendKey, method, failure)
    }
    try {
      const got = this.#state.adapter.get(backendKey)
      return isPromise(got) ? got.catch(onError) : got
    } catch (error) {
      return onError(error)
    }
  }

  #judgeAmong(raw: Item | undefined, current: Record<string, unknown> | undefined): LookUp {
    if (raw === undefined || raw.value === undefined) return { raw, usable: undefined }
    const { tags } = raw
    if (tags === undefined) return { raw, usable: raw }
    if (current === undefined) return { raw, usable: undefined }
    return { raw, usable: usableOf(raw, this.#namespace.tags.validityAmong(tags, current)) }
  }

  /** Versions of all tags of these items; `undefined` when they cannot be read: then only items that have tags are misses. */
  *#currentTags(
    raws: readonly (Item | undefined)[],
    method: string,
    failure: ReadFailure,
  ): Steps<Record<string, unknown> | undefined> {
    const records = new Set<string>()
    for (const raw of raws) for (const record in raw?.tags) records.add(record)
    if (records.size === 0) return {}
    try {
      return yield* this.#state.call(method, undefined, () => this.#namespace.tags.current([...records]))
    } catch (error) {
      if (failure === 'reject') throw error
      this.#state.unseen(error as CacheError)
      return undefined
    }
  }
}

/** Long past for every clock, and not 0, which marks copies of layers. */
const longStale = 1

/** The item of such tags as it may be served: an item of an expired tag is stale from then on. */
function usableOf(raw: Item, validity: TagValidity): Item | undefined {
  if (validity === 'valid') return raw
  return validity === 'stale' ? { ...raw, staleAt: longStale } : undefined
}
