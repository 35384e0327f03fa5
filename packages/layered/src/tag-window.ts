import {
  type Clock,
  type Item,
  type MaybePromise,
  type NearReader,
  newGeneration,
  startTimer,
  type TagVersions,
} from '@cache/core/backend'
import type { Authority } from './authority.ts'
import { type KeyGeneration, KeyGenerations } from './key-generations.ts'
import type { Outage } from './outage.ts'

/** Records that are remembered. With more, the oldest is forgotten. */
const mostRecords = 10_000
/** Reads between two checks of the machine's clock, a power of two. An injected clock is checked at every read. */
const readsPerCheck = 64

interface Remembered {
  readonly item: Item
  /** An instant of `#now`. */
  readonly until: number
}

/**
 * Tag records of the authority that this process remembers for a short time, the tag window. A missing record is not
 * remembered. If a remembered record contradicts an item, the authority is asked again before the item counts as
 * invalid.
 *
 * The last known version of a record is kept longer. It answers only during an outage of the authority.
 */
export class TagWindow implements Required<NearReader> {
  readonly generations: KeyGenerations = new KeyGenerations()
  readonly #authority: Authority
  readonly #outage: Outage
  readonly #window: number
  readonly #clock: Clock
  readonly #exactClock: boolean
  /** Whether a change of the record waits in the recovery queue. Such a record reads as missing. */
  readonly #isPending: (record: string) => boolean
  readonly #remembered = new Map<string, Remembered>()
  /** The records that no change has invalidated, as far as this process knows. */
  readonly #lastKnown = new Map<string, Item>()
  #generation: number = newGeneration()
  /** No remembered record ends before this instant. */
  #earliestEnd = Infinity
  #reads = 0
  #suspended = false
  #cancelSweep: (() => void) | undefined

  constructor(
    authority: Authority,
    outage: Outage,
    window: number,
    clock: Clock,
    exactClock: boolean,
    isPending: (record: string) => boolean,
  ) {
    this.#authority = authority
    this.#outage = outage
    this.#window = window
    this.#clock = clock
    this.#exactClock = exactClock
    this.#isPending = isPending
  }

  /** The record, if it is remembered. */
  get(record: string): Item | undefined {
    this.#checkClock()
    return this.#remembered.get(record)?.item
  }

  /** A number that stays the same while all remembered records stay. */
  generation(): number {
    this.#checkClock()
    return this.#generation
  }

  /** The records in the order of their keys. Asks the authority for those that are not remembered. */
  async getMany(records: readonly string[]): Promise<(Item | undefined)[]> {
    const found = records.map((record) => this.get(record))
    const missing = records.filter((_, index) => found[index] === undefined)
    if (missing.length === 0) return found
    const fetched = await this.#fetch([...new Set(missing)])
    return records.map((record, index) => found[index] ?? fetched.get(record))
  }

  /** Whether every tag has the version that the item captured. Synchronous if the remembered records agree. */
  valid(tags: TagVersions): MaybePromise<boolean> {
    for (const record in tags) {
      if (this.get(record)?.value !== tags[record]) return this.validMany([tags]).then(([valid]) => valid === true)
    }
    return true
  }

  /** `valid` for several items. Asks the authority once, for records that are not remembered or contradict an item. */
  async validMany(all: readonly TagVersions[]): Promise<boolean[]> {
    const toFetch = new Set<string>()
    for (const tags of all) {
      for (const record in tags) if (this.get(record)?.value !== tags[record]) toFetch.add(record)
    }
    const fetched = toFetch.size === 0 ? undefined : await this.#fetch([...toFetch])
    return all.map((tags) => {
      for (const record in tags) {
        const item = fetched !== undefined && toFetch.has(record) ? fetched.get(record) : this.get(record)
        if (item?.value !== tags[record]) return false
      }
      return true
    })
  }

  /** Whether a remembered record contradicts the item. The record may be the older of the two. */
  contradicts(tags: TagVersions): boolean {
    for (const record in tags) {
      const remembered = this.get(record)
      if (remembered !== undefined && remembered.value !== tags[record]) return true
    }
    return false
  }

