import type { Slots } from '../engine/slots.ts'
import { GhostQueue } from './ghost-queue.ts'
import type { Policy } from './policy.ts'
import { SlotLists } from './slot-lists.ts'

const SMALL = 0
const MAIN = 1
const SMALL_SHARE = 0.1
/** How many keys that left are remembered, of as many as there are entries: those that the main queue has room for. */
const GHOST_SHARE = 0.9
/** Bits 0 and 1 of the meta byte count hits up to 3; bit 2 says that the slot is in the main queue. */
const COUNT = 3
const IN_MAIN = 4

/**
 * S3-FIFO: newcomers pass through a small queue of a tenth of the cache; only those used more than once in it, or that come back soon
 * after they left, get into the main queue, which gives every used entry another round. Juncheng Yang and others,
 * "FIFO queues are all you need for cache eviction", SOSP 2023.
 */
export class S3FifoPolicy implements Policy {
  readonly name = 's3-fifo'
  private readonly slots: Slots<unknown, unknown>
  private readonly lists = new SlotLists(2)
  private readonly ghosts = new GhostQueue()
  private smallWeight = 0
  private mainWeight = 0
  /** The last insert. The paper evicts before it inserts, so the newest neither counts nor leaves while there is another. */
  private newest = -1

  constructor(slots: Slots<unknown, unknown>) {
    this.slots = slots
  }

  grow(capacity: number): void {
    this.lists.grow(capacity)
  }

  insert(slot: number): void {
    this.newest = slot
    if (this.ghosts.take(this.slots.hashes[slot] as number)) this.enterMain(slot)
    else {
      this.lists.push(SMALL, slot)
      this.smallWeight += this.slots.weightAt(slot)
    }
  }

  hit(slot: number): void {
    const meta = this.slots.meta
    const bits = meta[slot] as number
    if ((bits & COUNT) < COUNT) meta[slot] = bits + 1
  }

  reweigh(slot: number, before: number): void {
    const change = this.slots.weightAt(slot) - before
    if (this.isInMain(slot)) this.mainWeight += change
    else this.smallWeight += change
  }

  evict(): number {
    for (;;) {
      const newest = this.newest >= 0 && !this.isInMain(this.newest) ? 1 : 0
      const spare = this.newest >= 0 ? this.slots.weightAt(this.newest) : 0
      const small = this.smallWeight - (newest === 1 ? spare : 0)
      const canPassSmall = this.lists.size(SMALL) > newest
      const others = this.lists.size(MAIN) - (this.newest >= 0 && newest === 0 ? 1 : 0)
      if (!canPassSmall && others === 0) return this.leaveAlone()
      const passesSmall =
        canPassSmall && (others === 0 || small >= (this.smallWeight + this.mainWeight - spare) * SMALL_SHARE)
      const slot = passesSmall ? this.passSmall() : this.passMain()
      if (slot < 0) continue
      // What was moved to the main queue meanwhile came before the newest.
      if (this.newest >= 0 && this.isInMain(this.newest)) this.lists.refresh(MAIN, this.newest)
      return slot
    }
  }

  remove(slot: number): void {
    if (this.newest === slot) this.newest = -1
    const inMain = this.isInMain(slot)
    this.lists.remove(inMain ? MAIN : SMALL, slot)
    if (inMain) this.mainWeight -= this.slots.weightAt(slot)
    else this.smallWeight -= this.slots.weightAt(slot)
  }

  clear(): void {
    this.lists.clear()
    this.ghosts.clear()
    this.smallWeight = 0
    this.mainWeight = 0
    this.newest = -1
  }

  limit(): void {}

  *order(): Generator<number> {
    yield* this.lists.slots(SMALL)
    yield* this.lists.slots(MAIN)
  }

  uses(slot: number): number {
    return (this.slots.meta[slot] as number) & COUNT
  }

  check(): void {
    this.lists.check(SMALL)
    this.lists.check(MAIN)
    for (const list of [SMALL, MAIN]) {
      let weight = 0
      for (const slot of this.lists.slots(list)) {
        weight += this.slots.weightAt(slot)
        if (this.isInMain(slot) !== (list === MAIN)) throw new Error(`slot ${slot} is not where its bits say`)
      }
      const counted = list === MAIN ? this.mainWeight : this.smallWeight
      if (Math.abs(weight - counted) > 1e-6 * (1 + weight))
        throw new Error(`list ${list} weighs ${weight}, counted ${counted}`)
    }
  }

  private isInMain(slot: number): boolean {
    return ((this.slots.meta[slot] as number) & IN_MAIN) !== 0
  }

  private enterMain(slot: number): void {
    const meta = this.slots.meta
    meta[slot] = ((meta[slot] as number) & ~COUNT) | IN_MAIN
    this.lists.push(MAIN, slot)
    this.mainWeight += this.slots.weightAt(slot)
  }

  /** The newest is the only one there is. */
  private leaveAlone(): number {
    const slot = this.newest
    this.remove(slot)
    return slot
  }

  /** Moves the oldest of the small queue on, or lets it leave: then returns it, else -1. */
  private passSmall(): number {
    const slot = this.lists.back(SMALL)
    const count = (this.slots.meta[slot] as number) & COUNT
    this.remove(slot)
    if (count > 1) {
      this.enterMain(slot)
      return -1
    }
    this.ghosts.add(this.slots.hashes[slot] as number)
    this.ghosts.trim(Math.floor((this.lists.size(SMALL) + this.lists.size(MAIN)) * GHOST_SHARE))
    return slot
  }

  private passMain(): number {
    const slot = this.lists.back(MAIN)
    const meta = this.slots.meta
    if (slot === this.newest) {
      this.lists.refresh(MAIN, slot)
      return -1
    }
    if (((meta[slot] as number) & COUNT) === 0) {
      this.remove(slot)
      return slot
    }
    meta[slot] = (meta[slot] as number) - 1
    this.lists.refresh(MAIN, slot)
    return -1
  }
}
