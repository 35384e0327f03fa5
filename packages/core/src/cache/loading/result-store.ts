import { isPromise, type MaybePromise } from '../../backend-kit/maybe-promise.ts'
import { milliseconds } from '../../protocol/duration.ts'
import type { Item } from '../../protocol/item.ts'
import type { TagVersions } from '../../protocol/tag-versions.ts'
import { hasLife, instants, jittered, renewed } from '../items/item-life.ts'
import type { Namespace } from '../items/namespace.ts'
import { placeholder } from '../items/placeholder.ts'
import { namespaceTagRecord, tagRecord } from '../items/tag-records.ts'
import type { LoadSettings } from '../options/cache-options.ts'
import type { Lifetime } from '../options/lifetime.ts'
import type { WriteOptions } from '../options/write-options.ts'
import type { Flight } from '../state/flight.ts'
import { answer, runAsync, type Steps } from '../state/steps.ts'
import { type LoadContext, notModified } from './load-context.ts'

/** What was captured before a load began; without all of it no result is stored. */
export interface StoreCondition {
  /** The version that must still be stored under the key; `undefined` where the store has no `compareAndSet` or is local. */
  expected: string | undefined
  /** Whether this load put the placeholder, and takes it away when there is nothing to store. */
  ownPlaceholder: boolean
  /** When what has that version ends, unless it is the load's own placeholder. */
  readonly endsAt: number | undefined
  /** A placeholder is taking the place of what ends before the load does. */
  replacing: Promise<void> | undefined
  readonly tags: TagVersions
  /** Version of the namespace's tag record; `undefined` where the loader cannot name tags. */
  readonly namespaceVersion: string | undefined
}

/** What a load has to meet under its key. */
type Standing = Pick<StoreCondition, 'expected' | 'ownPlaceholder' | 'endsAt'>

/** How the result of a load is to be kept. */
export interface Keeping {
  readonly options: WriteOptions
  readonly settings: LoadSettings
  readonly life: Lifetime
}

/** Placeholders live longer than any load that may still store, and not for ever: their process may die. */
const shortestPlaceholder = 60_000
const longestPlaceholder = 3_600_000
/** A placeholder has to be there before the store ends what it replaces: it takes a tenth of what is left of that life, this at most. */
const longestHandover = 1000
const nothingToEnd = (): void => {}

/**
 * The way from a loader's result into the backend. Foreground, late and background loads and batches all go through `store`,
 * which requires the condition that `reserve` made before the load began (RACES R1, R3, R4, R5).
 */
