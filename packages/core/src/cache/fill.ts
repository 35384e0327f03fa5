import { milliseconds } from '../protocol/duration.ts'
import type { Item } from '../protocol/item.ts'
import { createVersion } from '../protocol/version.ts'
import type { LoadSettings } from './cache-options.ts'
import type { Flight } from './flights.ts'
import { instants, jittered, type Lifetime, renewed } from './lifetime.ts'
import { type LoadContext, notModified } from './load-context.ts'
import { runAsync } from './operation.ts'
import type { Scope } from './scope.ts'
import { namespaceTagRecord, type TagVersions, tagRecord } from './tags.ts'
import type { WriteOptions } from './write-options.ts'

/** What was captured before a load began; without all of it no result is stored. */
export interface Fence {
  /** The version that must still be stored under the key; `undefined` where the store has no `swap` or is local. */
  readonly expected: string | undefined
  /** Whether this load put the placeholder, and takes it away when there is nothing to store. */
  readonly placed: boolean
  readonly tags: TagVersions
  /** Version of the namespace's tag record; `undefined` where the loader cannot name tags. */
  readonly namespaceVersion: string | undefined
}

/** Placeholders live longer than any load that may still store, and not for ever: their process may die. */
const shortestPlaceholder = 60_000
const longestPlaceholder = 3_600_000

/**
 * The way from a loader's result into the backend. Foreground, late and background loads and batches all go through `store`,
 * which requires the fence that `raise` made before the load began (RACES R1, R3, R4, R5).
 */
export class Fill {
  readonly #scope: Scope

  constructor(scope: Scope) {
    this.#scope = scope
  }

  /**
   * Captures what must not change until the result arrives: the versions of the tags, and the version under the key. Where
   * nothing is stored a placeholder is put, so that a delete by any process shows. Resolves to the item instead, where
   * another process stored one in between.
   */
  async raise(
    flight: Flight,
    raw: Item | undefined,
    settings: LoadSettings,
    namesTags: boolean,
  ): Promise<Fence | Item> {
    const [place, tags, namespaceVersion] = await Promise.all([
      this.#place(flight.key, raw, settings),
      flight.tags.length === 0 ? {} : runAsync(this.#scope.context.tags.capture(flight.tags)),
      namesTags ? this.#namespaceVersion() : undefined,
    ])
    return 'key' in place ? place : { ...place, tags, namespaceVersion }
  }

  async #place(
    key: string,
    raw: Item | undefined,
    settings: LoadSettings,
  ): Promise<{ expected: string | undefined; placed: boolean } | Item> {
    const { store, local } = this.#scope.context
    // In one process the flight alone is the fence.
    if (store.swap === undefined || local) return { expected: undefined, placed: false }
    if (raw !== undefined) return { expected: raw.version, placed: false }
    const now = this.#scope.context.now()
    const life = Math.min(Math.max(2 * settings.timeout, shortestPlaceholder), longestPlaceholder)
    const placeholder = { key, value: undefined, version: createVersion(), createdAt: now, expiresAt: now + life }
    if (await store.swap(key, undefined, placeholder)) return { expected: placeholder.version, placed: true }
    const other = await store.get(key)
    // Gone again: removed in between. The version of a placeholder that was never stored lets nothing in.
    if (other === undefined) return { expected: placeholder.version, placed: false }
    if (other.value === undefined || other.tags !== undefined || other.staleAt !== undefined)
      return { expected: other.version, placed: false }
    return other
  }

  async #namespaceVersion(): Promise<string | undefined> {
    const record = namespaceTagRecord(this.#scope.path)
    return (await runAsync(this.#scope.context.tags.capture([record])))[record]
  }

  /** Stores a result, if nothing has changed since `fence` was raised; resolves to whether it did. */
  async store(
    flight: Flight,
    fence: Fence,
    value: unknown,
    load: LoadContext,
    options: WriteOptions | undefined,
    settings: LoadSettings,
    life: Lifetime,
  ): Promise<boolean> {
    const { context } = this.#scope
    try {
      const tags = await this.#allTags(fence, load)
      if (value === undefined || !load.store || tags === undefined) {
        await this.withdraw(flight, fence)
        return false
      }
      return await this.#put(flight, fence, this.#item(flight, value, load, tags, options, settings, life))
    } catch (error) {
      // Told in any case: nobody else learns that what was loaded cannot be kept.
      context.degraded(error, 'getOrSet', load.key)
      return false
    }
  }

  /** Takes this load's own placeholder away. */
  async withdraw(flight: Flight, fence: Fence): Promise<void> {
    if (fence.placed && !this.#scope.context.closed)
      await this.#scope.context.store.swap?.(flight.key, fence.expected, undefined)
  }

  /**
   * The tags that were declared and those that the load named. For the latter the versions are captured now, which is only
   * right when no tag of the namespace changed since the load began: `undefined` otherwise.
   */
  async #allTags(fence: Fence, load: LoadContext): Promise<TagVersions | undefined> {
    if (load.tags === undefined || load.tags.length === 0) return fence.tags
    const records = load.tags.map((tag) => tagRecord(this.#scope.path, tag)).filter((record) => !(record in fence.tags))
    if (records.length === 0) return fence.tags
    const late = await runAsync(this.#scope.context.tags.capture(records))
    // Last: an invalidation changes this record first, so that it shows either here or in what was captured above.
    const unchanged =
      fence.namespaceVersion !== undefined && (await this.#namespaceVersion()) === fence.namespaceVersion
    return unchanged ? { ...fence.tags, ...late } : undefined
  }

  async #put(flight: Flight, fence: Fence, item: Item): Promise<boolean> {
    const { store, local } = this.#scope.context
    // No await between this look and the write: in one process nothing can come between them.
    if (flight.fenced) return false
    if (store.swap !== undefined && !local) return await store.swap(item.key, fence.expected, item)
    const storing = store.set(item)
    if (storing === undefined) return true
    flight.storing = storing
    await storing
    return true
  }

  #item(
    flight: Flight,
    value: unknown,
    load: LoadContext,
    tags: TagVersions,
    options: WriteOptions | undefined,
    settings: LoadSettings,
    life: Lifetime,
  ): Item {
    const { context } = this.#scope
    const chosen = this.#life(value, load, settings, life)
    const kept = Object.keys(tags).length === 0 ? undefined : tags
    if (value === notModified && load.stale !== undefined) {
      const { tags: _old, ...stale } = load.stale
      const again = renewed(
        { ...stale, key: flight.key },
        instants(jittered(chosen, settings.jitter, context.settings.random), context.now()),
      )
      return kept === undefined ? again : { ...again, tags: kept }
    }
    return this.#scope.makeItem(flight.key, value, chosen, kept, options?.cost, settings.jitter)
  }

  #life(value: unknown, load: LoadContext, settings: LoadSettings, life: Lifetime): Lifetime {
    const ttl =
      load.ttl !== undefined
        ? milliseconds(load.ttl, 'ttl', 'getOrSet')
        : value === null && settings.nullTtl !== undefined
          ? settings.nullTtl
          : life.ttl
    const staleFor = load.staleFor === undefined ? life.staleFor : milliseconds(load.staleFor, 'staleFor', 'getOrSet')
    return { ttl, staleFor }
  }
}
