/**
 * A `Map` throws beyond 2^24 entries. Where entries come and go it reaches that with half as many,
 * because it doubles unless half of its entries were deleted.
 */
const maxMapSize = 2 ** 22

/** The slots of keys without a place in the cells of an index: a `Map`, and further ones when the first is full. */
export class Overflow<K> {
  size = 0
  readonly #maps: Map<K, number>[] = [new Map()]
  readonly #maxSize: number

  constructor(maxSize: number = maxMapSize) {
    this.#maxSize = maxSize
  }

  get(key: K): number | undefined {
    for (const map of this.#maps) {
      const slot = map.get(key)
      if (slot !== undefined) return slot
    }
    return undefined
  }

  /** Adds an absent key. */
  add(key: K, slot: number): void {
    let map = this.#maps.find(({ size }) => size < this.#maxSize)
    if (map === undefined) {
      map = new Map()
      this.#maps.push(map)
    }
    map.set(key, slot)
    this.size += 1
  }

  delete(key: K): void {
    if (this.#maps.some((map) => map.delete(key))) this.size -= 1
  }

  *[Symbol.iterator](): Generator<[K, number]> {
    for (const map of this.#maps) yield* map
  }
}