export class ResultStore {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  /**
   * Captures what must not change until the result arrives: the versions of the tags, and the version under the key. Where
   * nothing is stored a placeholder is put, so that a delete by any process shows. Resolves to the item instead, where
   * another process stored one in between.
   */
  *reserve(
    flight: Flight,
    raw: Item | undefined,
    settings: LoadSettings,
    namesTags: boolean,
  ): Steps<StoreCondition | Item> {
    const { local, adapter } = this.#namespace.state
    if (local || adapter.compareAndSet === undefined) {
      // In one process the flight alone is the condition.
      const tags = yield* this.#captureTags(flight)
      const namespaceVersion = namesTags ? yield* this.#namespaceVersion() : undefined
      return {
        expected: undefined,
        ownPlaceholder: false,
        endsAt: undefined,
        replacing: undefined,
        tags,
        namespaceVersion,
      }
    }
    // Together, for the sake of a store that is far away.
    const [place, tags, namespaceVersion] = yield* answer(
      Promise.all([
        runAsync(this.#expect(flight.key, raw, settings)),
        runAsync(this.#captureTags(flight)),
        namesTags ? runAsync(this.#namespaceVersion()) : undefined,
      ]),
    )
    return 'key' in place ? place : { ...place, replacing: undefined, tags, namespaceVersion }
  }

  /**
   * The end of what is stored looks like a delete, and would keep the result out. A moment before it a placeholder takes its place, if
   * it is still there. Returns the function that ends this, for the load that is over.
   */
  renewBeforeExpiry(flight: Flight, condition: StoreCondition, settings: LoadSettings): () => void {
    const { clock } = this.#namespace.state.settings
    const left = (condition.endsAt ?? Infinity) - clock.now()
    if (left > placeholderLife(settings)) return nothingToEnd
    const early = Math.min(left / 10, longestHandover)
    return clock.after(Math.max(0, Math.floor(left - early)), () => {
      condition.replacing = this.#namespace.state
        .run(this.#replaceWithPlaceholder(flight, condition, settings))
        .catch((error) => this.#namespace.state.degraded(error, 'getOrSet', flight.key))
    })
  }

  *#replaceWithPlaceholder(flight: Flight, condition: StoreCondition, settings: LoadSettings): Steps<void> {
    if (flight.validity === 'discarded' || this.#namespace.state.closed) return
    const ownPlaceholder = this.#placeholder(flight.key, settings)
    if (!(yield* this.#compareAndSet(flight.key, condition.expected, ownPlaceholder))) return
    condition.expected = ownPlaceholder.version
    condition.ownPlaceholder = true
  }

  *#captureTags(flight: Flight): Steps<TagVersions> {
    return flight.tags.length === 0 ? {} : yield* this.#namespace.tags.capture(flight.tags)
  }

  *#expect(key: string, raw: Item | undefined, settings: LoadSettings): Steps<Standing | Item> {
    if (raw !== undefined) return { expected: raw.version, ownPlaceholder: false, endsAt: raw.expiresAt }
    const ownPlaceholder = this.#placeholder(key, settings)
    const { version } = ownPlaceholder
    if (yield* this.#compareAndSet(key, undefined, ownPlaceholder))
      return { expected: version, ownPlaceholder: true, endsAt: undefined }
    const other = yield* answer(this.#namespace.state.adapter.get(key))
    // Gone again: removed in between. The version of a placeholder that was never stored lets nothing in.
    if (other === undefined) return { expected: version, ownPlaceholder: false, endsAt: undefined }
    if (other.value === undefined || other.tags !== undefined || other.staleAt !== undefined)
      return { expected: other.version, ownPlaceholder: false, endsAt: other.expiresAt }
    return other
  }

  #placeholder(key: string, settings: LoadSettings): Item {
    return placeholder(key, this.#namespace.state.now(), placeholderLife(settings))
  }

  *#compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Steps<boolean> {
    return yield* answer(this.#namespace.state.adapter.compareAndSet?.(key, expected, next) ?? false)
  }

  *#namespaceVersion(): Steps<string | undefined> {
    const record = namespaceTagRecord(this.#namespace.path)
    return (yield* this.#namespace.tags.capture([record]))[record]
  }

  /** Stores a result, if nothing has changed since `fence` was raised; answers whether it did. */
  *storeResult(
    flight: Flight,
    condition: StoreCondition,
    value: unknown,
    load: LoadContext,
    keeping: Keeping,
  ): Steps<boolean> {
    try {
      if (condition.replacing !== undefined) yield* answer(condition.replacing)
      const tags = yield* this.#allTags(condition, load, value)
      // Those who came before this process invalidated a tag have their value.
      if (tags === undefined && flight.validity === 'valid') flight.markOutdated()
      if (!load.store || tags === undefined) {
        yield* this.#storeNothing(flight, condition)
        return false
      }
      if (value === undefined) {
        yield* this.#remove(flight, condition, load)
        return false
      }
      const item = this.#item(flight, value, load, tags, keeping)
      if (!flight.joined || this.#namespace.state.local)
        return (yield* this.#put(flight, condition, item)) && hasLife(item)
      const [put] = yield* answer(
        Promise.all([runAsync(this.#put(flight, condition, item)), runAsync(this.#recheckTags(flight, tags))]),
      )
      return put && hasLife(item)
    } catch (error) {
      // EventPayloads in any case: nobody else learns that what was loaded cannot be kept.
      this.#namespace.state.degraded(error, 'getOrSet', load.key)
      return false
    }
  }

  /** Takes this load's own placeholder away. */
  *cancel(flight: Flight, condition: StoreCondition): Steps<void> {
    if (condition.replacing !== undefined) yield* answer(condition.replacing)
    if (condition.ownPlaceholder && !this.#namespace.state.closed)
      yield* this.#compareAndSetExpected(flight, condition, undefined)
  }

  /** Nothing is to be stored. */
  *#storeNothing(flight: Flight, condition: StoreCondition): Steps<void> {
    yield* this.cancel(flight, condition)
    if (
      condition.ownPlaceholder ||
      condition.expected === undefined ||
      !flight.joined ||
      flight.validity === 'discarded'
    )
      return
    const standing = yield* answer(this.#namespace.state.adapter.get(flight.key))
    if (standing?.version !== condition.expected) flight.markOutdated()
  }

  /** Compare-and-set on what the condition captured. Where that is gone it was another process, unless this one has fenced the flight. */
  *#compareAndSetExpected(flight: Flight, condition: StoreCondition, next: Item | undefined): Steps<boolean> {
    const done = yield* this.#compareAndSet(flight.key, condition.expected, next)
    if (!done && flight.validity !== 'discarded') flight.markOutdated()
    return done
  }

  /** Resolves to whether no other process has changed the key or the tags since the load began. A failure of the store counts as a change. */
  async unchanged(flight: Flight, condition: StoreCondition): Promise<boolean> {
    const { adapter } = this.#namespace.state
    const { tags } = this.#namespace
    const standing = async (): Promise<boolean> => (await adapter.get(flight.key))?.version === condition.expected
    const namespaceVersion = async (): Promise<boolean> =>
      condition.namespaceVersion === undefined ||
      (await runAsync(this.#namespaceVersion())) === condition.namespaceVersion
    try {
      const all = await Promise.all([standing(), tags.valid(condition.tags), namespaceVersion()])
      return all.every(Boolean)
    } catch {
      return false
    }
  }

  *#recheckTags(flight: Flight, tags: TagVersions): Steps<void> {
    if (!(yield* answer(this.#namespace.tags.valid(tags))) && flight.validity !== 'discarded') flight.markOutdated()
  }

  /**
   * The tags that were declared and those that the load named. For the latter the versions are captured now, which is only
   * right when no tag of the namespace changed since the load began: `undefined` otherwise.
   */
  *#allTags(condition: StoreCondition, load: LoadContext, value: unknown): Steps<TagVersions | undefined> {
    if (load.tags === undefined)
      return value === notModified ? { ...this.#tagsOf(load.stale), ...condition.tags } : condition.tags
    const records = load.tags
      .map((tag) => tagRecord(this.#namespace.path, tag))
      .filter((record) => !(record in condition.tags))
    if (records.length === 0) return condition.tags
    // Nothing was captured by which to tell whether they changed: not stored this time, and the next load is prepared.
    if (condition.namespaceVersion === undefined) this.#namespace.state.anyNamesTags = true
    const late = yield* this.#namespace.tags.capture(records)
    // Last: an invalidation changes this record first, so that it shows either here or in what was captured above.
    const unchanged =
      condition.namespaceVersion !== undefined && (yield* this.#namespaceVersion()) === condition.namespaceVersion
    return unchanged ? { ...condition.tags, ...late } : undefined
  }

  /**
   * A value that is kept keeps its tags, and the versions that they had: one that was invalidated since stays invalid (R4).
   */
  #tagsOf(stale: Item | undefined): TagVersions {
    const named = Object.entries(stale?.tags ?? {})
    return Object.fromEntries(named.map(([tag, version]) => [tagRecord(this.#namespace.path, tag), version]))
  }

  *#put(flight: Flight, condition: StoreCondition, item: Item): Steps<boolean> {
    const { adapter, local } = this.#namespace.state
    // Nothing is awaited between this look and the write: in one process nothing can come between them.
    if (flight.validity === 'discarded') {
      yield* this.cancel(flight, condition)
      return false
    }
    if (adapter.compareAndSet !== undefined && !local)
      return yield* this.#compareAndSetExpected(flight, condition, item)
    yield* this.#writeUnconditionally(flight, adapter.set(item))
    return true
  }

  /** The source has none any more: the stale value that the load was to renew goes, on the same conditions as a result would come. */
  *#remove(flight: Flight, condition: StoreCondition, load: LoadContext): Steps<void> {
    const { adapter, local } = this.#namespace.state
    if (load.stale === undefined || flight.validity === 'discarded') yield* this.cancel(flight, condition)
    else if (adapter.compareAndSet !== undefined && !local)
      yield* this.#compareAndSetExpected(flight, condition, undefined)
    else yield* this.#writeUnconditionally(flight, adapter.delete(flight.key))
  }

  /** Whoever changes the key meanwhile waits for this write, which asks for no version (RACES R1, R5). */
  *#writeUnconditionally(flight: Flight, writing: MaybePromise<unknown>): Steps<void> {
    if (!isPromise(writing)) return
    flight.beginWrite(writing)
    yield* answer(writing)
  }

  #item(flight: Flight, value: unknown, load: LoadContext, tags: TagVersions, keeping: Keeping): Item {
    const { state } = this.#namespace
    const { jitter } = keeping.settings
    const kept = Object.keys(tags).length === 0 ? undefined : tags
    if (value === notModified && load.stale !== undefined) {
      const { tags: _old, ...stale } = load.stale
      const now = state.now()
      const life = jittered(this.#life(stale.value, load, keeping), jitter, state.settings.random)
      // Made now: the source has just said so, and the share of its life that is over is counted from here.
      const again = renewed({ ...stale, key: flight.key, createdAt: now }, instants(life, now))
      return kept === undefined ? again : { ...again, tags: kept }
    }
    const life = this.#life(value, load, keeping)
    return this.#namespace.makeItem(flight.key, value, life, kept, keeping.options.cost, jitter)
  }

  #life(value: unknown, load: LoadContext, { settings, life }: Keeping): Lifetime {
    const fallback = value === null && settings.nullTtl !== undefined ? settings.nullTtl : life.ttl
    const ttl = load.ttl === undefined ? fallback : milliseconds(load.ttl, 'ttl', 'getOrSet')
    const staleFor = load.staleFor === undefined ? life.staleFor : milliseconds(load.staleFor, 'staleFor', 'getOrSet')
    return { ttl, staleFor }
  }
}

function placeholderLife({ timeout }: LoadSettings): number {
  return Math.min(Math.max(2 * timeout, shortestPlaceholder), longestPlaceholder)
}
