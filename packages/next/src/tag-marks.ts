import { createVersion } from '@cache/core/backend'
import type { FailureReports } from './failure-reports.ts'
import type { Durations } from './next-types.ts'
import type { Settings } from './options.ts'
import type { Store } from './store.ts'
import {
  emptyShard,
  invalidate,
  seenBy,
  stateAt,
  stateSince,
  type TagShard,
  type TagState,
  worst,
} from './tag-shard.ts'
import { UnsentMarks } from './unsent-marks.ts'

/** The shards of an entry's tags as they were when it was stored. */
export type TagStamps = readonly (readonly [shard: number, id: string, seen: number])[]

/** What an entry remembers of its tags. */
export interface TaggedEntry {
  readonly tags: readonly string[]
  readonly stamps: TagStamps
  /** The instant before its render began. */
  readonly madeAt: number
}

const shardCount = 16

/**
 * The invalidations of tags, in a fixed number of records. Each record always exists, so that a near layer can hold copies of all and
 * can answer from them without a round trip, also while the remote store is down.
 */
export class TagMarks {
  readonly #store: Store
  readonly #settings: Settings
  readonly #failures: FailureReports
  readonly #unsent: UnsentMarks
  #ready: Promise<void> | undefined

  constructor(store: Store, settings: Settings, failures: FailureReports) {
    this.#store = store
    this.#settings = settings
    this.#failures = failures
    this.#unsent = new UnsentMarks(settings, (tags, durations) => this.#send(tags, durations))
  }

  /** Creates the records that are missing, once. Entries are made after it, so that a record younger than an entry means a lost one. */
  ready(): Promise<void> {
    this.#ready ??= this.#read(Array.from({ length: shardCount }, (_, index) => index)).then(
      () => undefined,
      (error) => {
        this.#ready = undefined
        throw error
      },
    )
    return this.#ready
  }

  /**
   * Records an invalidation. While the store fails, this process remembers it and sends it later: the action of a user does not fail, and
   * this process serves no entry from before it.
   */
  async invalidate(tags: readonly string[], durations: Durations | undefined): Promise<void> {
    try {
      await this.#send(tags, durations)
    } catch (error) {
      this.#unsent.add(tags, durations, this.#now())
      this.#failures.report(error, 'revalidateTag')
    }
  }

  /** Tries once more to send what could not be sent. */
  async close(): Promise<void> {
    const lost = await this.#unsent.close()
    if (lost > 0)
      this.#failures.report(new Error(`${lost} invalidations did not reach the store before close`), 'close')
  }

  /** The stamps for an entry that is about to be stored, or `undefined` if one of its tags expired since its render began. */
  async stampsFor(tags: readonly string[], madeAt: number): Promise<TagStamps | undefined> {
    const now = this.#now()
    const { clockTolerance } = this.#settings
    if (this.#unsent.stateOf(tags, madeAt, now) !== 'valid') return undefined
    const groups = [...groupByShard(tags)]
    const shards = await this.#read(groups.map(([index]) => index))
    const stamps: (readonly [number, string, number])[] = []
    for (const [index, group] of groups) {
      const shard = shards.get(index) as TagShard
      if (group.some((tag) => stateAt(shard, tag, madeAt, now, clockTolerance) === 'expired')) return undefined
      stamps.push([index, shard.id, seenBy(shard, group, madeAt, clockTolerance)])
    }
    return stamps
  }

  /** The state of an entry by its own tags, and by further tags that are not stored with it. */
  async stateOf(entry: TaggedEntry, softTags: readonly string[]): Promise<TagState> {
    const further = softTags.filter((tag) => !entry.tags.includes(tag))
    const indexes = new Set([...entry.stamps.map(([index]) => index), ...further.map(shardOf)])
    const shards = await this.#read([...indexes])
    const now = this.#now()
    const { clockTolerance } = this.#settings
    const states: TagState[] = further.map((tag) =>
      stateAt(shards.get(shardOf(tag)) as TagShard, tag, entry.madeAt, now, clockTolerance),
    )
    states.push(this.#unsent.stateOf([...entry.tags, ...further], entry.madeAt, now))
    const stamps = new Map(entry.stamps.map(([index, id, seen]) => [index, { id, seen }]))
    for (const tag of entry.tags) {
      const stamp = stamps.get(shardOf(tag))
      const shard = shards.get(shardOf(tag))
      const isKnown = stamp !== undefined && shard !== undefined && shard.id === stamp.id
      states.push(isKnown ? stateSince(shard, tag, stamp.seen, now) : 'expired')
    }
    return worst(states)
  }

  async #send(tags: readonly string[], durations: Durations | undefined): Promise<void> {
    const now = this.#now()
    const { maxAge } = this.#settings
    const changes = [...groupByShard(tags)].map(([index, group]) =>
      this.#update(index, (shard) => invalidate(shard, group, durations, now, maxAge)),
    )
    await Promise.all(changes)
  }

  /** The shards with these indexes. Missing ones are created. */
  async #read(indexes: readonly number[]): Promise<Map<number, TagShard>> {
    if (indexes.length === 0) return new Map()
    const found = (await this.#store.getMany(indexes.map((index) => this.#key(index)))) as (TagShard | undefined)[]
    const shards = await Promise.all(
      indexes.map(async (index, place) => found[place] ?? (await this.#update(index, (shard) => shard))),
    )
    return new Map(indexes.map((index, place) => [index, shards[place] as TagShard]))
  }

  async #update(index: number, change: (shard: TagShard) => TagShard): Promise<TagShard> {
    const made = (current: unknown): TagShard =>
      change((current as TagShard | undefined) ?? emptyShard(createVersion(), this.#now()))
    return (await this.#store.update(this.#key(index), made, Number.POSITIVE_INFINITY)) as TagShard
  }

  #key(index: number): string {
    return `${this.#settings.prefix}:tags:${index}`
  }

  #now(): number {
    return Math.floor(this.#settings.clock.now())
  }
}

/** FNV-1a. It only spreads tags over the records. */
function shardOf(tag: string): number {
  let hash = 0x811c9dc5
  for (let place = 0; place < tag.length; place += 1) {
    hash = Math.imul(hash ^ tag.charCodeAt(place), 0x01000193)
  }
  return (hash >>> 0) % shardCount
}

function groupByShard(tags: readonly string[]): Map<number, string[]> {
  const groups = new Map<number, string[]>()
  for (const tag of new Set(tags)) {
    const index = shardOf(tag)
    const group = groups.get(index)
    if (group === undefined) groups.set(index, [tag])
    else group.push(tag)
  }
  return groups
}
