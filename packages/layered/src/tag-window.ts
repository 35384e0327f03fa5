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
 */
export class TagWindow implements Required<NearReader> {
  readonly generations: KeyGenerations = new KeyGenerations()
  readonly #authority: Authority
  readonly #window: number
  readonly #clock: Clock
  readonly #exactClock: boolean
  readonly #remembered = new Map<string, Remembered>()
  #generation: number = newGeneration()
  /** No remembered record ends before this instant. */
  #earliestEnd = Infinity
  #reads = 0
  #suspended = false
  #cancelSweep: (() => void) | undefined

  constructor(authority: Authority, window: number, clock: Clock, exactClock: boolean) {
    this.#authority = authority
    this.#window = window
    this.#clock = clock
    this.#exactClock = exactClock
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

  /**
   * The authority may have changed the record: it is forgotten, and the results of reads under way are not remembered.
   */
  forget(record: string): void {
    this.generations.invalidate(record)
    this.#drop(record)
  }

  forgetPrefix(prefix: string): void {
    this.generations.invalidatePrefix(prefix)
    for (const record of this.#remembered.keys()) if (record.startsWith(prefix)) this.#drop(record)
  }

  /** Remembers the authority's record, unless the record was invalidated since `captured`. */
  remember(generation: KeyGeneration, captured: number, item: Item): void {
    if (this.#window === 0 || this.#suspended || generation.count !== captured || item.value === undefined) return
    const life = (item.expiresAt ?? Infinity) - this.#clock.now()
    if (life <= 0) return
    this.#drop(item.key, item)
    const until = this.#now() + Math.min(this.#window, life)
    this.#remembered.set(item.key, { item, until })
    this.#earliestEnd = Math.min(this.#earliestEnd, until)
    if (this.#remembered.size > mostRecords) this.#forgetOldest()
    this.#startSweep()
  }

  /** Forgets all records and remembers no more, because announcements may be missed from now on (RACES R14). */
  suspend(): void {
    this.#suspended = true
    this.forgetPrefix('')
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
    this.#generation = newGeneration()
  }

  async #fetch(records: readonly string[]): Promise<Map<string, Item>> {
    const generations = records.map((record) => this.generations.enter(record))
    const captured = generations.map((generation) => generation.count)
    try {
      const items = await this.#authority.getMany(records)
      const found = new Map<string, Item>()
      for (const [index, item] of items.entries()) {
        const record = records[index] as string
        if (item === undefined) this.#drop(record)
        else {
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
