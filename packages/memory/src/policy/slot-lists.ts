/**
 * Doubly linked lists of slots, in two typed arrays. The lists share the arrays, because a slot is in at most one of them.
 * Slots are added at the front and usually removed at the back.
 */
export class SlotLists {
  /** The next slot towards the front; -1 at the front. */
  #newerOf: Int32Array = new Int32Array(0)
  /** The next slot towards the back; -1 at the back. */
  #olderOf: Int32Array = new Int32Array(0)
  readonly #fronts: Int32Array
  readonly #backs: Int32Array
  readonly #sizes: Float64Array

  constructor(lists: number) {
    this.#fronts = new Int32Array(lists).fill(-1)
    this.#backs = new Int32Array(lists).fill(-1)
    this.#sizes = new Float64Array(lists)
  }

  grow(capacity: number): void {
    const newer = new Int32Array(capacity)
    const older = new Int32Array(capacity)
    newer.set(this.#newerOf)
    older.set(this.#olderOf)
    this.#newerOf = newer
    this.#olderOf = older
  }

  clear(): void {
    this.#newerOf = new Int32Array(0)
    this.#olderOf = new Int32Array(0)
    this.#fronts.fill(-1)
    this.#backs.fill(-1)
    this.#sizes.fill(0)
  }

  /** The slot at the front, or -1. */
  front(list: number): number {
    return this.#fronts[list] as number
  }

  /** The slot at the back, or -1. */
  back(list: number): number {
    return this.#backs[list] as number
  }

  /** The next slot towards the front, or -1. */
  newer(slot: number): number {
    return this.#newerOf[slot] as number
  }

  size(list: number): number {
    return this.#sizes[list] as number
  }

  push(list: number, slot: number): void {
    const front = this.#fronts[list] as number
    this.#newerOf[slot] = -1
    this.#olderOf[slot] = front
    if (front >= 0) this.#newerOf[front] = slot
    else this.#backs[list] = slot
    this.#fronts[list] = slot
    this.#sizes[list] = (this.#sizes[list] as number) + 1
  }

  remove(list: number, slot: number): void {
    const newer = this.#newerOf[slot] as number
    const older = this.#olderOf[slot] as number
    if (newer >= 0) this.#olderOf[newer] = older
    else this.#fronts[list] = older
    if (older >= 0) this.#newerOf[older] = newer
    else this.#backs[list] = newer
    this.#sizes[list] = (this.#sizes[list] as number) - 1
  }

  /** Moves the slot to the front of the list that contains it. */
  refresh(list: number, slot: number): void {
    if (this.#fronts[list] === slot) return
    this.remove(list, slot)
    this.push(list, slot)
  }

  /** The slots from the back to the front. */
  *slots(list: number): Generator<number> {
    for (let slot = this.back(list); slot >= 0; slot = this.newer(slot)) yield slot
  }

  /** Throws if the links of the list are inconsistent. For tests. */
  check(list: number): void {
    let count = 0
    let older = -1
    for (let slot = this.back(list); slot >= 0; slot = this.newer(slot)) {
      if (this.#olderOf[slot] !== older) throw new Error(`list ${list}: slot ${slot} has the wrong older neighbour`)
      older = slot
      count += 1
      if (count > this.#newerOf.length) throw new Error(`list ${list} is circular`)
    }
    if (older !== this.front(list)) throw new Error(`list ${list} does not end at its front`)
    if (count !== this.size(list)) throw new Error(`list ${list} has ${count} slots but counts ${this.size(list)}`)
  }
}
