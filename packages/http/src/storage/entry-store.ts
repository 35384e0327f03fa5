import { type CacheLike, hashLongKeys, type Item, type LoadContext } from '@cache/core'
import { variantText } from '../semantics/storable.ts'
import type { StoredResponse, StoredValue, VariantIndex } from './stored-response.ts'

/** What the store has for a request. */
export interface Found {
  /** The key of the resource. */
  readonly primary: string
  /** The key under which a response to this request belongs, as far as is known. */
  readonly key: string
  readonly index: VariantIndex | undefined
  readonly response: StoredResponse | undefined
  /** Whether the store declares the response stale, as after `expireTag`. */
  readonly isExpired: boolean
}

/** How long an index outlives its last write. The variants of a lost index are misses. */
const indexLife = 7 * 86_400_000

const loadOptions = { forceRefresh: true, softTimeout: Infinity, timeout: Infinity, retryAfter: 0 } as const

/**
 * Responses in a cache. A response that does not vary is stored under the key of its resource. Otherwise an index is stored there: the
 * names of the selecting fields, and a random text that is part of the keys of the variants. To remove a resource is to remove that key.
 * The variants of a removed index cannot be found by a later one, so that a late write of a variant is harmless.
 */
export class EntryStore {
  readonly #cache: CacheLike<unknown>
  readonly #now: () => number
  readonly #shorten: (key: string) => string = hashLongKeys(200)

  constructor(cache: CacheLike<unknown>, now: () => number) {
    this.#cache = cache
    this.#now = now
  }

  /** Rejects when the backend fails. */
  async find(primary: string, read: (name: string) => string | null | undefined): Promise<Found> {
    const key = this.#shorten(primary)
    const item = await this.#cache.item(key)
    const value = item?.value as StoredValue | undefined
    if (value?.kind !== 'index') return this.#found(key, key, undefined, item)
    const variant = this.variantKey(key, value, read)
    return this.#found(key, variant, value, await this.#cache.item(variant))
  }

  /** What `find` resolves to when there is nothing. */
  nothing(primary: string): Found {
    const key = this.#shorten(primary)
    return this.#found(key, key, undefined, undefined)
  }

  variantKey(primary: string, index: VariantIndex, read: (name: string) => string | null | undefined): string {
    return this.#shorten(`${primary}\n${index.generation}\n${variantText(index.names, read)}`)
  }

  newIndex(names: readonly string[]): VariantIndex {
    return { kind: 'index', names, generation: crypto.randomUUID() }
  }

  /** Settings of a load that stores an index. */
  keepIndex(context: LoadContext, tags: readonly string[], life: number): void {
    context.ttl = Math.max(indexLife, life)
    context.staleFor = indexLife
    context.tags = tags
  }

  /**
   * Runs a load. Its result is stored unless the key was removed, or one of its tags invalidated, since it began. Resolves to the stored
   * value, which is that of another load if that one came first.
   */
  async load(key: string, loader: (context: LoadContext) => Promise<StoredValue | null>): Promise<unknown> {
    return await this.#cache.getOrSet(key, loader, loadOptions)
  }

  /** Adds names to an index. An index that was removed meanwhile stays removed. */
  async extendIndex(primary: string, index: VariantIndex, names: readonly string[]): Promise<void> {
    await this.#cache.update(
      primary,
      (current) => {
        const value = current as StoredValue | undefined
        if (value?.kind !== 'index' || value.generation !== index.generation) return undefined
        return { ...value, names: [...new Set([...value.names, ...names])].sort() }
      },
      { ttl: indexLife, staleFor: indexLife },
    )
  }

  async remove(primary: string): Promise<void> {
    await this.#cache.delete(this.#shorten(primary))
  }

  #found(primary: string, key: string, index: VariantIndex | undefined, item: Item | undefined): Found {
    const value = item?.value as StoredValue | undefined
    const response = value?.kind === 'response' ? value : undefined
    const isExpired = item?.staleAt !== undefined && item.staleAt <= this.#now()
    return { primary, key, index, response, isExpired }
  }
}
