import type { Slots } from '../engine/slots.ts'
import type { Policy } from './policy.ts'
import { SlotLists } from './slot-lists.ts'

const visitedBit = 1

/**
 * SIEVE: a queue in the order of arrival, and a hand that moves from old to new entries. It skips entries used since its
 * last pass and evicts the first other one. Yazhuo Zhang and others, "SIEVE is Simpler than LRU", NSDI 2024.
 */
export class SievePolicy implements Policy {
  readonly name = 'sieve'
  readonly #slots: Slots<unknown, unknown>
  readonly #lists = new SlotLists(1)
  /** The slot at which the hand continues; -1 for the oldest. */
  #hand = -1

  constructor(slots: Slots<unknown, unknown>) {
    this.#slots = slots
  }

  grow(capacity: number): void {
    this.#lists.grow(capacity)
  }

  insert(slot: number): void {
    this.#lists.push(0, slot)
  }

  hit(slot: number): void {
    const meta = this.#slots.meta
    meta[slot] = (meta[slot] as number) | visitedBit
  }

  reweigh(): void {}

  evict(): number {
    const meta = this.#slots.meta
    const newest = this.#lists.front(0)
    let slot = this.#hand >= 0 ? this.#hand : this.#lists.back(0)
    // The paper evicts before it inserts, so the newest entry is skipped unless it is the only one.
    while (((meta[slot] as number) & visitedBit) !== 0 || (slot === newest && this.#lists.size(0) > 1)) {
      meta[slot] = (meta[slot] as number) & ~visitedBit
      slot = this.#lists.newer(slot)
      if (slot < 0) slot = this.#lists.back(0)
    }
    this.#hand = slot
    this.remove(slot)
    return slot
  }

  remove(slot: number): void {
    if (this.#hand === slot) this.#hand = this.#lists.newer(slot)
    this.#lists.remove(0, slot)
  }

  clear(): void {
    this.#lists.clear()
    this.#hand = -1
  }

  limit(): void {}

  order(): Iterable<number> {
    return this.#lists.slots(0)
  }

  uses(slot: number): number {
    return (this.#slots.meta[slot] as number) & visitedBit
  }

  check(): void {
    this.#lists.check(0)
    if (this.#hand < 0) return
    for (const slot of this.#lists.slots(0)) if (slot === this.#hand) return
    throw new Error('the slot of the hand is not in the queue')
  }
}
