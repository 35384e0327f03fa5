import { CacheError, createVersion, type Item } from '@cache/core/backend'
import type { FullIndexRow, NewIndexRow } from './index/index-rows.ts'
import type { ItemIndex } from './index/item-index.ts'
import { keyText } from './index/key-text.ts'
import type { ItemReader } from './item-reader.ts'
import type { Evictor } from './limits/evictor.ts'
import type { Settings } from './options.ts'
import { type EncodedItem, encodedItem, isExpired, newRow } from './values/encoded-item.ts'

/** The changes of items inside a transaction. */
export class ItemWriter {
  readonly #settings: Settings
  readonly #evictor: Evictor
  readonly #reader: ItemReader

  constructor(settings: Settings, evictor: Evictor, reader: ItemReader) {
    this.#settings = settings
    this.#evictor = evictor
    this.#reader = reader
  }

  /** The item with its encoded bytes. Throws `NOT_STORABLE`. */
  encode(item: Item): EncodedItem {
    return encodedItem(item, this.#settings.format.encode(item))
  }

  /** Puts the item in place. An item that has expired or exceeds `maxBytes` alone leaves the key empty. */
  put(index: ItemIndex, encoded: EncodedItem, file: string | undefined, now: number): void {
    this.putRow(index, newRow(encoded, now, file), now)
  }

  putRow(index: ItemIndex, row: NewIndexRow, now: number): void {
    if (this.#isStorable(row, now)) this.checkSpace(index, [row])
    this.putChecked(index, row, now)
  }

  /** Puts the row in place without `checkSpace`, which a transaction calls once for all its rows. */
  putChecked(index: ItemIndex, row: NewIndexRow, now: number): void {
    if (this.#isStorable(row, now)) {
      index.put(row)
      return
    }
    index.remove(row.text)
    this.discard(index, row.file)
    if (row.expiresAt === undefined || row.expiresAt > now) this.#evictor.noteEviction(row.text, 'bytes')
  }

  #isStorable(row: NewIndexRow, now: number): boolean {
    return (row.expiresAt === undefined || row.expiresAt > now) && this.#evictor.fits(row.bytes)
  }

  /** Removes the item; returns whether it was a live value. */
  remove(index: ItemIndex, key: string, now: number): boolean {
    const removed = index.remove(keyText(key))
    return removed !== undefined && removed.kind > 0 && !isExpired(removed, now)
  }

  /**
   * Puts `next` in place, or removes the item without `next`, if the live item has the version `expected`. Returns
   * `'unread'` and changes nothing when that item is in a file other than `soundFile`: only a read of the file shows
   * whether it is damaged, and a damaged item counts as absent.
   */
  compareAndSet(
    index: ItemIndex,
    key: string,
    expected: string | undefined,
    next: EncodedItem | undefined,
    file: string | undefined,
    soundFile: string | undefined,
    now: number,
  ): boolean | 'unread' {
    const text = keyText(key)
    const row = index.get(text)
    const version = this.liveVersion(key, row, now)
    const isInFile = version !== undefined && row !== undefined && row.file !== null
    // A caller that expects no item is told about a live one. Either answer may be wrong for a damaged file.
    if (isInFile && row.file !== soundFile && (expected === undefined || expected === version)) return 'unread'
    if (version !== expected) return false
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

  /** Marks an unused value file, which is unlinked after the commit. */
  discard(index: ItemIndex, file: string | undefined): void {
    if (file !== undefined) index.run('insert or ignore into trash (file) values (?)', file)
  }

  /** Throws `OUT_OF_MEMORY` when the policy is `none` and the added items would exceed the limits. */
  checkSpace(index: ItemIndex, added: readonly { readonly text: string; readonly bytes: number }[]): void {
    const { policy, maxBytes, maxEntries } = this.#settings
    if (policy !== 'none') return
    let { entries, bytes } = index.totals()
    for (const { text, bytes: more } of added) {
      const old = index.bytesOf(text)
      if (old === undefined) entries += 1
      bytes += more - (old ?? 0)
    }
    if (entries <= maxEntries && bytes <= maxBytes) return
    const message = "the limit is reached, and the policy 'none' evicts nothing; delete items or raise the limit"
    throw new CacheError('OUT_OF_MEMORY', message, { backend: 'file' })
  }

  /**
   * The version that a condition is compared with; `undefined` for an absent, expired or damaged item. A value in the
   * index decides by itself: `get` uses only the value, and a damaged column must not refuse its version for ever.
   */
  liveVersion(key: string, row: FullIndexRow | undefined, now: number): string | undefined {
    if (row === undefined) return undefined
    if (row.file === null) {
      const item = this.#reader.inline(key, row)
      return item === undefined || hasExpired(item, now) ? undefined : item.version
    }
    return isExpired(row, now) || this.#reader.isKnownDamaged(row.file) ? undefined : row.version
  }

  /** The item whose value `increment` adds to, or `undefined` to start from 0. */
  #counter(key: string, row: FullIndexRow, now: number): Item | undefined {
    // Numbers are short, so a value in a file is no number.
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
