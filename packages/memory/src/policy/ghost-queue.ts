/** A `Set` throws beyond 2^24 members, and a large one pauses when it grows. So each set takes at most this many hashes. */
const maxSetSize = 2 ** 20

/** The hashes of evicted keys; the oldest is forgotten first. Two keys with one hash count as one key. */
export class GhostQueue {
  /** The oldest hashes are in the first set. */
  #sets: Set<number>[] = []
  #count = 0
  /** The number of hashes ever added to the last set. */
  #addedToLast = 0
  // One iterator for the life of the first set: it sees later additions, and a new one would pass all deleted members again.
  #oldest: SetIterator<number>
  readonly #maxSize: number

  constructor(maxSize: number = maxSetSize) {
    this.#maxSize = maxSize
    this.#oldest = this.#open().values()
  }

  add(hash: number): void {
    this.take(hash)
    const last = this.#addedToLast === this.#maxSize ? this.#open() : (this.#sets.at(-1) as Set<number>)
    last.add(hash)
    this.#addedToLast += 1
    this.#count += 1
  }

  /** Removes the hash. Returns whether it was present. */
  take(hash: number): boolean {
    for (const set of this.#sets) {
      if (!set.delete(hash)) continue
      this.#count -= 1
      return true
    }
    return false
  }

  /** Forgets the oldest hashes until at most `most` are left. */
  trim(most: number): void {
    while (this.#count > most) {
      const { value } = this.#oldest.next()
      if (value !== undefined) this.take(value)
      else {
        if (this.#sets.length > 1) this.#sets.shift()
        this.#oldest = (this.#sets[0] as Set<number>).values()
      }
    }
  }

  clear(): void {
    this.#sets = []
    this.#count = 0
    this.#oldest = this.#open().values()
  }

  #open(): Set<number> {
    const set = new Set<number>()
    this.#sets.push(set)
    this.#addedToLast = 0
    return set
  }
}
