/** A key with the least number of times that it was counted. */
export interface Counted<Key> {
  readonly key: Key
  readonly count: number
}

/**
 * The most frequent of any number of names, in bounded memory (Misra and Gries, 1982). A count is too low by at most the number of
 * all names over `capacity`; a name with more than that is always found.
 */
export class HeavyHitters {
  readonly #capacity: number
  readonly #counts = new Map<string, number>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  count(name: string): void {
    const counted = this.#counts.get(name)
    if (counted !== undefined) this.#counts.set(name, counted + 1)
    else if (this.#counts.size < this.#capacity) this.#counts.set(name, 1)
    else this.#decrementAll()
  }

  /** The most frequent names, the first first. */
  top(most: number): Counted<string>[] {
    return [...this.#counts]
      .sort(([, one], [, other]) => other - one)
      .slice(0, most)
      .map(([key, count]) => ({ key, count }))
  }

  #decrementAll(): void {
    for (const [name, count] of this.#counts) {
      if (count === 1) this.#counts.delete(name)
      else this.#counts.set(name, count - 1)
    }
  }
}
