import type { Policy } from './policy.ts'
import { SlotLists } from './slot-lists.ts'

/** First in, first out: evicts the entry that was stored first. Uses and overwrites change nothing. */
export class FifoPolicy implements Policy {
  readonly name = 'fifo'
  readonly #lists = new SlotLists(1)

  grow(capacity: number): void {
    this.#lists.grow(capacity)
  }

  insert(slot: number): void {
    this.#lists.push(0, slot)
  }

  hit(): void {}

  reweigh(): void {}

  evict(): number {
    const slot = this.#lists.back(0)
    this.#lists.remove(0, slot)
    return slot
  }

  remove(slot: number): void {
    this.#lists.remove(0, slot)
  }

  clear(): void {
    this.#lists.clear()
  }

  limit(): void {}

  order(): Iterable<number> {
    return this.#lists.slots(0)
  }

  uses(): number {
    return 0
  }

  check(): void {
    this.#lists.check(0)
  }
}
