/** A `Set` throws beyond 2^24 members, and a large one pauses when it grows: so many hashes go into one, and then into another. */
const MOST_IN_SET = 2 ** 20

/** Hashes of keys that left, the oldest forgotten first. Two keys with one hash are taken for one. */
export class GhostQueue {
  /** The oldest hashes are in the first. */
  private sets: Set<number>[] = []
  private count = 0
  /** How many hashes the last set was given, those included that it holds no more. */
  private given = 0
  // One iterator as long as the first set lives: it sees what is added later, and a new one would walk over all that was deleted.
  private oldest: SetIterator<number>
  private readonly mostInSet: number

  constructor(mostInSet: number = MOST_IN_SET) {
    this.mostInSet = mostInSet
    this.oldest = this.open().values()
  }

  add(hash: number): void {
    this.take(hash)
    const last = this.given === this.mostInSet ? this.open() : (this.sets.at(-1) as Set<number>)
    last.add(hash)
    this.given++
    this.count++
  }

  /** Removes the hash. Returns whether it was there. */
  take(hash: number): boolean {
    for (const set of this.sets) {
      if (!set.delete(hash)) continue
      this.count--
      return true
    }
    return false
  }

  /** Forgets the oldest until no more than `most` are left. */
  trim(most: number): void {
    while (this.count > most) {
      const { value } = this.oldest.next()
      if (value !== undefined) this.take(value)
      else {
        if (this.sets.length > 1) this.sets.shift()
        this.oldest = (this.sets[0] as Set<number>).values()
      }
    }
  }

  clear(): void {
    this.sets = []
    this.count = 0
    this.oldest = this.open().values()
  }

  private open(): Set<number> {
    const set = new Set<number>()
    this.sets.push(set)
    this.given = 0
    return set
  }
}
