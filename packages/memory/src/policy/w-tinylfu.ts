import type { Slots } from '../engine/slots.ts'
import { FrequencySketch } from './frequency-sketch.ts'
import type { Policy } from './policy.ts'
import { SlotLists } from './slot-lists.ts'

const windowList = 0
const probationList = 1
const protectedList = 2
/** Bits 0 and 1 of the meta byte: the list that contains the slot. */
const listMask = 3
const windowShare = 0.01
const protectedShare = 0.8
/** A candidate with this frequency is admitted against a more frequent victim once in 128 times. Else an attacker could block admissions. */
const warmFrequency = 6
const warmAdmissionChance = 1 / 128
/** A new entry with more than this share of the total weight skips the window and must be admitted. */
const hugeShare = 0.125
/** A candidate is not admitted if it would evict more entries than this. */
const maxVictims = 64

/**
 * W-TinyLFU with a window of 1 %: new entries are in a small LRU window. The oldest of it is admitted to the main part, a
 * segmented LRU, only if it was seen more often than the entry that it would evict. Gil Einziger, Roy Friedman and Ben
 * Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM Transactions on Storage 13(4), 2017.
 */
export class WTinyLfuPolicy implements Policy {
  readonly name = 'w-tinylfu'
  readonly #slots: Slots<unknown, unknown>
  readonly #random: () => number
  readonly #lists = new SlotLists(3)
  readonly #weights = new Float64Array(3)
  readonly #sketch = new FrequencySketch()
  #newest = -1
  #maxEntries = Number.POSITIVE_INFINITY
  #maxBytes = Number.POSITIVE_INFINITY

  constructor(slots: Slots<unknown, unknown>, random: () => number) {
    this.#slots = slots
    this.#random = random
  }

  grow(capacity: number): void {
    this.#lists.grow(capacity)
    this.#sketch.grow(capacity)
  }

  insert(slot: number): void {
    this.#sketch.add(this.#slots.hashes[slot] as number)
    this.#push(windowList, slot)
    this.#newest = slot
    // While there is room, entries that leave the window need no admission.
    if (!this.#isFull() && this.#isWindowOver(this.#total()) && this.#lists.size(windowList) > 1) {
      this.#move(this.#lists.back(windowList), probationList)
    }
  }

