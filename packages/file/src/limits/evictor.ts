import type { BackendEvent, EventHub, EvictionReason } from '@cache/core/backend'
import type { EventLoopBudget } from '../calls/event-loop-budget.ts'
import type { EvictionCandidate, Totals } from '../index/index-rows.ts'
import type { ItemIndex } from '../index/item-index.ts'
import { keyOfText } from '../index/key-text.ts'
import type { EvictionPolicy } from '../index/schema.ts'
import type { AccessLog } from './access-log.ts'

export interface Limits {
  readonly maxBytes: number
  readonly maxEntries: number
  readonly policy: EvictionPolicy
}

/** Rows that one query looks up. */
const rowsPerStep = 32
/**
 * Steps without a look at the time: on a busy machine time passes while this thread waits, and a few items must go at
 * once.
 */
const minSteps = 4
/** With higher ids, a recount would block the event loop: see `needsRecount`. */
const maxRecountedId = 5000

/**
 * Removes expired items, and evicts items over a limit: a few with every write, inside its transaction.
 *
 * An overwrite or a read of an item would move it in the policy's index, which costs two pages of the log. So the item
 * keeps its old rank, which is never higher than its current rank. An eviction first updates the lowest ranks. When
 * none of them changes, these items are the right ones: the current rank of every other item is at least its stored
 * rank.
 */
export class Evictor {
  readonly #limits: Limits
  readonly #accessLog: AccessLog
  readonly #hub: EventHub
  readonly #budget: EventLoopBudget
  /** Events of the open transaction, which are emitted after its commit. */
  #events: BackendEvent[] = []
  #uncommittedEvictions = 0
  #uncommittedExpired = 0
  #isRecounted = false
  /** The number of items that this process has evicted. */
  evictions = 0
  /** The number of expired values that this process has removed. */
  expired = 0

  constructor(limits: Limits, accessLog: AccessLog, hub: EventHub, budget: EventLoopBudget) {
    this.#limits = limits
    this.#accessLog = accessLog
    this.#hub = hub
    this.#budget = budget
  }

  isOver(totals: Totals): boolean {
    return totals.entries > this.#limits.maxEntries || totals.bytes > this.#limits.maxBytes
  }

  /** Whether one item of that size fits at all. */
  fits(bytes: number): boolean {
    return bytes <= this.#limits.maxBytes
  }

  /** Removes the expired items among the next `count` items that are due; returns the number of due items. */
  removeExpired(index: ItemIndex, now: number, count: number): number {
    const { removed, due } = index.removeExpired(now, count)
    for (const { key, kind } of removed) {
      if (kind === 0) continue
      this.#uncommittedExpired += 1
      if (this.#hub.wants('expire')) this.#events.push({ type: 'expire', key: keyOfText(key) })
    }
    return due
  }

  /** Evicts items until the limits hold or the deadline has passed; returns whether the limits hold. */
  evictToLimits(index: ItemIndex, now: number, deadline: number): boolean {
    if (!this.isOver(this.#plausibleTotals(index))) return true
    let steps = 0
    const isLate = (): boolean => {
      steps += 1
      return steps > minSteps && this.#budget.isPast(deadline)
    }
    while (this.removeExpired(index, now, rowsPerStep) > 0) {
      if (!this.isOver(index.totals())) return true
      if (isLate()) return false
    }
    if (this.#limits.policy === 'none') return true
    this.#accessLog.write(index, true)
    let { entries, bytes } = index.totals()
    for (;;) {
      const candidates = index.evictionCandidates(now, rowsPerStep)
      if (candidates.length === 0) return true
      if (updateRanks(index, candidates)) {
        if (isLate()) return false
        continue
      }
      for (const candidate of candidates) {
        const reason = this.#exceededLimit(entries, bytes)
        if (reason === undefined) return true
        index.removeById(candidate.id)
        entries -= 1
        bytes -= candidate.bytes
        this.noteEviction(candidate.key, reason)
      }
      if (isLate()) return this.#exceededLimit(entries, bytes) === undefined
    }
  }

  /**
   * Whether the totals are implausible and too many rows exist to count them in this thread. Totals far over a limit
   * come from a lowered limit or from damage, and an eviction by damaged totals would empty the cache. So they are
   * counted once.
   */
  needsRecount(index: ItemIndex): boolean {
    return !this.#isRecounted && this.#isFarOver(index.totals()) && index.lastId() > maxRecountedId
  }

  /** Notes that the totals have been counted. */
  recounted(): void {
    this.#isRecounted = true
  }

  /** The totals. Implausible ones are counted first, which is cheap here: see `needsRecount`. */
  #plausibleTotals(index: ItemIndex): Totals {
    const totals = index.totals()
    if (this.#isRecounted || !this.#isFarOver(totals)) return totals
    this.#isRecounted = true
    index.recount()
    return index.totals()
  }

  #isFarOver({ entries, bytes }: Totals): boolean {
    return entries > 2 * this.#limits.maxEntries || bytes > 2 * this.#limits.maxBytes
  }

  noteEviction(text: string, reason: EvictionReason): void {
    this.#uncommittedEvictions += 1
    if (this.#hub.wants('evict')) this.#events.push({ type: 'evict', key: keyOfText(text), reason })
  }

  committed(): void {
    this.evictions += this.#uncommittedEvictions
    this.expired += this.#uncommittedExpired
    const events = this.#events
    this.rolledBack()
    for (const event of events) this.#hub.emit(event)
  }

  rolledBack(): void {
    this.#uncommittedEvictions = 0
    this.#uncommittedExpired = 0
    if (this.#events.length > 0) this.#events = []
  }

  #exceededLimit(entries: number, bytes: number): EvictionReason | undefined {
    if (entries > this.#limits.maxEntries) return 'entries'
    return bytes > this.#limits.maxBytes ? 'bytes' : undefined
  }
}

/** Stores the current ranks; returns whether one of them differed. */
function updateRanks(index: ItemIndex, candidates: readonly EvictionCandidate[]): boolean {
  let changed = false
  for (const { id, rank, currentRank } of candidates) {
    if (rank >= currentRank) continue
    index.setRank(id, currentRank)
    changed = true
  }
  return changed
}
