/** Hashes of keys that left, the oldest forgotten first. Two keys with one hash are taken for one. */
export class GhostQueue {
  private readonly hashes = new Set<number>()
  // One iterator for ever: a Set's iterator sees what is added later, and a new one would walk over all that was deleted.
  private oldest: SetIterator<number> = this.hashes.values()

  add(hash: number): void {
    this.hashes.delete(hash)
    this.hashes.add(hash)
  }

  /** Removes the hash. Returns whether it was there. */
  take(hash: number): boolean {
    return this.hashes.delete(hash)
  }

  /** Forgets the oldest until no more than `most` are left. */
  trim(most: number): void {
    while (this.hashes.size > most) {
      const { value } = this.oldest.next()
      if (value === undefined) this.oldest = this.hashes.values()
      else this.hashes.delete(value)
    }
  }

  clear(): void {
    this.hashes.clear()
    this.oldest = this.hashes.values()
  }
}
