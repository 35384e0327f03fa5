/** A `Map` throws beyond 2^24 entries, and gets there with half as many where entries come and go: it doubles unless half of it was deleted. */
const MOST_IN_MAP = 2 ** 22

/** The slots of keys that have no place in the cells of an index: a `Map`, and further ones where one is not enough. */
export class Overflow<K> {
  size = 0
  private readonly maps: Map<K, number>[] = [new Map()]
  private readonly mostInMap: number

  constructor(mostInMap: number = MOST_IN_MAP) {
    this.mostInMap = mostInMap
  }

  get(key: K): number | undefined {
    for (const map of this.maps) {
      const slot = map.get(key)
      if (slot !== undefined) return slot
    }
    return undefined
  }

  /** Adds a key that is not in. */
  add(key: K, slot: number): void {
    let map = this.maps.find(({ size }) => size < this.mostInMap)
    if (map === undefined) {
      map = new Map()
      this.maps.push(map)
    }
    map.set(key, slot)
    this.size++
  }

  delete(key: K): void {
    if (this.maps.some((map) => map.delete(key))) this.size--
  }

  *[Symbol.iterator](): Generator<[K, number]> {
    for (const map of this.maps) yield* map
  }
}
