import { CacheError, createVersion, type Item } from '@cache/core/backend'
import type { Work } from '../calls/queued-call.ts'
import type { DirectoryAccess } from '../directory/directory-access.ts'
import type { NewIndexRow } from '../index/index-rows.ts'
import type { ItemIndex } from '../index/item-index.ts'
import { keyText } from '../index/key-text.ts'
import type { Items } from '../items.ts'
import { type EncodedItem, newRow } from '../values/encoded-item.ts'
import type { FileTransaction } from './file-transaction.ts'

/** One run of a transaction: it remembers the versions that it read and the writes that its commit makes. */
export class OpenTransaction implements FileTransaction {
  readonly #directory: DirectoryAccess
  readonly #items: Items
  /** The version of each item that was read; `undefined` for an absent one. */
  readonly #read = new Map<string, string | undefined>()
  /** The item to write for each key; `undefined` to remove it. */
  readonly #writes = new Map<string, EncodedItem | undefined>()
  /** Calls in flight. The callback need not await them. */
  readonly #running = new Set<Promise<unknown>>()
  #ended = false

  constructor(directory: DirectoryAccess, items: Items) {
    this.#directory = directory
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

  /** Waits for calls that the callback did not await, then refuses further calls, which would be lost silently. */
  async end(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
    this.#ended = true
  }

  async #get(key: string): Promise<Item | undefined> {
    if (this.#writes.has(key)) return this.#writes.get(key)?.item
    const item = await this.#items.get(key)
    // The first read of a key decides. When a second read differs, the commit fails in any case.
    if (!this.#read.has(key)) this.#read.set(key, item?.version)
    return item?.value === undefined ? undefined : item
  }

  async #increment(key: string, delta: number): Promise<number> {
    const found = await this.#get(key)
    // Another call of this transaction may have written during the read.
    const item = this.#writes.has(key) ? this.#writes.get(key)?.item : found
    const from = item === undefined ? 0 : item.value
    if (!Number.isSafeInteger(from)) throw failure('NOT_A_NUMBER', key, 'the value is not a whole number')
    const sum = (from as number) + delta
    if (!Number.isSafeInteger(sum)) throw failure('OUT_OF_RANGE', key, 'the sum is not an exact whole number')
    this.set({ ...(item ?? { key, createdAt: this.#directory.now() }), value: sum, version: createVersion() })
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
    const message = 'transact: the transaction has ended; call its methods before the callback ends'
    throw new CacheError('CLOSED', message, { backend: 'file', operation: 'transact' })
  }

  /** Writes everything if every item that was read is unchanged; resolves to whether it did. */
  async commit(): Promise<boolean> {
    const files = new Map<string, string>()
    try {
      for (const [key, encoded] of this.#writes) {
        if (encoded === undefined || !this.#items.isLarge(encoded)) continue
        await this.#directory.prepare()
        files.set(key, await this.#directory.values.write(encoded.frame))
      }
      const { queue } = this.#directory
      const work: Work<boolean> = (index, now) => this.#apply(index, files, now)
      const removesOnly = [...this.#writes.values()].every((encoded) => encoded === undefined)
      const done = await (removesOnly
        ? queue.remove('transact', undefined, work)
        : queue.write('transact', undefined, work))
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
      if (writer.liveVersion(key, row, now) !== version) return false
    }
    const rows = new Map<string, NewIndexRow>()
    for (const [key, encoded] of this.#writes) {
      if (encoded !== undefined) rows.set(key, newRow(encoded, now, files.get(key)))
    }
    writer.checkSpace(index, [...rows.values()])
    for (const key of this.#writes.keys()) {
      const row = rows.get(key)
      if (row === undefined) writer.remove(index, key, now)
      else writer.putChecked(index, row, now)
    }
    return true
  }

  async #discard(files: ReadonlyMap<string, string>): Promise<void> {
    for (const file of files.values()) await this.#directory.values.remove(file).catch(() => undefined)
  }
}

function failure(code: 'NOT_A_NUMBER' | 'OUT_OF_RANGE', key: string, message: string): CacheError {
  return new CacheError(code, `increment: ${message}`, { backend: 'file', operation: 'increment', key })
}
