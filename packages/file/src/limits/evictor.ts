import type { BackendEvent, EventHub, EvictionReason } from '@cache/core/backend'
import type { ItemIndex, Total, Victim } from '../index/item-index.ts'
import { keyOfText } from '../index/key-text.ts'
import type { EvictionPolicy } from '../index/schema.ts'
import type { Touches } from './access-log.ts'

export interface Limits {
  readonly maxBytes: number
  readonly maxEntries: number
  readonly policy: EvictionPolicy
}

/** How many victims are looked up at a time. */
const step = 32
/** Looked up whatever the time: on a busy machine the clock runs on while this thread waits, and a few items must not stay over a limit. */
const roundsInAnyCase = 4
/** Where ids go higher, counting the rows would hold the event loop: see `doubts`. */
const countedAtOnce = 5000

/**
 * Removes expired items and, over a limit, those that the policy gives up: a few with every write, inside its transaction.
 *
 * Storing or reading an item again would move it in the policy's index, two pages of the log for each. So it keeps its old
 * rank, which is never higher than what is due. Here, the items of the lowest ranks get the rank that is due; when none of
 * them changes, they are the right ones, because every other item's due rank is at least its rank.
 */
export class Culler {
  readonly #limits: Limits
  readonly #touches: Touches
  readonly #hub: EventHub
  /** What is told when the transaction is committed. */
  #events: BackendEvent[] = []
  #evicted = 0
  #removedExpired = 0
  #recounted = false
  evictions = 0
  expired = 0

  constructor(limits: Limits, touches: Touches, hub: EventHub) {
    this.#limits = limits
    this.#touches = touches
    this.#hub = hub
  }

  isOver(total: Total): boolean {
    return total.entries > this.#limits.maxEntries || total.bytes > this.#limits.maxBytes
  }

  /** Whether one item of that size could ever be kept. */
  fits(bytes: number): boolean {
    return bytes <= this.#limits.maxBytes
  }

  /** Removes what has expired of the next `count` items that are due; returns how many were due. */
  removeExpired(index: ItemIndex, now: number, count: number): number {
    const { removed, looked } = index.removeExpired(now, count)
    for (const { key, kind } of removed) {
      if (kind === 0) continue
      this.#removedExpired += 1
      if (this.#hub.active) this.#events.push({ type: 'expire', key: keyOfText(key) })
    }
    return looked
  }

  /** Removes what the policy gives up until the limits hold or the deadline has passed; returns whether they hold. */
  cull(index: ItemIndex, now: number, deadline: number): boolean {
    if (!this.isOver(this.#credible(index))) return true
    let rounds = 0
    const isLate = (): boolean => {
      rounds += 1
      return rounds > roundsInAnyCase && performance.now() > deadline
    }
    while (this.removeExpired(index, now, step) > 0) {
      if (!this.isOver(index.total())) return true
      if (isLate()) return false
    }
    if (this.#limits.policy === 'none') return true
    this.#touches.apply(index, true)
    let { entries, bytes } = index.total()
    for (;;) {
      const victims = index.victims(now, step)
      if (victims.length === 0) return true
      if (correctRanks(index, victims)) {
        if (isLate()) return false
        continue
      }
      for (const victim of victims) {
        const reason = this.#reason(entries, bytes)
        if (reason === undefined) return true
        index.removeById(victim.id)
        entries -= 1
        bytes -= victim.bytes
        this.noteEviction(victim.key, reason)
      }
      if (isLate()) return this.#reason(entries, bytes) === undefined
    }
  }

  /**
   * Whether the totals are far over a limit, which never happens by itself: either the limit was lowered, or the counters are
   * damaged, and culling by them would empty the cache. Then they are counted anew, once.
   */
  doubts(index: ItemIndex): boolean {
    return !this.#recounted && this.#isFarOver(index.total()) && index.lastId() > countedAtOnce
  }

  /** The totals are what was counted. */
  recounted(): void {
    this.#recounted = true
  }

  /** The totals, counted anew where there is doubt and few rows are to be counted. */
  #credible(index: ItemIndex): Total {
    const total = index.total()
    if (this.#recounted || !this.#isFarOver(total)) return total
    this.#recounted = true
    index.recount()
    return index.total()
  }

  #isFarOver({ entries, bytes }: Total): boolean {
    return entries > 2 * this.#limits.maxEntries || bytes > 2 * this.#limits.maxBytes
  }

  noteEviction(text: string, reason: EvictionReason): void {
    this.#evicted += 1
    if (this.#hub.active) this.#events.push({ type: 'evict', key: keyOfText(text), reason })
  }

  committed(): void {
    this.evictions += this.#evicted
    this.expired += this.#removedExpired
    const events = this.#events
    this.rolledBack()
    for (const event of events) this.#hub.emit(event)
  }

  rolledBack(): void {
    this.#evicted = 0
    this.#removedExpired = 0
    if (this.#events.length > 0) this.#events = []
  }

  #reason(entries: number, bytes: number): EvictionReason | undefined {
    if (entries > this.#limits.maxEntries) return 'entries'
    return bytes > this.#limits.maxBytes ? 'bytes' : undefined
  }
}

/** Whether a rank was not what is due. */
function correctRanks(index: ItemIndex, victims: readonly Victim[]): boolean {
  let corrected = false
  for (const { id, rank, due } of victims) {
    if (rank >= due) continue
    index.setRank(id, due)
    corrected = true
  }
  return corrected
}
