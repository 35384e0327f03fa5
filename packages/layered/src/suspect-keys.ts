/** The keys whose near copies may not be served: another process changed them, or a clear of them is under way. */
export class SuspectKeys {
  /** Whether there are any: every near hit reads this one field. */
  any = false
  readonly #keys = new Set<string>()
  /** Prefixes that an asynchronous layer is clearing. */
  readonly #clearing = new Set<{ readonly prefix: string }>()

  /** The number of keys that were added, without those under a prefix. */
  get count(): number {
    return this.#keys.size
  }

  /** Whether the key itself was added. */
  has(key: string): boolean {
    return this.#keys.has(key)
  }

  /** Whether the key was added, or a clear of its prefix is under way. */
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
    this.#updateAny()
  }

  deletePrefix(prefix: string): void {
    for (const key of this.#keys) if (key.startsWith(prefix)) this.#keys.delete(key)
    this.#updateAny()
  }

  deleteAll(): void {
    this.#keys.clear()
    this.#updateAny()
  }

  /** Makes every key with the prefix suspect until the returned function is called. */
  beginClear(prefix: string): () => void {
    const clearing = { prefix }
    this.#clearing.add(clearing)
    this.any = true
    return () => {
      this.#clearing.delete(clearing)
      this.#updateAny()
    }
  }

  #updateAny(): void {
    this.any = this.#keys.size + this.#clearing.size !== 0
  }
}
