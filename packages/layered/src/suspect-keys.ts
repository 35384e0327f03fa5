/** The keys of near copies that are not to be served: changed by somebody else, or just being cleared. */
export class Doubts {
  /** Whether there are any: one field to look at on the path of every near hit. */
  any = false
  readonly #keys = new Set<string>()
  /** Prefixes that layers which take their time are clearing. */
  readonly #clearing = new Set<{ readonly prefix: string }>()

  /** Keys that are doubtful one by one. */
  get count(): number {
    return this.#keys.size
  }

  /** Whether the key is doubtful by itself. */
  holds(key: string): boolean {
    return this.#keys.has(key)
  }

  /** Whether the key is doubtful, by itself or because it is being cleared. */
  includes(key: string): boolean {
    if (!this.any) return false
    if (this.#keys.has(key)) return true
    for (const { prefix } of this.#clearing) if (key.startsWith(prefix)) return true
    return false
  }

  add(key: string): void {
    this.#keys.add(key)
    this.any = true
  }

  delete(key: string): void {
    this.#keys.delete(key)
    this.#note()
  }

  deletePrefix(prefix: string): void {
    for (const key of this.#keys) if (key.startsWith(prefix)) this.#keys.delete(key)
    this.#note()
  }

  deleteAll(): void {
    this.#keys.clear()
    this.#note()
  }

  /** Every key with the prefix is doubtful until the returned function is called. */
  clearing(prefix: string): () => void {
    const clearing = { prefix }
    this.#clearing.add(clearing)
    this.any = true
    return () => {
      this.#clearing.delete(clearing)
      this.#note()
    }
  }

  #note(): void {
    this.any = this.#keys.size + this.#clearing.size !== 0
  }
}