  hit(slot: number): void {
    this.#sketch.add(this.#slots.hashes[slot] as number)
    const list = this.#listOf(slot)
    if (list !== probationList) {
      this.#lists.refresh(list, slot)
      return
    }
    this.#unlink(slot)
    this.#push(protectedList, slot)
    const main = (this.#weights[probationList] as number) + (this.#weights[protectedList] as number)
    while ((this.#weights[protectedList] as number) > main * protectedShare && this.#lists.size(protectedList) > 1) {
      this.#move(this.#lists.back(protectedList), probationList)
    }
  }

  reweigh(slot: number, before: number): void {
    const list = this.#listOf(slot)
    this.#weights[list] = (this.#weights[list] as number) + this.#slots.weightAt(slot) - before
  }

  // While a cache fills, the index changes how it hashes strings several times. The counts have to follow.
  rehash(slot: number, before: number): void {
    this.#sketch.raise(this.#slots.hashes[slot] as number, this.#sketch.frequency(before))
  }

  evict(): number {
    const candidate = this.#candidate()
    const victim = this.#mainVictim()
    if (candidate < 0) return this.#evictSlot(victim >= 0 ? victim : this.#lists.back(windowList))
    if (victim < 0 || !this.#admits(candidate)) return this.#evictSlot(candidate)
    this.#move(candidate, probationList)
    return this.#evictSlot(victim)
  }

  remove(slot: number): void {
    if (this.#newest === slot) this.#newest = -1
    this.#unlink(slot)
  }

  clear(): void {
    this.#lists.clear()
    this.#weights.fill(0)
    this.#sketch.clear()
    this.#newest = -1
  }

  limit(maxEntries: number, maxBytes: number): void {
    this.#maxEntries = maxEntries
    this.#maxBytes = maxBytes
  }

  *order(): Generator<number> {
    yield* this.#lists.slots(probationList)
    yield* this.#lists.slots(windowList)
    yield* this.#lists.slots(protectedList)
  }

  uses(slot: number): number {
    return Math.max(0, this.#sketch.frequency(this.#slots.hashes[slot] as number) - 1)
  }

  check(): void {
    for (const list of [windowList, probationList, protectedList]) {
      this.#lists.check(list)
      let weight = 0
      for (const slot of this.#lists.slots(list)) {
        weight += this.#slots.weightAt(slot)
        if (this.#listOf(slot) !== list) throw new Error(`slot ${slot} is not in the list that its bits name`)
      }
      const counted = this.#weights[list] as number
      if (Math.abs(weight - counted) > 1e-6 * (1 + weight))
        throw new Error(`list ${list} weighs ${weight}, counted ${counted}`)
    }
  }

  #listOf(slot: number): number {
    return (this.#slots.meta[slot] as number) & listMask
  }

  #total(): number {
    return (
      (this.#weights[windowList] as number) +
      (this.#weights[probationList] as number) +
      (this.#weights[protectedList] as number)
    )
  }

  #isFull(): boolean {
    return this.#slots.count > this.#maxEntries || this.#total() > this.#maxBytes
  }

  #isWindowOver(total: number): boolean {
    return (
      (this.#weights[windowList] as number) > Math.max(total * windowShare, this.#slots.weights === undefined ? 1 : 0)
    )
  }

  /** The entry to admit or evict: a huge new one, else the oldest of a window over its share; -1 if the main part must evict. */
  #candidate(): number {
    const total = this.#total()
    const newest = this.#lists.front(windowList)
    if (newest >= 0 && this.#slots.weights !== undefined && this.#slots.weightAt(newest) > total * hugeShare)
      return newest
    return this.#isWindowOver(total) && this.#lists.size(windowList) > 1 ? this.#lists.back(windowList) : -1
  }

  /** The next entry of the main part to evict, or -1. A huge new entry that was admitted is not its own victim. */
  #mainVictim(): number {
    const slot = this.#lists.back(probationList)
    return slot < 0 || (slot === this.#newest && this.#lists.size(protectedList) > 0)
      ? this.#lists.back(protectedList)
      : slot
  }

  /** Whether the candidate was seen more often than every entry that it would evict. */
  #admits(candidate: number): boolean {
    const hashes = this.#slots.hashes
    const frequency = this.#sketch.frequency(hashes[candidate] as number)
    let room = this.#slots.weightAt(candidate)
    let victim = this.#mainVictim()
    for (let victims = 0; room > 0 && victim >= 0; victims += 1) {
      if (victims === maxVictims) return false
      if (frequency <= this.#sketch.frequency(hashes[victim] as number)) {
        return frequency >= warmFrequency && victims === 0 && this.#random() < warmAdmissionChance
      }
      room -= this.#slots.weightAt(victim)
      const list = this.#listOf(victim)
      victim = this.#lists.newer(victim)
      if (victim < 0 && list === probationList) victim = this.#lists.back(protectedList)
    }
    return true
  }

  #push(list: number, slot: number): void {
    const meta = this.#slots.meta
    meta[slot] = ((meta[slot] as number) & ~listMask) | list
    this.#lists.push(list, slot)
    this.#weights[list] = (this.#weights[list] as number) + this.#slots.weightAt(slot)
  }

  #unlink(slot: number): void {
    const list = this.#listOf(slot)
    this.#lists.remove(list, slot)
    this.#weights[list] = (this.#weights[list] as number) - this.#slots.weightAt(slot)
  }

  #move(slot: number, list: number): void {
    this.#unlink(slot)
    this.#push(list, slot)
  }

  #evictSlot(slot: number): number {
    this.remove(slot)
    return slot
  }
}
