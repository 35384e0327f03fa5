import { getMany } from '../../backend-kit/batch-fallbacks.ts'
import { chain, type MaybePromise } from '../../backend-kit/maybe-promise.ts'
import type { NearReader } from '../../protocol/backend.ts'
import { cacheErrorCode } from '../../protocol/cache-error.ts'
import type { Clock } from '../../protocol/clock.ts'
import type { Item } from '../../protocol/item.ts'
import { recordKey } from '../../protocol/keyspace.ts'
import { foundValidAt, rememberValidity, type TagVersions, wasValidAt } from '../../protocol/tag-versions.ts'
import { createVersion } from '../../protocol/version.ts'
import type { BackendAdapter } from '../state/backend-adapter.ts'
import type { BackendState } from '../state/backend-state.ts'
import type { CacheState } from '../state/cache-state.ts'
import { answer, type Steps } from '../state/steps.ts'
import { isAlive } from './item-life.ts'

/** Number of attempts to mint a record that other processes mint and remove at the same time. */
const mintTries = 5
/** The end of a version that an invalidation gave to a record; a record that was minted has none. */
const invalidated = '!'
/** Separates the version of a record from that of its last expiry. */
const separator = '~'
/** Number of attempts to expire a tag whose record changes at the same time. */
const expireTries = 100
const nothingToUnlock = (): void => {}
/** Combinations of tags and versions that items share; with more, those that come later begin a new collection. */
const mostShared = 1000
/** Number of tag records whose versions the process remembers, if it is the only writer. */
const mostKnown = 10_000

/**
 * Tags by random versions. A tag's record holds a random version; an item keeps the versions that its tags had before its value
 * was made, and is valid while all of them are still the same. Validity is equality only: no clock is compared, and a lost
 * record makes its items invalid (RACES R4, R16, R17, R31), unless this process is the only writer and knows the version that
 * the record had. An invalidation writes one record, however many items have the tag.
 */
export class TagRecords {
  readonly #adapter: BackendAdapter
  readonly #shared: BackendState
  readonly #clock: Clock
  readonly #ttl: number
  readonly #local: boolean
  readonly #combinations = new Map<string, TagVersions>()

  constructor(adapter: BackendAdapter, shared: BackendState, clock: Clock, ttl: number, local: boolean) {
    this.#adapter = adapter
    this.#shared = shared
    this.#clock = clock
    this.#ttl = ttl
    this.#local = local
  }