  /** Whether every tag has the version that the item captured, as far as this process knows during an outage. */
  validInOutage(tags: TagVersions): boolean {
    for (const record in tags) if (this.#knownItem(record)?.value !== tags[record]) return false
    return true
  }

  /**
   * The authority may have changed the record: it is forgotten, and the results of reads under way are not remembered.
   */
  forget(record: string): void {
    this.generations.invalidate(record)
    this.#lastKnown.delete(record)
    this.#drop(record)
  }

  forgetPrefix(prefix: string): void {
    for (const record of this.#lastKnown.keys()) if (record.startsWith(prefix)) this.#lastKnown.delete(record)
    this.#forgetWindow(prefix)
  }

  /** Remembers the authority's record, unless the record was invalidated since `captured`. */
  remember(generation: KeyGeneration, captured: number, item: Item): void {
    if (generation.count !== captured || item.value === undefined) return
    this.#keepLastKnown(item)
    if (this.#window === 0 || this.#suspended) return
    const life = (item.expiresAt ?? Infinity) - this.#clock.now()
    if (life <= 0) return
    this.#drop(item.key, item)
    const until = this.#now() + Math.min(this.#window, life)
    this.#remembered.set(item.key, { item, until })
    this.#earliestEnd = Math.min(this.#earliestEnd, until)
    if (this.#remembered.size > mostRecords) this.#forgetOldest()
    this.#startSweep()
  }

  /**
   * Remembers no records, because announcements may be missed from now on (RACES R14). Only the last known versions
   * remain.
   */
  suspend(): void {
    this.#suspended = true
    this.#forgetWindow('')
  }

  /** Remembers records again, because announcements arrive again. */
  resume(): void {
    this.#suspended = false
    this.forgetPrefix('')
  }

  close(): void {
    this.#cancelSweep?.()
    this.#cancelSweep = undefined
    this.#remembered.clear()
    this.#lastKnown.clear()
    this.#generation = newGeneration()
  }

  async #fetch(records: readonly string[]): Promise<Map<string, Item>> {
    const generations = records.map((record) => this.generations.enter(record))
    const captured = generations.map((generation) => generation.count)
    try {
      const { value: items, isCopy } = await this.#outage.read(
        'records',
        () => this.#authority.getMany(records),
        () => this.#allLastKnown(records),
      )
      const found = new Map<string, Item>()
      for (const [index, item] of items.entries()) {
        const record = records[index] as string
        if (isCopy) found.set(record, item as Item)
        else if (item === undefined) {
          this.#lastKnown.delete(record)
          this.#drop(record)
        } else if (!this.#isPending(record)) {
          found.set(record, item)
          this.remember(generations[index] as KeyGeneration, captured[index] as number, item)
        }
      }
      return found
    } finally {
      for (const [index, generation] of generations.entries()) {
        this.generations.leave(records[index] as string, generation)
      }
    }
  }

  /**
   * Forgets records that have ended. A read of the machine's clock costs more than a look-up, and a timer forgets these
   * records as well, so only some reads check that clock: a blocked event loop delays the timer.
   */
  #checkClock(): void {
    this.#reads += 1
    if (!this.#exactClock && (this.#reads & (readsPerCheck - 1)) !== 0) return
    if (this.#now() >= this.#earliestEnd) this.#forgetEnded()
  }

  #forgetWindow(prefix: string): void {
    this.generations.invalidatePrefix(prefix)
    for (const record of this.#remembered.keys()) if (record.startsWith(prefix)) this.#drop(record)
  }

  #keepLastKnown(item: Item): void {
    if (!this.#outage.keepsRecords) return
    this.#lastKnown.delete(item.key)
    this.#lastKnown.set(item.key, item)
    if (this.#lastKnown.size <= mostRecords) return
    for (const oldest of this.#lastKnown.keys()) {
      this.#lastKnown.delete(oldest)
      return
    }
  }

  #knownItem(record: string): Item | undefined {
    const item = this.#lastKnown.get(record)
    return item === undefined || (item.expiresAt ?? Infinity) <= this.#clock.now() ? undefined : item
  }

  /** The last known records, or `undefined` if one of them is unknown. */
  #allLastKnown(records: readonly string[]): Item[] | undefined {
    const items: Item[] = []
    for (const record of records) {
      const item = this.#knownItem(record)
      if (item === undefined) return undefined
      items.push(item)
    }
    return items
  }

  /** Forgets a record. `next` is the record that replaces it. */
  #drop(record: string, next?: Item): void {
    const dropped = this.#remembered.get(record)
    if (dropped === undefined) return
    this.#remembered.delete(record)
    if (dropped.item.value !== next?.value) this.#generation = newGeneration()
  }

  /** The instant of the injected clock, or of the monotonic clock of the process. */
  #now(): number {
    return this.#exactClock ? this.#clock.now() : performance.now()
  }

  #forgetOldest(): void {
    for (const record of this.#remembered.keys()) {
      this.#drop(record)
      return
    }
  }

  #forgetEnded(): void {
    const now = this.#now()
    this.#earliestEnd = Infinity
    for (const [record, { until }] of this.#remembered) {
      if (until <= now) this.#drop(record)
      else this.#earliestEnd = Math.min(this.#earliestEnd, until)
    }
  }

  #startSweep(): void {
    if (this.#cancelSweep !== undefined) return
    this.#cancelSweep = startTimer(this.#clock, this.#window, () => {
      this.#cancelSweep = undefined
      this.#forgetEnded()
      if (this.#remembered.size > 0) this.#startSweep()
    })
  }
}
