/** The members of a bounded cache that a benchmark uses. */
export interface Bounded {
  get(key: string | number): unknown
  set(key: string | number, value: unknown): unknown
}

/** How a package makes a bounded cache. Imports it inside, so that no other process loads it. */
export interface Maker {
  readonly name: string
  readonly packages: readonly string[]
  /** Whether entries can have a lifetime. */
  readonly ttl: boolean
  /**
   * Whether it pushes out the old to let in the new, and that in useful time; otherwise it takes no part where that is
   * measured.
   */
  readonly evicts: boolean
  /** Whether numbers are keys of their own. */
  readonly numbers: boolean
  make(maxEntries: number, ttl: number | undefined): Promise<Bounded>
}
