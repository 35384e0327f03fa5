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
import { type Fence, KeyFences } from './key-generations.ts'

/** Records that are remembered; with more, the oldest is forgotten. */
const mostRecords = 10_000
/** How many reads, a power of two, may go by between two looks at the clock, where it was not handed in. */
const readsPerLook = 64

interface Remembered {
  readonly item: Item
  /** By the ticker of the window. */
  readonly until: number
}

/**
 * The records of tags, which the authority keeps, remembered for a short time. A record that is missing is never remembered,
 * and one that contradicts an item is asked for again before the item counts as invalid.
 */
export class TagWindow implements NearReader {
  readonly fences: KeyFences = new KeyFences()
  readonly #authority: Authority
  readonly #window: number
  readonly #clock: Clock
  readonly #exact: boolean
  readonly #remembered = new Map<string, Remembered>()
  #generation: number = newGeneration()
  /** No remembered record is over before this instant. */
  #earliest = Infinity
  #reads = 0
  #suspended = false
  #cancelSweep: (() => void) | undefined

  constructor(authority: Authority, window: number, clock: Clock, exact: boolean) {
    this.#authority = authority
    this.#window = window
    this.#clock = clock
    this.#exact = exact
  }

  /** The record at once, where it is remembered. */
  get(record: string): Item | undefined {
    this.#expire()
    return this.#remembered.get(record)?.item
  }

  /** Stays the same while every record that was remembered still is. */
  generation(): number {
    this.#expire()
    return this.#generation
  }

  /** The records in the order of their keys: remembered, else asked for. */
  async getMany(records: readonly string[]): Promise<(Item | undefined)[]> {
    const found = records.map((record) => this.get(record))
    const missing = records.filter((_, index) => found[index] === undefined)
    if (missing.length === 0) return found
    const fetched = await this.#fetch([...new Set(missing)])
    return records.map((record, index) => found[index] ?? fetched.get(record))
  }

  /** Whether every tag still has the version that it had for the item. At once where the records are remembered and agree. */
  valid(tags: TagVersions): MaybePromise<boolean> {
    for (const record in tags) {
      if (this.get(record)?.value !== tags[record]) return this.validMany([tags]).then(([valid]) => valid === true)
    }
    return true
  }

  /** The same for several items, with one question to the authority: what is not remembered or contradicts an item is asked for. */
  async validMany(all: readonly TagVersions[]): Promise<boolean[]> {
    const doubtful = new Set<string>()
    for (const tags of all) {
      for (const record in tags) if (this.get(record)?.value !== tags[record]) doubtful.add(record)
    }
    const fetched = doubtful.size === 0 ? undefined : await this.#fetch([...doubtful])
    return all.map((tags) => {
      for (const record in tags) {
        const item = fetched !== undefined && doubtful.has(record) ? fetched.get(record) : this.get(record)
        if (item?.value !== tags[record]) return false
      }
      return true
    })
  }

  /** Whether a remembered record contradicts the item; what is remembered may be the older of the two. */
  contradicts(tags: TagVersions): boolean {
    for (const record in tags) {
      const remembered = this.get(record)
      if (remembered !== undefined && remembered.value !== tags[record]) return true
    }
    return false
  }

  /** The authority may have changed the record: reads of it under way come too late. */
  forget(record: string): void {
    this.fences.bump(record)
    this.#drop(record)
  }

  forgetPrefix(prefix: string): void {
    this.fences.bumpPrefix(prefix)
    for (const record of this.#remembered.keys()) if (record.startsWith(prefix)) this.#drop(record)
  }

  /** Remembers what the authority holds, unless something was heard of the record since `generation`. */
  remember(fence: Fence, epoch: number, item: Item): void {
    if (this.#window === 0 || this.#suspended || fence.epoch !== epoch || item.value === undefined) return
    const life = (item.expiresAt ?? Infinity) - this.#clock.now()
    if (life <= 0) return
    this.#drop(item.key, item)
    const until = this.#ticks() + Math.min(this.#window, life)
    this.#remembered.set(item.key, { item, until })
    this.#earliest = Math.min(this.#earliest, until)
    if (this.#remembered.size > mostRecords) this.#forgetOldest()
    this.#armSweep()
  }

  /** Announcements may be missed from here on: nothing is remembered (RACES R14). */
  suspend(): void {
    this.#suspended = true
    this.forgetPrefix('')
  }

  /** Announcements arrive again. */
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
    const entered = records.map((record) => this.fences.enter(record))
    const epochs = entered.map((fence) => fence.epoch)
    try {
      const items = await this.#authority.getMany(records)
      const found = new Map<string, Item>()
      for (const [index, item] of items.entries()) {
        const record = records[index] as string
        if (item === undefined) this.#drop(record)
        else {
          found.set(record, item)
          this.remember(entered[index] as Fence, epochs[index] as number, item)
        }
      }
      return found
    } finally {
      for (const [index, fence] of entered.entries()) this.fences.leave(records[index] as string, fence)
    }
  }

  // Looking at the clock costs more than a look-up. Where it is the machine's, a timer forgets what is over, and only a blocked event
  // loop needs this.
  #expire(): void {
    this.#reads += 1
    if (!this.#exact && (this.#reads & (readsPerLook - 1)) !== 0) return
    if (this.#ticks() >= this.#earliest) this.#forgetOver()
  }

  /** Forgets a record, for the sake of another one of its key if `next` is given. */
  #drop(record: string, next?: Item): void {
    const dropped = this.#remembered.get(record)
    if (dropped === undefined) return
    this.#remembered.delete(record)
    if (dropped.item.value !== next?.value) this.#generation = newGeneration()
  }

  /** An instant of the ticker: the clock that was handed in, else one that nobody sets back. */
  #ticks(): number {
    return this.#exact ? this.#clock.now() : performance.now()
  }

  #forgetOldest(): void {
    for (const record of this.#remembered.keys()) {
      this.#drop(record)
      return
    }
  }

  #forgetOver(): void {
    const now = this.#ticks()
    this.#earliest = Infinity
    for (const [record, { until }] of this.#remembered) {
      if (until <= now) this.#drop(record)
      else this.#earliest = Math.min(this.#earliest, until)
    }
  }

  #armSweep(): void {
    if (this.#cancelSweep !== undefined) return
    this.#cancelSweep = startTimer(this.#clock, this.#window, () => {
      this.#cancelSweep = undefined
      this.#forgetOver()
      if (this.#remembered.size > 0) this.#armSweep()
    })
  }
}
