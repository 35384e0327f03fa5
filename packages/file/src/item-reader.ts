import { frame as frameLayout, msgpackCodec } from '@cache/codecs'
import { CacheError, cacheErrorCode, type Item } from '@cache/core/backend'
import type { Store } from './directory/directory-handle.ts'
import { concernsOneFile, damaged, fileError } from './errors.ts'
import type { ItemIndex, Row } from './index/item-index.ts'
import { keyText } from './index/key-text.ts'
import type { Found } from './index/row-batch.ts'
import { agrees, checksum, columnsDiffer, isExpired } from './values/encoded-item.ts'
import { readStreamedValue } from './values/value-stream.ts'

/** Value files known to be damaged that are remembered. */
const remembered = 1000
/** How often a value may be replaced between finding its row and opening its file before something else must be wrong. */
const mostReplacements = 100

/** Rows as items. Whatever cannot be read is a miss, and is reported (RACES R34). */
export class ItemReader {
  readonly #store: Store
  /** Files that a read found damaged or missing: `compareAndSet` takes their items for absent, as the reader did. */
  readonly #damagedFiles = new Set<string>()

  constructor(store: Store) {
    this.#store = store
  }

  /** The live item of the key; a promise where its value lies in a file. */
  live(index: ItemIndex, key: string, now: number): Item | undefined | Promise<Item | undefined> {
    const text = keyText(key)
    const found = index.find(text)
    if (found === undefined) return undefined
    if (found.frame !== null) return this.#liveOf(key, text, found, found.frame, now)
    const row = index.get(text)
    if (row === undefined || isExpired(row, now)) return undefined
    this.#store.noteRead(row.id, now)
    return row.file === null ? this.inline(key, row) : this.#fromFile(key, row, row.file)
  }

  /** The same for many keys, in their order; `undefined` also stands for what is read by `later`, which gets its place. */
  liveMany(
    index: ItemIndex,
    keys: readonly string[],
    now: number,
    later: (place: number) => void,
  ): (Item | undefined)[] {
    const texts = keys.map(keyText)
    return index.findMany(texts).map((found, place) => {
      if (found === undefined) return undefined
      if (found.frame !== null) {
        return this.#liveOf(keys[place] as string, texts[place] as string, found, this.#own(found.frame), now)
      }
      later(place)
      return undefined
    })
  }

  /** A frame of a batch as what a value may be part of: it must not hold the others in memory. */
  #own(frame: Uint8Array): Uint8Array {
    // Its values share nothing with the bytes they were read from.
    return this.#store.settings.format.codec === msgpackCodec ? frame : new Uint8Array(frame)
  }

  #liveOf(key: string, text: string, found: Found, frame: Uint8Array, now: number): Item | undefined {
    const item = this.#decode(key, text, found.checksum, frame)
    if (item === undefined || (item.expiresAt !== undefined && item.expiresAt <= now)) return undefined
    this.#store.noteRead(found.id, now)
    return item
  }

  /** The item of a row whose frame is in the index; `undefined` when it is damaged. */
  inline(key: string, row: Row): Item | undefined {
    return this.#decode(key, keyText(key), row.checksum, row.frame)
  }

  /** Whether a read found that the file holds nothing that can be read. */
  isKnownDamaged(file: string): boolean {
    return this.#damagedFiles.has(file)
  }

  /** Whether the key's value lies in a file that turns out to be damaged. */
  async findDamage(key: string): Promise<boolean> {
    const row = await this.#store.queue.read('get', key, (index) => index.get(keyText(key)))
    if (row === undefined || row.file === null) return false
    return (await this.#fromFile(key, row, row.file)) === undefined && this.#damagedFiles.has(row.file)
  }

  report(error: CacheError): void {
    this.#store.report(error, 'get')
  }

  async #fromFile(key: string, found: Row, foundFile: string): Promise<Item | undefined> {
    let row = found
    let file = foundFile
    for (let attempt = 0; attempt < mostReplacements; attempt++) {
      const read = await this.#readFile(key, row, file)
      if (read !== 'gone') return read
      // The value was replaced between the look at its row and the opening of its file (RACES R28), or its file is lost.
      const again = await this.#store.queue.read('get', key, (index) => index.get(keyText(key)))
      if (again === undefined || isExpired(again, this.#store.now())) return undefined
      if (again.file === null) return this.inline(key, again)
      if (again.file === file) return this.#lost(file, damaged(key, 'its value file is gone'))
      row = again
      file = again.file
    }
    throw new CacheError('CONFLICT', `get: the value was replaced ${mostReplacements} times while it was read`, {
      backend: 'file',
      operation: 'get',
      key,
    })
  }

  async #readFile(key: string, row: Row, file: string): Promise<Item | undefined | 'gone'> {
    const { values } = this.#store
    try {
      if (row.streamed === 1) {
        const item = this.#ofColumns(key, row, row.frame)
        if (item === undefined) return undefined
        const value = await readStreamedValue(this.#store, item, file)
        return value === undefined ? 'gone' : { ...item, value }
      }
      const bytes = await values.read(file)
      if (bytes === undefined) return 'gone'
      const item = this.#ofColumns(key, row, bytes)
      if (item === undefined) this.#remember(file)
      return item
    } catch (error) {
      if (cacheErrorCode(error) === 'DAMAGED') return this.#lost(file, damaged(key, (error as Error).message, error))
      if (!concernsOneFile(error)) throw fileError(error, 'get', key)
      return this.#lost(file, damaged(key, 'its value file cannot be read', error))
    }
  }

  #lost(file: string, error: CacheError): undefined {
    this.#remember(file)
    this.report(error)
    return undefined
  }

  #remember(file: string): void {
    if (this.#damagedFiles.size >= remembered) this.#damagedFiles.clear()
    this.#damagedFiles.add(file)
  }

  /** The item of a row with a value file. Its columns are not under the checksum, and `compareAndSet` judges by them. */
  #ofColumns(key: string, row: Row, frame: Uint8Array | null): Item | undefined {
    const item = this.#decode(key, keyText(key), row.checksum, frame)
    if (item === undefined || agrees(item, row)) return item
    this.report(damaged(key, columnsDiffer))
    return undefined
  }

  #decode(key: string, text: string, expected: number, frame: Uint8Array | null): Item | undefined {
    try {
      if (frame === null) throw damaged(key, 'it has no value')
      if (checksum(text, frame) !== expected) {
        throw damaged(
          key,
          frame[0] === frameLayout.formatVersion
            ? 'its checksum differs'
            : `its checksum differs, and its format is ${frame[0]}`,
        )
      }
      return this.#store.settings.format.decode(key, frame)
    } catch (error) {
      this.report(cacheErrorCode(error) === undefined ? damaged(key, String(error), error) : (error as CacheError))
      return undefined
    }
  }
}
