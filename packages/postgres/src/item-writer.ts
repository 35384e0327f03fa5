import type { Item } from '@cache/core/backend'
import { BatchedStatements, type BatchLimits } from './batching/batched-statements.ts'
import { waitForAll } from './batching/wait-for-all.ts'
import type { BackendKey, KeyRange } from './table/backend-key.ts'
import { type Row, sizeOf, totalSize } from './table/row.ts'
import type { Table } from './table/table.ts'
import { nextTurn } from './timeouts/next-turn.ts'
import { timeLeft } from './timeouts/time-left.ts'

interface Replacement {
  readonly row: Row
  readonly expected: string
}

interface VersionRemoval {
  readonly backendKey: BackendKey
  readonly expected: string
}

export interface ItemWriterOptions {
  readonly table: Pick<
    Table,
    | 'now'
    | 'rowOf'
    | 'itemOf'
    | 'backendKey'
    | 'ownTimeouts'
    | 'find'
    | 'put'
    | 'putIfAbsent'
    | 'replace'
    | 'replaceDamaged'
    | 'remove'
    | 'removeVersions'
    | 'ranges'
    | 'clear'
  >
  readonly limits: BatchLimits
  /** Receives the numbers of rows and bytes that were written. */
  readonly onWritten: (rows: number, bytes: number) => void
}

/** Writes and removes items. The calls of one kind and one tick travel in one statement. */
export class ItemWriter {
  readonly #table: ItemWriterOptions['table']
  readonly #limits: BatchLimits
  readonly #puts: BatchedStatements<Row, void>
  readonly #removals: BatchedStatements<BackendKey, boolean>
  readonly #creations: BatchedStatements<Row, boolean>
  readonly #replacements: BatchedStatements<Replacement, boolean>
  readonly #versionRemovals: BatchedStatements<VersionRemoval, boolean>

  constructor({ table, limits, onWritten }: ItemWriterOptions) {
    this.#table = table
    this.#limits = limits
    this.#puts = new BatchedStatements(
      {
        method: 'set',
        bytesOf: sizeOf,
        // The last value wins, as if the earlier one had been overwritten before any read.
        join: (_, incoming, replace) => {
          replace(incoming)
          return true
        },
        work: async (rows, timeouts) => {
          await table.put(rows, timeouts)
          onWritten(rows.length, totalSize(rows))
          return () => undefined
        },
      },
      limits,
    )
    this.#removals = new BatchedStatements(
      {
        method: 'delete',
        join: () => true,
        work: async (keys, timeouts) => {
          const removed = await table.remove(keys, timeouts)
          // Of several deletes of one key only the first has found the value.
          return ({ whole }, waiter) => waiter === 0 && removed.has(whole)
        },
      },
      limits,
    )
    this.#creations = new BatchedStatements(
      {
        method: 'compareAndSet',
        bytesOf: sizeOf,
        work: async (rows, timeouts) => {
          const written = await table.putIfAbsent(rows, timeouts)
          onWritten(written.size, totalSize(rows))
          return ({ backendKey }) => written.has(backendKey.id)
        },
      },
      limits,
    )
    this.#replacements = new BatchedStatements(
      {
        method: 'compareAndSet',
        bytesOf: ({ row }) => sizeOf(row),
        work: async (requests, timeouts) => {
          const rows = requests.map(({ row }) => row)
          const expected = requests.map((request) => request.expected)
          const written = await table.replace(rows, expected, timeouts)
          onWritten(written.size, totalSize(rows))
          return ({ row }) => written.has(row.backendKey.id)
        },
      },
      limits,
    )
    this.#versionRemovals = new BatchedStatements(
      {
        method: 'compareAndSet',
        work: async (requests, timeouts) => {
          const keys = requests.map(({ backendKey }) => backendKey)
          const expected = requests.map((request) => request.expected)
          const removed = await table.removeVersions(keys, expected, timeouts)
          return ({ backendKey }) => removed.has(backendKey.id)
        },
      },
      limits,
    )
  }

  /** Writes the item. An item that has expired already leaves its key empty. */
  async set(item: Item): Promise<void> {
    const row = this.#table.rowOf(item)
    if (this.#hasExpired(item)) await this.delete(item.key)
    else await this.#puts.add(row.backendKey.id, row)
  }

  async setMany(items: readonly Item[]): Promise<void> {
    // All values are encoded before the first is sent, so that one that cannot be encoded leaves all keys unchanged. Of
    // several items with one key the last wins.
    const encoded = new Map(items.map((item) => [item.key, { item, row: this.#table.rowOf(item) }]))
    const all = [...encoded.values()]
    const expired = new Set(all.filter(({ item }) => this.#hasExpired(item)))
    const rest = expired.size === 0 ? all : all.filter((one) => !expired.has(one))
    await Promise.all([
      this.#putMany(rest.map(({ row }) => row)),
      ...[...expired].map(({ item }) => this.delete(item.key)),
    ])
  }

  /** Resolves to whether the key had a live value. */
  delete(key: string): Promise<boolean> {
    const backendKey = this.#table.backendKey(key)
    return this.#removals.add(backendKey.id, backendKey)
  }

  /** Resolves to the number of keys that had a live value. */
  async deleteMany(keys: readonly string[]): Promise<number> {
    const removed = await Promise.all([...new Set(keys)].map((key) => this.delete(key)))
    return removed.filter((wasLive) => wasLive).length
  }

  async compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    // All statements of the call share its time.
    const left = timeLeft('compareAndSet', this.#limits.timeout)
    // An item that has expired already is encoded too: a value that cannot be encoded is always refused.
    const encoded = next === undefined ? undefined : this.#table.rowOf(next)
    const row = next === undefined || this.#hasExpired(next) ? undefined : encoded
    if (expected !== undefined) {
      return await (row === undefined ? this.#removeVersion(key, expected) : this.#replace(row, expected))
    }
    if (row !== undefined && (await this.#creations.add(row.backendKey.id, row))) return true
    await this.#limits.ready()
    const found = await this.#table.find(key, left())
    if (row === undefined && found === undefined) return true
    if (found === undefined || this.#table.itemOf(key, found) !== undefined) return false
    // An unreadable item counts as absent.
    return row === undefined || (await this.#table.replaceDamaged(row, found, this.#table.ownTimeouts(left())))
  }

  async clear(prefix: string): Promise<void> {
    await this.#limits.ready()
    for (const range of this.#table.ranges(prefix)) {
      // In steps, so that neither the locks nor the time of one statement grow with the table. Each step continues
      // behind the last key of the previous one, so every item that existed at the start is met.
      for (let rest: KeyRange | undefined = range; rest !== undefined; ) {
        rest = await this.#table.clear(rest)
        await nextTurn()
      }
    }
  }

  #putMany(rows: readonly Row[]): Promise<void> {
    return waitForAll(rows.length, undefined, (resolve, reject) => {
      for (const row of rows) this.#puts.addFor({ resolve, reject }, row.backendKey.id, row)
    })
  }

  #replace(row: Row, expected: string): Promise<boolean> {
    return this.#replacements.add(row.backendKey.id, { row, expected })
  }

  #removeVersion(key: string, expected: string): Promise<boolean> {
    const backendKey = this.#table.backendKey(key)
    return this.#versionRemovals.add(backendKey.id, { backendKey, expected })
  }

  #hasExpired(item: Item): boolean {
    return item.expiresAt !== undefined && item.expiresAt <= this.#table.now()
  }
}
