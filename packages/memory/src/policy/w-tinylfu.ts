import type { Slots } from '../engine/slots.ts'
import { FrequencySketch } from './frequency-sketch.ts'
import type { Policy } from './policy.ts'
import { SlotLists } from './slot-lists.ts'

const WINDOW = 0
const PROBATION = 1
const PROTECTED = 2
/** Bits 0 and 1 of the meta byte: the list that the slot is in. */
const LIST = 3
const WINDOW_SHARE = 0.01
const PROTECTED_SHARE = 0.8
/** A candidate at least this warm gets in against a warmer victim once in 128 times: an attacker must not make victims look warm for ever. */
const WARM = 6
/** A newcomer that takes more than this share of the cache gets no place in the window, but must be admitted. */
const HUGE_SHARE = 0.125
/** A candidate for which more entries than this would have to leave is not admitted. */
const MOST_VICTIMS = 64

/**
 * W-TinyLFU with a window of 1 %: newcomers live in a small LRU window; who leaves it gets into the main part, a segmented LRU, only if
 * it was seen more often than the entry that would leave for it. Gil Einziger, Roy Friedman and Ben Manes, "TinyLFU: A Highly
 * Efficient Cache Admission Policy", ACM Transactions on Storage 13(4), 2017.
 */
export class WTinyLfuPolicy implements Policy {
  readonly name = 'w-tinylfu'
  private readonly slots: Slots<unknown, unknown>
  private readonly random: () => number
  private readonly lists = new SlotLists(3)
  private readonly weights = new Float64Array(3)
  private readonly sketch = new FrequencySketch()
  private newest = -1
  private maxEntries = Number.POSITIVE_INFINITY
  private maxBytes = Number.POSITIVE_INFINITY

  constructor(slots: Slots<unknown, unknown>, random: () => number) {
    this.slots = slots
    this.random = random
  }

  grow(capacity: number): void {
    this.lists.grow(capacity)
    this.sketch.grow(capacity)
  }

  insert(slot: number): void {
    this.sketch.add(this.slots.hashes[slot] as number)
    this.push(WINDOW, slot)
    this.newest = slot
    // While there is room, who leaves the window gets in without a contest.
    if (!this.isFull() && this.isWindowOver(this.total()) && this.lists.size(WINDOW) > 1) {
      this.move(this.lists.back(WINDOW), PROBATION)
    }
  }

  hit(slot: number): void {
    this.sketch.add(this.slots.hashes[slot] as number)
    const list = this.listOf(slot)
    if (list !== PROBATION) {
      this.lists.refresh(list, slot)
      return
    }
    this.take(slot)
    this.push(PROTECTED, slot)
    const main = (this.weights[PROBATION] as number) + (this.weights[PROTECTED] as number)
    while ((this.weights[PROTECTED] as number) > main * PROTECTED_SHARE && this.lists.size(PROTECTED) > 1) {
      this.move(this.lists.back(PROTECTED), PROBATION)
    }
  }

  reweigh(slot: number, before: number): void {
    const list = this.listOf(slot)
    this.weights[list] = (this.weights[list] as number) + this.slots.weightAt(slot) - before
  }

  evict(): number {
    const candidate = this.candidate()
    const victim = this.mainVictim()
    if (candidate < 0) return this.leave(victim >= 0 ? victim : this.lists.back(WINDOW))
    if (victim < 0 || !this.admits(candidate)) return this.leave(candidate)
    this.move(candidate, PROBATION)
    return this.leave(victim)
  }

  remove(slot: number): void {
    if (this.newest === slot) this.newest = -1
    this.take(slot)
  }

  clear(): void {
    this.lists.clear()
    this.weights.fill(0)
    this.sketch.clear()
    this.newest = -1
  }

  limit(maxEntries: number, maxBytes: number): void {
    this.maxEntries = maxEntries
    this.maxBytes = maxBytes
  }

  *order(): Generator<number> {
    yield* this.lists.slots(PROBATION)
    yield* this.lists.slots(WINDOW)
    yield* this.lists.slots(PROTECTED)
  }

  uses(slot: number): number {
    return Math.max(0, this.sketch.frequency(this.slots.hashes[slot] as number) - 1)
  }

  check(): void {
    for (const list of [WINDOW, PROBATION, PROTECTED]) {
      this.lists.check(list)
      let weight = 0
      for (const slot of this.lists.slots(list)) {
        weight += this.slots.weightAt(slot)
        if (this.listOf(slot) !== list) throw new Error(`slot ${slot} is not where its bits say`)
      }
      const counted = this.weights[list] as number
      if (Math.abs(weight - counted) > 1e-6 * (1 + weight))
        throw new Error(`list ${list} weighs ${weight}, counted ${counted}`)
    }
  }

  private listOf(slot: number): number {
    return (this.slots.meta[slot] as number) & LIST
  }

  private total(): number {
    return (this.weights[WINDOW] as number) + (this.weights[PROBATION] as number) + (this.weights[PROTECTED] as number)
  }

  private isFull(): boolean {
    return this.slots.count > this.maxEntries || this.total() > this.maxBytes
  }

  private isWindowOver(total: number): boolean {
    return (this.weights[WINDOW] as number) > Math.max(total * WINDOW_SHARE, this.slots.weights === null ? 1 : 0)
  }

  /** Who must be admitted or leave: a huge newcomer, else the oldest of a window that is over its share; -1 when the main part must give. */
  private candidate(): number {
    const total = this.total()
    const newest = this.lists.front(WINDOW)
    if (newest >= 0 && this.slots.weights !== null && this.slots.weightAt(newest) > total * HUGE_SHARE) return newest
    return this.isWindowOver(total) && this.lists.size(WINDOW) > 1 ? this.lists.back(WINDOW) : -1
  }

  /** The next to leave the main part, or -1. A huge newcomer that was admitted is not its own victim. */
  private mainVictim(): number {
    const slot = this.lists.back(PROBATION)
    return slot < 0 || (slot === this.newest && this.lists.size(PROTECTED) > 0) ? this.lists.back(PROTECTED) : slot
  }

  /** Whether the candidate was seen more often than every entry that would leave for it. */
  private admits(candidate: number): boolean {
    const hashes = this.slots.hashes
    const frequency = this.sketch.frequency(hashes[candidate] as number)
    let room = this.slots.weightAt(candidate)
    let victim = this.mainVictim()
    for (let victims = 0; room > 0 && victim >= 0; victims++) {
      if (victims === MOST_VICTIMS) return false
      if (frequency <= this.sketch.frequency(hashes[victim] as number)) {
        return frequency >= WARM && victims === 0 && this.random() < 1 / 128
      }
      room -= this.slots.weightAt(victim)
      const list = this.listOf(victim)
      victim = this.lists.newer(victim)
      if (victim < 0 && list === PROBATION) victim = this.lists.back(PROTECTED)
    }
    return true
  }

  private push(list: number, slot: number): void {
    const meta = this.slots.meta
    meta[slot] = ((meta[slot] as number) & ~LIST) | list
    this.lists.push(list, slot)
    this.weights[list] = (this.weights[list] as number) + this.slots.weightAt(slot)
  }

  private take(slot: number): void {
    const list = this.listOf(slot)
    this.lists.remove(list, slot)
    this.weights[list] = (this.weights[list] as number) - this.slots.weightAt(slot)
  }

  private move(slot: number, list: number): void {
    this.take(slot)
    this.push(list, slot)
  }

  private leave(slot: number): number {
    this.remove(slot)
    return slot
  }
}
