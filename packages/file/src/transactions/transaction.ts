import { setTimeout as wait } from 'node:timers/promises'
import { CacheError, createVersion, type Item, invalidArgument, wholeNumber } from '@cache/core/backend'
import type { Store } from '../directory/directory-handle.ts'
import type { ItemIndex, NewRow } from '../index/item-index.ts'
import { keyText } from '../index/key-text.ts'
import type { Items } from '../items.ts'
import { newRow, type StoredItem } from '../values/encoded-item.ts'

/** What a transaction may do. What it reads is what it wrote itself, else what is stored. */
export interface FileTransaction {
  get(key: string): Promise<Item | undefined>
  set(item: Item): void
  delete(key: string): void
  /** Adds to a whole number, counting a missing one from 0; resolves to the sum. Rejects with `NOT_A_NUMBER` or `OUT_OF_RANGE`. */
  increment(key: string, delta?: number): Promise<number>
}

/**
 * Several operations, all or nothing. Optimistic, after Kung and Robinson (ACM TODS 1981): the callback reads what is
 * stored and its writes wait; at the end one transaction of SQLite checks that every item it read is still the one it
 * read, and writes. Otherwise the callback runs again. No lock is held while it runs, so it may await anything.
 */
export class Transactions {
  readonly #store: Store
  readonly #items: Items

  constructor(store: Store, items: Items) {
    this.#store = store
    this.#items = items
  }

  /** Resolves to what `work` resolves to. Rejects with what it rejects with, or with `CONFLICT` after `attempts` runs. */
  async run<Result>(
    work: (transaction: FileTransaction) => Promise<Result> | Result,
    attempts: number,
  ): Promise<Result> {
    wholeNumber(attempts, 'attempts', 'transact', 1)
    if (typeof work !== 'function') throw invalidArgument('work', work, 'a function', 'transact')
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const transaction = new OpenTransaction(this.#store, this.#items)
      const result = await work(transaction)
      await transaction.end()
      if (await transaction.commit()) return result
      // Whoever was faster made progress. Different waits keep the losers from meeting again.
      await wait(Math.random() * Math.min(attempt, 20))
    }
    throw new CacheError('CONFLICT', `transact: other writers changed what was read, ${attempts} times in a row`, {
      backend: 'file',
      operation: 'transact',
    })
  }
}

class OpenTransaction implements FileTransaction {
  readonly #store: Store
  readonly #items: Items
  /** Versions of what was read; `undefined` where nothing was there. */
  readonly #read = new Map<string, string | undefined>()
  /** What will be written; `undefined` removes. */
  readonly #writes = new Map<string, StoredItem | undefined>()
  /** Calls that have not settled: the callback need not have waited for them. */
  readonly #running = new Set<Promise<unknown>>()
  #ended = false

  constructor(store: Store, items: Items) {
    this.#store = store
    this.#items = items
  }

  get(key: string): Promise<Item | undefined> {
    return this.#track(() => this.#get(key))
  }

  set(item: Item): void {
    this.#refuseEnded()
    this.#writes.set(item.key, this.#items.writer.encode(item))
  }

  delete(key: string): void {
    this.#refuseEnded()
    this.#writes.set(key, undefined)
  }

  increment(key: string, delta = 1): Promise<number> {
    return this.#track(() => this.#increment(key, delta))
  }

  /** Waits for what the callback did not wait for. Nothing is taken from then on: it would be lost without a word. */
  async end(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
    this.#ended = true
  }

  async #get(key: string): Promise<Item | undefined> {
    if (this.#writes.has(key)) return this.#writes.get(key)?.item
    const item = await this.#items.get(key)
    // The second reading of a key decides: when the two differ, the commit fails either way.
    if (!this.#read.has(key)) this.#read.set(key, item?.version)
    return item?.value === undefined ? undefined : item
  }

  async #increment(key: string, delta: number): Promise<number> {
    const found = await this.#get(key)
    // Another call of this transaction may have written meanwhile.
    const item = this.#writes.has(key) ? this.#writes.get(key)?.item : found
    const from = item === undefined ? 0 : item.value
    if (!Number.isSafeInteger(from)) throw refused('NOT_A_NUMBER', key, 'the value is not a whole number')
    const sum = (from as number) + delta
    if (!Number.isSafeInteger(sum)) throw refused('OUT_OF_RANGE', key, 'the sum is not an exact whole number')
    this.set({ ...(item ?? { key, createdAt: this.#store.now() }), value: sum, version: createVersion() })
    return sum
  }

  async #track<Value>(call: () => Promise<Value>): Promise<Value> {
    this.#refuseEnded()
    const running = call()
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
    }
  }

  #refuseEnded(): void {
    if (!this.#ended) return
    throw new CacheError('CLOSED', 'transact: the transaction has ended', { backend: 'file', operation: 'transact' })
  }

  /** Whether everything that was read still held and everything is written. */
  async commit(): Promise<boolean> {
    const files = new Map<string, string>()
    try {
      for (const [key, stored] of this.#writes) {
        if (stored === undefined || !this.#items.isLarge(stored)) continue
        await this.#store.prepare()
        files.set(key, await this.#store.values.write(stored.frame))
      }
      const done = await this.#store.queue.write('transact', undefined, (index, now) => this.#apply(index, files, now))
      if (!done) await this.#discard(files)
      return done
    } catch (error) {
      await this.#discard(files)
      throw error
    }
  }

  #apply(index: ItemIndex, files: ReadonlyMap<string, string>, now: number): boolean {
    const { writer } = this.#items
    for (const [key, version] of this.#read) {
      const row = index.get(keyText(key))
      if (writer.liveVersion(key, row, version, now) !== version) return false
    }
    const rows = new Map<string, NewRow>()
    for (const [key, stored] of this.#writes) {
      if (stored !== undefined) rows.set(key, newRow(stored, now, files.get(key)))
    }
    writer.checkRoom(index, [...rows.values()])
    for (const key of this.#writes.keys()) {
      const row = rows.get(key)
      if (row === undefined) writer.remove(index, key, now)
      else writer.putChecked(index, row, now)
    }
    return true
  }

  async #discard(files: ReadonlyMap<string, string>): Promise<void> {
    for (const file of files.values()) await this.#store.values.remove(file).catch(() => undefined)
  }
}

function refused(code: 'NOT_A_NUMBER' | 'OUT_OF_RANGE', key: string, message: string): CacheError {
  return new CacheError(code, `increment: ${message}`, { backend: 'file', operation: 'increment', key })
}
