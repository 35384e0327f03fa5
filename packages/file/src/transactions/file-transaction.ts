import type { Item } from '@cache/core/backend'

/** The calls of a transaction. Reads give the transaction's own writes first, then the stored items. */
export interface FileTransaction {
  get(key: string): Promise<Item | undefined>
  set(item: Item): void
  delete(key: string): void
  /**
   * Adds to a whole number, from 0 when the key is absent; resolves to the sum. Rejects with `NOT_A_NUMBER` or
   * `OUT_OF_RANGE`.
   */
  increment(key: string, delta?: number): Promise<number>
}

export interface TransactOptions {
  /** The largest number of runs. Default 100. */
  readonly attempts?: number | undefined
}
