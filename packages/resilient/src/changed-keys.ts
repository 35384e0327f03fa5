/** What a call changes: keys, or every key with a prefix. */
export type Change = { readonly keys: readonly string[] } | { readonly prefix: string }

/** What was changed at the secondary and is therefore old at the primary. With more keys than the bound, everything counts as changed. */
export class ChangedKeys {
  readonly #most: number
  readonly #keys = new Set<string>()
  readonly #prefixes = new Set<string>()
  #everything = false

  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#keys.size + this.#prefixes.size + (this.#everything ? 1 : 0)
  }

  /** Returns whether this change passed the bound. */
  add(change: Change): boolean {
    if (this.#everything) return false
    if ('prefix' in change) this.#prefixes.add(change.prefix)
    else for (const key of change.keys) this.#keys.add(key)
    if (this.#keys.size + this.#prefixes.size <= this.#most) return false
    this.#keys.clear()
    this.#prefixes.clear()
    this.#everything = true
    return true
  }

  /** Takes out some of it, or `undefined` when nothing is left. What could not be undone at the primary is added again. */
  take(atMost: number): Change | undefined {
    if (this.#everything) {
      this.#everything = false
      return { prefix: '' }
    }
    for (const prefix of this.#prefixes) {
      this.#prefixes.delete(prefix)
      return { prefix }
    }
    if (this.#keys.size === 0) return undefined
    const keys: string[] = []
    for (const key of this.#keys) if (keys.push(key) >= atMost) break
    for (const key of keys) this.#keys.delete(key)
    return { keys }
  }
}