  /** The versions of these records now; those that are missing are minted. */
  *capture(records: readonly string[]): Steps<TagVersions> {
    const versions: Record<string, string> = {}
    const found = yield* answer(this.#read(records))
    for (const [index, record] of records.entries()) {
      const item = found[index] ?? this.#lost(record)
      versions[record] = item === undefined ? yield* this.#mint(record) : yield* this.#renewed(item)
    }
    return this.#local ? this.#onePerCombination(versions) : rememberValidity(versions)
  }

  /** Those of captured versions that belong to these records. */
  among(versions: TagVersions, records: readonly string[]): TagVersions {
    const own = Object.fromEntries(records.map((record) => [record, versions[record] as string]))
    return this.#local ? this.#onePerCombination(own) : rememberValidity(own)
  }

  /** One object for all items of the same tags and versions: it is compared once after an invalidation, and kept once. */
  #onePerCombination(versions: TagVersions): TagVersions {
    const combination = JSON.stringify(versions)
    let shared = this.#combinations.get(combination)
    if (shared === undefined) {
      shared = rememberValidity(versions)
      if (this.#combinations.size === mostShared) this.#combinations.clear()
      this.#combinations.set(combination, shared)
    }
    return shared
  }

  /** Whether every tag still has the version that the item was made under. */
  valid(tags: TagVersions): MaybePromise<boolean> {
    return chain(this.validity(tags), (validity) => validity === 'valid')
  }

  validity(tags: TagVersions): MaybePromise<TagValidity> {
    if (this.#local && this.validNow(tags, this.#adapter as NearReader)) return 'valid'
    return chain(this.current(Object.keys(tags)), (current) => validityAmong(tags, current))
  }

  /** `validity`, where the versions that all these records have now were read already. */
  validityAmong(tags: TagVersions, current: Readonly<Record<string, unknown>>): TagValidity {
    const validity = validityAmong(tags, current)
    if (validity !== 'invalid') return validity
    return this.#local && this.validNow(tags, this.#adapter as NearReader) ? 'valid' : validity
  }

  /** The versions that these records have now; a missing one is absent. */
  current(records: readonly string[]): MaybePromise<Record<string, unknown>> {
    return chain(this.#read(records), (found) =>
      Object.fromEntries(records.map((record, index) => [record, found[index]?.value])),
    )
  }

  /** `valid` without waiting; `false` also if the reader has no answer. */
  validNow(tags: TagVersions, reader: NearReader): boolean {
    // If only this process writes, valid tags stay valid until an invalidation; otherwise the reader's generation limits that.
    const generation = this.#local ? this.#shared.tagGeneration : reader.generation?.()
    if (generation !== undefined && wasValidAt(tags, generation)) return true
    for (const record in tags) {
      const item = reader.get(record) ?? this.#lost(record)
      if (item === undefined || item.value !== tags[record]) return false
      if (this.#local) this.#know(item)
    }
    if (generation !== undefined) foundValidAt(tags, generation)
    return true
  }

  /**
   * A record that the store has lost is put back, if this process knows it and is the only writer. Hits with remembered tags do not
   * count as uses of the record, so its eviction would invalidate the items that are used most.
   */
  #lost(record: string): Item | undefined {
    if (!this.#local) return undefined
    const known = this.#shared.knownTags.get(record)
    if (known === undefined || !isAlive(known, this.#clock.now())) return undefined
    void this.#adapter.set(known)
    return known
  }

  #know(item: Item): void {
    const { knownTags } = this.#shared
    if (knownTags.get(item.key)?.version === item.version) return
    knownTags.delete(item.key)
    knownTags.set(item.key, item)
    if (knownTags.size <= mostKnown) return
    for (const oldest of knownTags.keys()) {
      knownTags.delete(oldest)
      return
    }
  }

  /**
   * Makes every item of the tag invalid. The namespace's own record changes first: a load that named its tags late captures them
   * first and looks at that record last, so that one of the two shows the change.
   */
  *invalidate(record: string, namespaceRecord: string): Steps<void> {
    for (const key of [namespaceRecord, record]) {
      this.#shared.moveTags()
      this.#shared.knownTags.delete(key)
      try {
        const created = this.#record(key)
        const record = { ...created, value: created.value + invalidated }
        yield* answer(this.#adapter.set(record))
        if (this.#local) this.#know(record)
      } catch (error) {
        // Removing the record frees memory rather than taking it, and a missing record means invalid.
        if (cacheErrorCode(error) !== 'OUT_OF_MEMORY') throw error
        yield* answer(this.#adapter.delete(key))
      }
      this.#shared.moveTags()
    }
  }

  /**
   * Makes every item of the tag stale. The record keeps the version that its items have, and gets a second one: an invalidation
   * that runs at the same time is not undone, because the change is a compare-and-set.
   */
  *expire(record: string, namespaceRecord: string): Steps<boolean> {
    this.#shared.moveTags()
    yield* answer(this.#adapter.set(this.#record(namespaceRecord)))
    for (let tried = 0; tried < expireTries; tried += 1) {
      const item = (yield* answer(this.#adapter.get(record))) ?? this.#lost(record)
      // Items of a tag without a record are invalid already.
      if (item === undefined) return true
      const created = this.#record(record)
      const next = { ...created, value: `${baseOf(item.value)}${separator}${created.value}${invalidated}` }
      if (!(yield* answer(this.#adapter.compareAndSet?.(record, item.version, next) ?? false))) continue
      if (this.#local) this.#know(next)
      this.#shared.moveTags()
      return true
    }
    return false
  }

  /** The instant of the last invalidation; `undefined` where there was none, or its record is gone. */
  invalidatedAt(record: string): MaybePromise<number | undefined> {
    return chain(this.#read([record]), ([item]) =>
      typeof item?.value === 'string' && item.value.endsWith(invalidated) ? item.createdAt : undefined,
    )
  }

  #read(records: readonly string[]): MaybePromise<readonly (Item | undefined)[]> {
    if (records.length === 0) return []
    if (records.length === 1) return chain(this.#adapter.get(records[0] as string), (item) => [item])
    return getMany(this.#adapter, records)
  }

  *#mint(key: string): Steps<string> {
    const record = this.#record(key)
    if (this.#adapter.compareAndSet === undefined) return yield* this.#mintAlone(key, record)
    for (let tried = 0; tried < mintTries; tried += 1) {
      if (yield* answer(this.#adapter.compareAndSet(key, undefined, record))) {
        if (this.#local) this.#know(record)
        return record.value
      }
      const other = yield* answer(this.#adapter.get(key))
      if (other !== undefined) return other.value as string
    }
    // A version that no record holds: the item that gets it is never valid.
    return record.value
  }

  /**
   * Without compare-and-set, two mints at once would replace each other's version, and the items of the first would be invalid. Within
   * a process one mint of a record runs at a time; between processes the items of one of them are invalid, which is safe.
   */
  *#mintAlone(key: string, record: Item<string>): Steps<string> {
    const unlock = this.#local ? nothingToUnlock : yield* answer(this.#shared.mutex.take(key))
    try {
      const other = this.#local ? undefined : yield* answer(this.#adapter.get(key))
      if (other !== undefined) return other.value as string
      yield* answer(this.#adapter.set(record))
      if (this.#local) this.#know(record)
      return record.value
    } finally {
      unlock()
    }
  }

  /** A record that is used keeps living: its life is renewed, with the same version, when half of it is over. */
  *#renewed(item: Item): Steps<string> {
    const left = (item.expiresAt ?? Infinity) - this.#clock.now()
    if (left < this.#ttl / 2 && this.#adapter.compareAndSet !== undefined) {
      // The instant of the last invalidation stays.
      const next = { ...this.#record(item.key), value: item.value, createdAt: item.createdAt }
      yield* answer(this.#adapter.compareAndSet(item.key, item.version, next))
    }
    if (this.#local) this.#know(item)
    return item.value as string
  }

  #record(key: string): Item<string> {
    const now = this.#clock.now()
    const record = { key, value: createVersion(), version: createVersion(), createdAt: now }
    return this.#ttl === Infinity ? record : { ...record, expiresAt: now + this.#ttl }
  }
}

/** Whether the tags of an item allow its use: `stale` since `expireByTag`. */
export type TagValidity = 'valid' | 'stale' | 'invalid'

function validityAmong(tags: TagVersions, current: Readonly<Record<string, unknown>>): TagValidity {
  let validity: TagValidity = 'valid'
  for (const record in tags) {
    if (tags[record] === current[record]) continue
    if (current[record] === undefined || baseOf(tags[record]) !== baseOf(current[record])) return 'invalid'
    validity = 'stale'
  }
  return validity
}

/** The version that an expiry of the tag does not change. */
function baseOf(version: unknown): string {
  const text = String(version)
  const end = text.indexOf(separator)
  return end === -1 ? text.replace(invalidated, '') : text.slice(0, end)
}

/** The backend's key of a tag. */
export function tagRecord(path: string, tag: string): string {
  return recordKey('#', path, tag)
}

/** The record that changes with every tag of the namespace; a tag's name is never empty. */
export function namespaceTagRecord(path: string): string {
  return recordKey('#', path, '')
}

/** The tag records of a cache: its namespaces share them. */
export function tagRecordsOf(state: CacheState): TagRecords {
  const { adapter, shared, settings, local } = state
  return new TagRecords(adapter, shared, settings.clock, settings.tagTtl, local)
}
