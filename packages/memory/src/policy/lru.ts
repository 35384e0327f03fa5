import type { Policy } from './policy.ts'
import { SlotLists } from './slot-lists.ts'

/** Least recently used: evicts the entry whose last use is the oldest. Exact. */
export class LruPolicy implements Policy {
  readonly name = 'lru'
  readonly #lists = new SlotLists(1)

  grow(capacity: number): void {
    this.#lists.grow(capacity)
  }

  insert(slot: number): void {
    this.#lists.push(0, slot)
  }

  hit(slot: number): void {
    this.#lists.refresh(0, slot)
  }

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
