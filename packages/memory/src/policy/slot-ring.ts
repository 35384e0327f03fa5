import { type Slots, stickyBit } from '../engine/slots.ts'

/**
 * A queue of slots in a ring buffer. A slot whose entry is removed keeps its place until the place reaches the front.
 * If the slot gets a new entry before, that entry has the place. So a slot is in the queue at most once, and a removal
 * costs nothing. The sticky bit in `slots.meta` says whether a slot is in the queue.
 */
export class SlotRing {
  readonly #table: Slots<unknown, unknown>
  #places: Int32Array = new Int32Array(0)
  #first = 0
  #count = 0

  constructor(slots: Slots<unknown, unknown>) {
    this.#table = slots
  }

  /** The number of places, including those of removed entries. */
  get length(): number {
    return this.#count
  }

  clear(): void {
    this.#places = new Int32Array(0)
    this.#first = 0
    this.#count = 0
  }

  holds(slot: number): boolean {
    return ((this.#table.meta[slot] as number) & stickyBit) !== 0
  }

  /** Adds a slot that is not in the queue, at the end. */
  push(slot: number): void {
    if (this.#count === this.#places.length) this.#grow()
    let at = this.#first + this.#count
    if (at >= this.#places.length) at -= this.#places.length
    this.#places[at] = slot
    this.#count += 1
    const meta = this.#table.meta
    meta[slot] = (meta[slot] as number) | stickyBit
  }

  /** Removes and returns the slot at the front. Its entry may have been removed. */
  shift(): number {
    const slot = this.#places[this.#first] as number
    this.#first += 1
    if (this.#first === this.#places.length) this.#first = 0
    this.#count -= 1
    const meta = this.#table.meta
    meta[slot] = (meta[slot] as number) & ~stickyBit
    return slot
  }

  // By half, not with the capacity: usually the queue is a small part of the cache.
  #grow(): void {
    const places = new Int32Array(Math.max(16, this.#count + (this.#count >> 1)))
    const untilEnd = this.#places.length - this.#first
    places.set(this.#places.subarray(this.#first))
    places.set(this.#places.subarray(0, this.#first), untilEnd)
    this.#places = places
    this.#first = 0
  }

  /** The slots from the front to the end, including those of removed entries. */
  *slots(): Generator<number> {
    for (let i = 0; i < this.#count; i += 1) yield this.#places[(this.#first + i) % this.#places.length] as number
  }
}
