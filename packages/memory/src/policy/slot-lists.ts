/**
 * Doubly linked lists over slots, in two typed arrays. Several lists share the arrays, since a slot is in one of them at a
 * time. `front` is where slots are pushed, `back` where they leave.
 */
export class SlotLists {
  /** Towards the front; -1 at the front. */
  #newer: Int32Array = new Int32Array(0)
  /** Towards the back; -1 at the back. */
  #older: Int32Array = new Int32Array(0)
  readonly #front: Int32Array
  readonly #back: Int32Array
  readonly #size: Float64Array

  constructor(lists: number) {
    this.#front = new Int32Array(lists).fill(-1)
    this.#back = new Int32Array(lists).fill(-1)
    this.#size = new Float64Array(lists)
  }

  grow(capacity: number): void {
    const newer = new Int32Array(capacity)
    const older = new Int32Array(capacity)
    newer.set(this.#newer)
    older.set(this.#older)
    this.#newer = newer
    this.#older = older
  }

  clear(): void {
    this.#newer = new Int32Array(0)
    this.#older = new Int32Array(0)
    this.#front.fill(-1)
    this.#back.fill(-1)
    this.#size.fill(0)
  }

  /** The slot at the front, or -1. */
  front(list: number): number {
    return this.#front[list] as number
  }

  /** The slot at the back, or -1. */
  back(list: number): number {
    return this.#back[list] as number
  }

  /** The next slot towards the front, or -1. */
  newer(slot: number): number {
    return this.#newer[slot] as number
  }

  size(list: number): number {
    return this.#size[list] as number
  }

  push(list: number, slot: number): void {
    const front = this.#front[list] as number
    this.#newer[slot] = -1
    this.#older[slot] = front
    if (front >= 0) this.#newer[front] = slot
    else this.#back[list] = slot
    this.#front[list] = slot
    this.#size[list] = (this.#size[list] as number) + 1
  }

  remove(list: number, slot: number): void {
    const newer = this.#newer[slot] as number
    const older = this.#older[slot] as number
    if (newer >= 0) this.#older[newer] = older
    else this.#front[list] = older
    if (older >= 0) this.#newer[older] = newer
    else this.#back[list] = newer
    this.#size[list] = (this.#size[list] as number) - 1
  }

  /** To the front of its own list. */
  refresh(list: number, slot: number): void {
    if (this.#front[list] === slot) return
    this.remove(list, slot)
    this.push(list, slot)
  }

  /** From the back to the front. */
  *slots(list: number): Generator<number> {
    for (let slot = this.back(list); slot >= 0; slot = this.newer(slot)) yield slot
  }

  /** Throws when the links of the list disagree with each other or with its size. */
  check(list: number): void {
    let count = 0
    let older = -1
    for (let slot = this.back(list); slot >= 0; slot = this.newer(slot)) {
      if (this.#older[slot] !== older) throw new Error(`list ${list}: slot ${slot} has the wrong older neighbour`)
      older = slot
      count++
      if (count > this.#newer.length) throw new Error(`list ${list} has a ring`)
    }
    if (older !== this.front(list)) throw new Error(`list ${list} does not end at its front`)
    if (count !== this.size(list)) throw new Error(`list ${list} has ${count} slots but counts ${this.size(list)}`)
  }
}
