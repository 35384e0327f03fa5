import type { Slots } from '../engine/slots.ts'
import { GhostQueue } from './ghost-queue.ts'
import type { Policy } from './policy.ts'
import { SlotLists } from './slot-lists.ts'

const smallList = 0
const mainList = 1
const smallShare = 0.1
/** The number of evicted keys that are remembered, as a share of the entries: as many as the main queue has room for. */
const ghostShare = 0.9
/** Bits 0 and 1 of the meta byte count hits up to 3; bit 2 says that the slot is in the main queue. */
const useCountMask = 3
const inMainBit = 4

/**
 * S3-FIFO: new entries pass through a small queue of a tenth of the cache. Only entries used more than once in it, and keys
 * that return soon after their eviction, enter the main queue, which gives every used entry another round. Juncheng Yang
 * and others, "FIFO queues are all you need for cache eviction", SOSP 2023.
 */
export class S3FifoPolicy implements Policy {
  readonly name = 's3-fifo'
  readonly #slots: Slots<unknown, unknown>
  readonly #lists = new SlotLists(2)
  readonly #ghosts = new GhostQueue()
  #smallWeight = 0
  #mainWeight = 0
  /** The last insert. The paper evicts before it inserts, so the newest entry neither counts nor is evicted, unless it is alone. */
  #newest = -1

  constructor(slots: Slots<unknown, unknown>) {
    this.#slots = slots
  }

  grow(capacity: number): void {
    this.#lists.grow(capacity)
  }

  insert(slot: number): void {
    this.#newest = slot
    if (this.#ghosts.take(this.#slots.hashes[slot] as number)) this.#enterMain(slot)
    else {
      this.#lists.push(smallList, slot)
      this.#smallWeight += this.#slots.weightAt(slot)
    }
  }

  hit(slot: number): void {
    const meta = this.#slots.meta
    const bits = meta[slot] as number
    if ((bits & useCountMask) < useCountMask) meta[slot] = bits + 1
  }

  reweigh(slot: number, before: number): void {
    const change = this.#slots.weightAt(slot) - before
    if (this.#isInMain(slot)) this.#mainWeight += change
    else this.#smallWeight += change
  }

  evict(): number {
    for (;;) {
      const newest = this.#newest >= 0 && !this.#isInMain(this.#newest) ? 1 : 0
      const spare = this.#newest >= 0 ? this.#slots.weightAt(this.#newest) : 0
      const small = this.#smallWeight - (newest === 1 ? spare : 0)
      const smallHasCandidate = this.#lists.size(smallList) > newest
      const others = this.#lists.size(mainList) - (this.#newest >= 0 && newest === 0 ? 1 : 0)
      if (!smallHasCandidate && others === 0) return this.#evictNewest()
      const fromSmall =
        smallHasCandidate && (others === 0 || small >= (this.#smallWeight + this.#mainWeight - spare) * smallShare)
      const slot = fromSmall ? this.#advanceSmall() : this.#advanceMain()
      if (slot < 0) continue
      // Entries that moved to the main queue in this loop arrived before the newest.
      if (this.#newest >= 0 && this.#isInMain(this.#newest)) this.#lists.refresh(mainList, this.#newest)
      return slot
    }
  }

  remove(slot: number): void {
    if (this.#newest === slot) this.#newest = -1
    const inMain = this.#isInMain(slot)
    this.#lists.remove(inMain ? mainList : smallList, slot)
    if (inMain) this.#mainWeight -= this.#slots.weightAt(slot)
    else this.#smallWeight -= this.#slots.weightAt(slot)
  }

  clear(): void {
    this.#lists.clear()
    this.#ghosts.clear()
    this.#smallWeight = 0
    this.#mainWeight = 0
    this.#newest = -1
  }

  limit(): void {}

  *order(): Generator<number> {
    yield* this.#lists.slots(smallList)
    yield* this.#lists.slots(mainList)
  }

  uses(slot: number): number {
    return (this.#slots.meta[slot] as number) & useCountMask
  }

  check(): void {
    this.#lists.check(smallList)
    this.#lists.check(mainList)
    for (const list of [smallList, mainList]) {
      let weight = 0
      for (const slot of this.#lists.slots(list)) {
        weight += this.#slots.weightAt(slot)
        if (this.#isInMain(slot) !== (list === mainList))
          throw new Error(`slot ${slot} is not in the list that its bits name`)
      }
      const counted = list === mainList ? this.#mainWeight : this.#smallWeight
      if (Math.abs(weight - counted) > 1e-6 * (1 + weight))
        throw new Error(`list ${list} weighs ${weight}, counted ${counted}`)
    }
  }

  #isInMain(slot: number): boolean {
    return ((this.#slots.meta[slot] as number) & inMainBit) !== 0
  }

  #enterMain(slot: number): void {
    const meta = this.#slots.meta
    meta[slot] = ((meta[slot] as number) & ~useCountMask) | inMainBit
    this.#lists.push(mainList, slot)
    this.#mainWeight += this.#slots.weightAt(slot)
  }

  /** Evicts the newest entry, the only one. */
  #evictNewest(): number {
    const slot = this.#newest
    this.remove(slot)
    return slot
  }

  /** Moves the oldest entry of the small queue to the main queue and returns -1, or evicts it and returns its slot. */
  #advanceSmall(): number {
    const slot = this.#lists.back(smallList)
    const count = (this.#slots.meta[slot] as number) & useCountMask
    this.remove(slot)
    if (count > 1) {
      this.#enterMain(slot)
      return -1
    }
    this.#ghosts.add(this.#slots.hashes[slot] as number)
    this.#ghosts.trim(Math.floor((this.#lists.size(smallList) + this.#lists.size(mainList)) * ghostShare))
    return slot
  }

  /** Gives the oldest entry of the main queue another round and returns -1, or evicts it and returns its slot. */
  #advanceMain(): number {
    const slot = this.#lists.back(mainList)
    const meta = this.#slots.meta
    if (slot === this.#newest) {
      this.#lists.refresh(mainList, slot)
      return -1
    }
    if (((meta[slot] as number) & useCountMask) === 0) {
      this.remove(slot)
      return slot
    }
    meta[slot] = (meta[slot] as number) - 1
    this.#lists.refresh(mainList, slot)
    return -1
  }
}
