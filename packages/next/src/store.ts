/**
 * Where the handlers keep entries and invalidations: a cache, or the memory of the process of `next build`.
 * Every method rejects when the store fails, so that a failure is not taken for a missing value.
 */
export interface Store {
  get(key: string): Promise<unknown>
  getMany(keys: readonly string[]): Promise<unknown[]>
  /** Stores the value for `lifetime` milliseconds. `size` is about its bytes. */
  set(key: string, value: unknown, lifetime: number, size: number): Promise<void>
  /** Replaces the value by what `change` makes of it, in one atomic step. */
  update(key: string, change: (current: unknown) => unknown, lifetime: number): Promise<unknown>
  close(): Promise<void>
}
