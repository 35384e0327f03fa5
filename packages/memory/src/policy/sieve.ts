import type { Slots } from '../engine/slots.ts'
import type { Policy } from './policy.ts'
import { SlotLists } from './slot-lists.ts'

const VISITED = 1

/**
 * SIEVE: a queue in the order of arrival, and a hand that walks from old to new, spares what was used since it last came by,
 * and takes out the first that was not. Yazhuo Zhang and others, "SIEVE is Simpler than LRU", NSDI 2024.
 */
export class SievePolicy implements Policy {
  readonly name = 'sieve'
  private readonly slots: Slots<unknown, unknown>
  private readonly lists = new SlotLists(1)
  /** Where the walk goes on; -1 for the oldest. */
  private hand = -1

  constructor(slots: Slots<unknown, unknown>) {
    this.slots = slots
  }

  grow(capacity: number): void {
    this.lists.grow(capacity)
  }

  insert(slot: number): void {
    this.lists.push(0, slot)
  }

  hit(slot: number): void {
    const meta = this.slots.meta
    meta[slot] = (meta[slot] as number) | VISITED
  }

  reweigh(): void {}

  evict(): number {
    const meta = this.slots.meta
    const newest = this.lists.front(0)
    let slot = this.hand >= 0 ? this.hand : this.lists.back(0)
    // The paper evicts before it inserts: the newest entry does not take part while there is another.
    while (((meta[slot] as number) & VISITED) !== 0 || (slot === newest && this.lists.size(0) > 1)) {
      meta[slot] = (meta[slot] as number) & ~VISITED
      slot = this.lists.newer(slot)
      if (slot < 0) slot = this.lists.back(0)
    }
    this.hand = slot
    this.remove(slot)
    return slot
  }

  remove(slot: number): void {
    if (this.hand === slot) this.hand = this.lists.newer(slot)
    this.lists.remove(0, slot)
  }

  clear(): void {
    this.lists.clear()
    this.hand = -1
  }

  limit(): void {}

  order(): Iterable<number> {
    return this.lists.slots(0)
  }

  uses(slot: number): number {
    return (this.slots.meta[slot] as number) & VISITED
  }

  check(): void {
    this.lists.check(0)
    if (this.hand < 0) return
    for (const slot of this.lists.slots(0)) if (slot === this.hand) return
    throw new Error('the hand points at a slot that is not in the queue')
  }
}
