import { CacheError, cacheErrorCode, type Item } from '@cache/core/backend'
import { damaged, fileError } from './errors.ts'
import type { ItemIndex, Row } from './item-index.ts'
import { keyText } from './key-text.ts'
import type { Store } from './store.ts'
import { checksum, isExpired } from './stored-item.ts'
import { readStreamedValue } from './value-stream.ts'

/** Value files known to be damaged that are remembered. */
const remembered = 1000
/** How often a value may be replaced between finding its row and opening its file before something else must be wrong. */
const mostReplacements = 100

/** What of a file's failure concerns its value alone. */
const fileFailures = ['ELOOP', 'EISDIR', 'EACCES', 'EPERM', 'EIO', 'ENXIO']

/** Rows as items. Whatever cannot be read is a miss, and is reported (RACES R34). */
export class ItemReader {
  readonly #store: Store
  /** Files that a read found damaged or missing: `swap` takes their items for absent, as the reader did. */
  readonly #damagedFiles = new Set<string>()

  constructor(store: Store) {
    this.#store = store
  }

  /** The live item of the key; a promise where its value lies in a file. */
  live(index: ItemIndex, key: string, now: number): Item | undefined | Promise<Item | undefined> {
    const text = keyText(key)
    return this.#live(key, text, index.get(text), now)
  }

  /** The same for many keys, in their order. */
  liveMany(index: ItemIndex, keys: readonly string[], now: number): (Item | undefined | Promise<Item | undefined>)[] {
    const texts = keys.map(keyText)
    return index.getMany(texts).map((row, at) => this.#live(keys[at] as string, texts[at] as string, row, now))
  }

  #live(key: string, text: string, row: Row | undefined, now: number): Item | undefined | Promise<Item | undefined> {
    if (row === undefined || isExpired(row, now)) return undefined
    this.#store.noteRead(row.id, now)
    return row.file === null ? this.#decode(key, text, row, row.frame) : this.#fromFile(key, row, row.file)
  }

  /** The item of a row whose frame is in the index; `undefined` when it is damaged. */
  inline(key: string, row: Row): Item | undefined {
    return this.#decode(key, keyText(key), row, row.frame)
  }

  /** Whether the row is known to hold nothing that can be read. */
  isDamaged(key: string, row: Row): boolean {
    return row.file === null ? this.inline(key, row) === undefined : this.#damagedFiles.has(row.file)
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
        const item = this.inline(key, row)
        if (item === undefined) return undefined
        const value = await readStreamedValue(this.#store, item, file)
        return value === undefined ? 'gone' : { ...item, value }
      }
      const bytes = await values.read(file)
      if (bytes === undefined) return 'gone'
      const item = this.#decode(key, keyText(key), row, bytes)
      if (item === undefined) this.#remember(file)
      return item
    } catch (error) {
      if (cacheErrorCode(error) === 'DAMAGED') return this.#lost(file, damaged(key, (error as Error).message, error))
      if (!fileFailures.includes((error as NodeJS.ErrnoException).code ?? '')) throw fileError(error, 'get', key)
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

  #decode(key: string, text: string, row: Row, frame: Uint8Array | null): Item | undefined {
    try {
      if (frame === null) throw damaged(key, 'it has no value')
      if (checksum(text, frame) !== row.checksum) {
        throw damaged(
          key,
          frame[0] === 1 ? 'its checksum differs' : `its checksum differs, and its format is ${frame[0]}`,
        )
      }
      const item = this.#store.settings.format.decode(key, frame)
      // The columns are what SQL judges by; they are not under the checksum.
      if (item.version !== row.version || (item.expiresAt ?? null) !== row.expires_at) {
        throw damaged(key, 'its columns say something else than its value')
      }
      return item
    } catch (error) {
      this.report(cacheErrorCode(error) === undefined ? damaged(key, String(error), error) : (error as CacheError))
      return undefined
    }
  }
}
