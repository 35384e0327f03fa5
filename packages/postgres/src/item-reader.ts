import type { Item } from '@cache/core/backend'
import { BatchedStatements, type BatchLimits } from './batching/batched-statements.ts'
import { waitForAll } from './batching/wait-for-all.ts'
import type { Table } from './table/table.ts'

/** Reads items. The reads of one tick travel in one statement. */
export class ItemReader {
  readonly #reads: BatchedStatements<string, Item | undefined>

  constructor(table: Pick<Table, 'get'>, limits: BatchLimits) {
    this.#reads = new BatchedStatements(
      {
        method: 'get',
        isRead: true,
        join: () => true,
        work: async (keys, { timeout }) => {
          const items = await table.get(keys, timeout)
          const found = new Map(keys.map((key, index) => [key, items[index]]))
          return (key) => found.get(key)
        },
      },
      limits,
    )
  }

  get(key: string): Promise<Item | undefined> {
    return this.#reads.add(key, key)
  }

  /** The items in the order of the keys. */
  getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    const items: (Item | undefined)[] = new Array(keys.length)
    return waitForAll(keys.length, items, (resolveOne, reject) => {
      for (const [index, key] of keys.entries()) {
        const resolve = (item: Item | undefined): void => {
          items[index] = item
          resolveOne()
        }
        this.#reads.addFor({ resolve, reject }, key, key)
      }
    })
  }
}
