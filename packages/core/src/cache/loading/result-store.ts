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

/** The state captured before a load begins. A result is stored only if it has not changed. */
export interface StoreCondition {
  /** The version that must still be stored under the key; `undefined` where the store has no `compareAndSet` or is local. */
  expected: string | undefined
  /** Whether this load put the placeholder, and takes it away when there is nothing to store. */
  ownPlaceholder: boolean
  /** The expiry of the item with that version, unless it is the load's own placeholder. */
  readonly endsAt: number | undefined
  /** A placeholder is replacing an item that expires before the load ends. */
  replacing: Promise<void> | undefined
  readonly tags: TagVersions
  /** Version of the namespace's tag record; `undefined` where the loader cannot name tags. */
  readonly namespaceVersion: string | undefined
}

/** The part of the condition that concerns the key. */
type Standing = Pick<StoreCondition, 'expected' | 'ownPlaceholder' | 'endsAt'>

/** The options for storing the result of a load. */
export interface Keeping {
  readonly options: WriteOptions
  readonly settings: LoadSettings
  readonly life: Lifetime
}

/** Placeholders outlive any load that may still store its result. They expire because their process may die. */
const shortestPlaceholder = 60_000
const longestPlaceholder = 3_600_000
/** A placeholder must be stored before the item that it replaces expires: a tenth of the remaining life before, at most so many ms. */
const longestHandover = 1000
const nothingToEnd = (): void => {}

/**
 * Stores the results of loads, by the lease protocol of "Scaling Memcache at Facebook" (Nishtala et al., 2013). Foreground, late and
 * background loads and batches all use `storeResult`, which requires the condition that `reserve` captured before the load began
 * (RACES R1, R3, R4, R5).
 */
export class ResultStore {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  /**
   * Captures the versions that must not change until the result arrives: those of the tags, and the one under the key. Under an empty
   * key it puts a placeholder, so that a delete by any process is detected. Returns the item instead if another process stored one
   * in between.
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
   * If the stored item expires during the load, our compare-and-set would fail as if the item had been deleted. So a placeholder replaces
   * it just before it expires, if it is still there. Returns the function that stops the timer, for the end of the load.
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

  /** Stores a result if nothing has changed since `reserve`. Returns whether it was stored. */
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
      // A local tag invalidation has made the flight suspect already; here another process changed a tag.
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
      // Always reported: no caller learns that the loaded value cannot be stored.
      this.#namespace.state.degraded(error, 'getOrSet', load.key)
      // The store did not tell whether another process changed something: for callers who joined, it may have (RACES R2).
      if (flight.validity !== 'discarded') flight.markUncertain()
      return false
    }
  }

  /** Removes this load's own placeholder. */
  *cancel(flight: Flight, condition: StoreCondition): Steps<void> {
    if (condition.replacing !== undefined) yield* answer(condition.replacing)
    if (condition.ownPlaceholder && !this.#namespace.state.closed)
      yield* this.#compareAndSetExpected(flight, condition, undefined)
  }

  /** Ends a load whose result is not stored. */
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

  /** Compare-and-set on the captured version. If it fails, another process changed the key, unless this one discarded the flight. */
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
   * The declared tags and those that the load named. The versions of the latter are captured now, which is correct only if no tag of
   * the namespace has changed since the load began; otherwise `undefined`.
   */
  *#allTags(condition: StoreCondition, load: LoadContext, value: unknown): Steps<TagVersions | undefined> {
    if (load.tags === undefined)
      return value === notModified ? { ...this.#tagsOf(load.stale), ...condition.tags } : condition.tags
    const records = load.tags
      .map((tag) => tagRecord(this.#namespace.path, tag))
      .filter((record) => !(record in condition.tags))
    if (records.length === 0) return condition.tags
    // No version was captured that would show a change: this result is not stored, and the next load captures one.
    if (condition.namespaceVersion === undefined) this.#namespace.state.anyNamesTags = true
    const late = yield* this.#namespace.tags.capture(records)
    // Read last: an invalidation changes this record first, so it is detected either here or in the versions captured above.
    const unchanged =
      condition.namespaceVersion !== undefined && (yield* this.#namespaceVersion()) === condition.namespaceVersion
    return unchanged ? { ...condition.tags, ...late } : undefined
  }

  /** The tags of a value that is not modified, with their earlier versions: an invalidated value stays invalid (R4). */
  #tagsOf(stale: Item | undefined): TagVersions {
    const named = Object.entries(stale?.tags ?? {})
    return Object.fromEntries(named.map(([tag, version]) => [tagRecord(this.#namespace.path, tag), version]))
  }

  *#put(flight: Flight, condition: StoreCondition, item: Item): Steps<boolean> {
    const { adapter, local } = this.#namespace.state
    // No await between this check and the write: within one process no other code can run between them.
    if (flight.validity === 'discarded') {
      yield* this.cancel(flight, condition)
      return false
    }
    if (adapter.compareAndSet !== undefined && !local)
      return yield* this.#compareAndSetExpected(flight, condition, item)
    yield* this.#writeUnconditionally(flight, adapter.set(item))
    return true
  }

  /** The source has no value any more: the stale value is removed, on the condition under which a result would be stored. */
  *#remove(flight: Flight, condition: StoreCondition, load: LoadContext): Steps<void> {
    const { adapter, local } = this.#namespace.state
    if (load.stale === undefined || flight.validity === 'discarded') yield* this.cancel(flight, condition)
    else if (adapter.compareAndSet !== undefined && !local)
      yield* this.#compareAndSetExpected(flight, condition, undefined)
    else yield* this.#writeUnconditionally(flight, adapter.delete(flight.key))
  }

  /** A later change of the key waits for this unconditional write (RACES R1, R5). */
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
      // Created now: the source has just confirmed the value, so its life begins here.
      const again = renewed({ ...stale, key: flight.key, createdAt: now }, instants(life, now))
      return kept === undefined ? again : { ...again, tags: kept }
    }
    const life = this.#life(value, load, keeping)
    return this.#namespace.makeItem(flight.key, value, life, kept, keeping.options.cost, jitter)
  }

  #life(value: unknown, load: LoadContext, { settings, life }: Keeping): Lifetime {
    const { expiresAt } = load
    const ownTtl = load.ttl ?? (value === null && expiresAt === undefined ? settings.nullTtl : undefined)
    const staleFor = load.staleFor === undefined ? life.staleFor : milliseconds(load.staleFor, 'staleFor', 'getOrSet')
    if (ownTtl === undefined)
      return { ...life, staleFor, expiresAt: expiresAt === undefined ? life.expiresAt : Math.floor(Number(expiresAt)) }
    return { ttl: milliseconds(ownTtl, 'ttl', 'getOrSet'), staleFor, expiresAt: undefined }
  }
}

function placeholderLife({ timeout }: LoadSettings): number {
  return Math.min(Math.max(2 * timeout, shortestPlaceholder), longestPlaceholder)
}
