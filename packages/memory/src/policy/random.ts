import type { Slots } from '../engine/slots.ts'
import type { Policy } from './policy.ts'

/** Evicts a random entry, never the newest. */
export class RandomPolicy implements Policy {
  readonly name = 'random'
  readonly #random: () => number
  /** The slots with entries, in any order; the newest is the last. */
  #slots: Int32Array = new Int32Array(0)
  /** The place of each slot in `slots`. */
  #places: Int32Array = new Int32Array(0)
  #count = 0

  constructor(_slots: Slots<unknown, unknown>, random: () => number) {
    this.#random = random
  }

  grow(capacity: number): void {
    const slots = new Int32Array(capacity)
    const places = new Int32Array(capacity)
    slots.set(this.#slots)
    places.set(this.#places)
    this.#slots = slots
    this.#places = places
  }

  insert(slot: number): void {
    this.#places[slot] = this.#count
    this.#slots[this.#count] = slot
    this.#count += 1
  }

  hit(): void {}

  reweigh(): void {}

  evict(): number {
    const place = Math.floor(this.#random() * Math.max(1, this.#count - 1))
    const slot = this.#slots[place] as number
    this.remove(slot)
    return slot
  }

  remove(slot: number): void {
    const place = this.#places[slot] as number
    this.#count -= 1
    const last = this.#slots[this.#count] as number
    this.#slots[place] = last
    this.#places[last] = place
  }

  clear(): void {
    this.#slots = new Int32Array(0)
    this.#places = new Int32Array(0)
    this.#count = 0
  }

  limit(): void {}

  order(): Iterable<number> {
    return this.#slots.slice(0, this.#count)
  }

  uses(): number {
    return 0
  }

  check(): void {
    for (let place = 0; place < this.#count; place += 1) {
      if (this.#places[this.#slots[place] as number] !== place)
        throw new Error(`the slot at place ${place} has another place`)
    }
  }
}
