import { CacheError, createVersion, type Item } from '@cache/core/backend'
import type { Store } from './directory/directory-handle.ts'
import type { ItemIndex, NewRow, Row } from './index/item-index.ts'
import { keyText } from './index/key-text.ts'
import type { ItemReader } from './item-reader.ts'
import { isExpired, newRow, type StoredItem, storedItem } from './values/encoded-item.ts'

/** What the operations that change items do inside a transaction. */
export class ItemWriter {
  readonly #store: Store
  readonly #reader: ItemReader

  constructor(store: Store, reader: ItemReader) {
    this.#store = store
    this.#reader = reader
  }

  /** The item in its stored form. Throws `NOT_STORABLE`. */
  encode(item: Item): StoredItem {
    return storedItem(item, this.#store.settings.format.encode(item))
  }

  /** Puts the item in place; one that has expired or is larger than all that may be kept leaves the key empty. */
  put(index: ItemIndex, stored: StoredItem, file: string | undefined, now: number): void {
    this.putRow(index, newRow(stored, now, file), now)
  }

  putRow(index: ItemIndex, row: NewRow, now: number): void {
    if (this.#keeps(row, now)) this.checkRoom(index, [row])
    this.putChecked(index, row, now)
  }

  /** Without asking whether there is room, which was asked for all rows of a transaction together. */
  putChecked(index: ItemIndex, row: NewRow, now: number): void {
    if (this.#keeps(row, now)) {
      index.put(row)
      return
    }
    index.remove(row.text)
    this.discard(index, row.file)
    if (row.expiresAt === undefined || row.expiresAt > now) this.#store.culler.noteEviction(row.text, 'bytes')
  }

  #keeps(row: NewRow, now: number): boolean {
    return (row.expiresAt === undefined || row.expiresAt > now) && this.#store.culler.fits(row.bytes)
  }

  /** Whether a live value was there. */
  remove(index: ItemIndex, key: string, now: number): boolean {
    const removed = index.remove(keyText(key))
    return removed !== undefined && removed.kind > 0 && !isExpired(removed, now)
  }

  /** `next` is put in place, or the item removed where there is none, if the live item has the version `expected`. */
  compareAndSet(
    index: ItemIndex,
    key: string,
    expected: string | undefined,
    next: StoredItem | undefined,
    file: string | undefined,
    now: number,
  ): boolean {
    const text = keyText(key)
    const row = index.get(text)
    if (this.liveVersion(key, row, expected, now) !== expected) return false
    if (next !== undefined) this.put(index, next, file, now)
    else if (row !== undefined) index.remove(text)
    return true
  }

  /** Adds to a whole number; see `CacheBackend.increment`. */
  increment(index: ItemIndex, key: string, delta: number, expiresAt: number | undefined, now: number): number {
    const row = index.get(keyText(key))
    const old = row === undefined ? undefined : this.#counter(key, row, now)
    const sum = (old === undefined ? 0 : (old.value as number)) + delta
    if (!Number.isSafeInteger(sum)) {
      throw failure('OUT_OF_RANGE', key, `the sum ${sum} is not a whole number between ±(2^53 - 1)`)
    }
    const item: Item =
      old === undefined
        ? {
            key,
            value: sum,
            version: createVersion(),
            createdAt: now,
            ...(expiresAt === undefined ? {} : { expiresAt }),
          }
        : { ...old, value: sum, version: createVersion() }
    this.put(index, this.encode(item), undefined, now)
    return sum
  }

  /** A value file that was written for nothing: unlinked after the commit. */
  discard(index: ItemIndex, file: string | undefined): void {
    if (file !== undefined) index.run('insert or ignore into trash (file) values (?)', file)
  }

  /** Throws `OUT_OF_MEMORY` where the policy is `none` and these would go beyond the limits. */
  checkRoom(index: ItemIndex, added: readonly { readonly text: string; readonly bytes: number }[]): void {
    const { policy, maxBytes, maxEntries } = this.#store.settings
    if (policy !== 'none') return
    let { entries, bytes } = index.total()
    for (const { text, bytes: more } of added) {
      const old = index.bytesOf(text)
      if (old === undefined) entries += 1
      bytes += more - (old ?? 0)
    }
    if (entries <= maxEntries && bytes <= maxBytes) return
    throw new CacheError('OUT_OF_MEMORY', "The limit is reached, and the policy 'none' gives nothing up", {
      backend: 'file',
    })
  }

  /**
   * The version that a condition is compared with. Where the columns do not say what is expected, the value itself is asked:
   * `get` goes by that alone, and what it finds must not be refused for ever where damage has changed a column.
   */
  liveVersion(key: string, row: Row | undefined, expected: string | undefined, now: number): string | undefined {
    if (row === undefined) return undefined
    if (row.file === null) {
      if (row.version === expected && !isExpired(row, now)) return expected
      const item = this.#reader.inline(key, row)
      return item === undefined || hasExpired(item, now) ? undefined : item.version
    }
    if (isExpired(row, now)) return undefined
    return expected === undefined && this.#reader.isKnownDamaged(row.file) ? undefined : row.version
  }

  /** The item to count on from; `undefined` where counting starts from 0. */
  #counter(key: string, row: Row, now: number): Item | undefined {
    // Numbers are short: what lies in a file is none.
    if (row.file !== null) {
      if (isExpired(row, now)) return undefined
      throw failure('NOT_A_NUMBER', key, 'the value is not a whole number')
    }
    const item = this.#reader.inline(key, row)
    if (item === undefined || item.value === undefined || hasExpired(item, now)) return undefined
    if (!Number.isSafeInteger(item.value)) throw failure('NOT_A_NUMBER', key, 'the value is not a whole number')
    return item
  }
}

function hasExpired({ expiresAt }: Item, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now
}

function failure(code: 'NOT_A_NUMBER' | 'OUT_OF_RANGE', key: string, message: string): CacheError {
  return new CacheError(code, `increment: ${message}`, { backend: 'file', operation: 'increment', key })
}
