import { frame as frameLayout, type ItemFormat, msgpackCodec } from '@cache/codecs'
import { CacheError, cacheErrorCode, type Item } from '@cache/core/backend'
import type { DirectoryAccess } from './directory/directory-access.ts'
import { concernsOneFile, damaged, fileError } from './errors.ts'
import type { FullIndexRow, IndexRow } from './index/index-rows.ts'
import type { ItemIndex } from './index/item-index.ts'
import { keyText } from './index/key-text.ts'
import { agrees, checksum, columnsDiffer, isExpired } from './values/encoded-item.ts'
import type { ValueFiles } from './values/value-files.ts'
import { checkStreamedValue, readStreamedValue } from './values/value-stream.ts'

/** The number of damaged value files that are remembered. */
const maxRemembered = 1000
/** Replacements of a value between its row and its file, after which a read gives up. */
const maxReplacements = 100

const fileGone = 'its value file is gone'

/** Reads a streamed value, or only checks it. Resolves to `undefined` when the file is gone. */
type StreamReader = (format: ItemFormat, values: ValueFiles, item: Item, file: string) => Promise<unknown>

/** Reads rows as items. An unreadable value is a miss and is reported (RACES R34). */
export class ItemReader {
  readonly #directory: DirectoryAccess
  /** Files that a read found damaged or missing. `compareAndSet` treats their items as absent, as the read did. */
  readonly #damagedFiles = new Set<string>()

  constructor(directory: DirectoryAccess) {
    this.#directory = directory
  }

  /** The live item of the key; a promise when its value is in a file. */
  live(index: ItemIndex, key: string, now: number): Item | undefined | Promise<Item | undefined> {
    const text = keyText(key)
    const found = index.find(text)
    if (found === undefined) return undefined
    if (found.frame !== null) return this.#liveOf(key, text, found, found.frame, now)
    const row = index.get(text)
    if (row === undefined || isExpired(row, now)) return undefined
    this.#directory.noteRead(row.id, now)
    return row.file === null ? this.inline(key, row) : this.#fromFile(key, row, row.file)
  }

  /** The same for many keys, in their order. `onSkipped` gets the positions of keys that need a read of their own. */
  liveMany(
    index: ItemIndex,
    keys: readonly string[],
    now: number,
    onSkipped: (position: number) => void,
  ): (Item | undefined)[] {
    const texts = keys.map(keyText)
    return index.findMany(texts).map((found, position) => {
      if (found === undefined) return undefined
      if (found.frame !== null) {
        return this.#liveOf(keys[position] as string, texts[position] as string, found, this.#detach(found.frame), now)
      }
      onSkipped(position)
      return undefined
    })
  }

  /** Copies a frame of a batch when its value could share memory with it, and so keep the whole batch in memory. */
  #detach(frame: Uint8Array): Uint8Array {
    // Values of MessagePack share no memory with their bytes.
    return this.#directory.settings.format.codec === msgpackCodec ? frame : new Uint8Array(frame)
  }

  #liveOf(key: string, text: string, row: IndexRow, frame: Uint8Array, now: number): Item | undefined {
    const item = this.#decode(key, text, row.checksum, frame)
    if (item === undefined || (item.expiresAt !== undefined && item.expiresAt <= now)) return undefined
    this.#directory.noteRead(row.id, now)
    return item
  }

  /** The item of a row whose frame is in the index; `undefined` when it is damaged. */
  inline(key: string, row: FullIndexRow): Item | undefined {
    return this.#decode(key, keyText(key), row.checksum, row.frame)
  }

  /** Whether a read found the file damaged or missing. */
  isKnownDamaged(file: string): boolean {
    return this.#damagedFiles.has(file)
  }

  /**
   * Reads the value file of the key to its end. Resolves to the name of a file without damage, and otherwise to
   * `undefined`. A file with damage is remembered.
   */
  async findSoundFile(key: string): Promise<string | undefined> {
    const row = await this.#directory.queue.read('compareAndSet', key, (index) => index.get(keyText(key)))
    if (row === undefined || row.file === null) return undefined
    const read = await this.#readFile(key, row, row.file, row.streamed === 1 ? checkStreamedValue : undefined)
    if (read !== 'gone') return read === undefined ? undefined : row.file
    const again = await this.#directory.queue.read('compareAndSet', key, (index) => index.get(keyText(key)))
    return again?.file === row.file ? this.#lost(row.file, damaged(key, fileGone)) : undefined
  }

  report(error: CacheError): void {
    this.#directory.report(error, 'get')
  }

  async #fromFile(key: string, found: FullIndexRow, foundFile: string): Promise<Item | undefined> {
    let row = found
    let file = foundFile
    for (let attempt = 0; attempt < maxReplacements; attempt += 1) {
      const read = await this.#readFile(key, row, file)
      if (read !== 'gone') return read
      // Either the value was replaced after the read of its row (RACES R28), or its file is lost.
      const again = await this.#directory.queue.read('get', key, (index) => index.get(keyText(key)))
      if (again === undefined || isExpired(again, this.#directory.now())) return undefined
      if (again.file === null) return this.inline(key, again)
      if (again.file === file) return this.#lost(file, damaged(key, fileGone))
      row = again
      file = again.file
    }
    const message = `get: other writers replaced the value ${maxReplacements} times while it was read; try again`
    throw new CacheError('CONFLICT', message, { backend: 'file', operation: 'get', key })
  }

  async #readFile(
    key: string,
    row: FullIndexRow,
    file: string,
    readStream: StreamReader = readStreamedValue,
  ): Promise<Item | undefined | 'gone'> {
    const { values, settings } = this.#directory
    try {
      if (row.streamed === 1) {
        const item = this.#ofColumns(key, row, row.frame)
        if (item === undefined) return this.#remember(file)
        const value = await readStream(settings.format, values, item, file)
        return value === undefined ? 'gone' : { ...item, value }
      }
      const bytes = await values.read(file)
      if (bytes === undefined) return 'gone'
      return this.#ofColumns(key, row, bytes) ?? this.#remember(file)
    } catch (error) {
      if (cacheErrorCode(error) === 'DAMAGED') return this.#lost(file, damaged(key, (error as Error).message, error))
      if (!concernsOneFile(error)) throw fileError(error, 'get', key)
      return this.#lost(file, damaged(key, 'its value file cannot be read', error))
    }
  }

  #lost(file: string, error: CacheError): undefined {
    this.report(error)
    return this.#remember(file)
  }

  #remember(file: string): undefined {
    if (this.#damagedFiles.size >= maxRemembered) this.#damagedFiles.clear()
    this.#damagedFiles.add(file)
    return undefined
  }

  /** The item of a row with a value file. The checksum does not cover its columns, which `compareAndSet` uses. */
  #ofColumns(key: string, row: FullIndexRow, frame: Uint8Array | null): Item | undefined {
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
      return this.#directory.settings.format.decode(key, frame)
    } catch (error) {
      this.report(cacheErrorCode(error) === undefined ? damaged(key, String(error), error) : (error as CacheError))
      return undefined
    }
  }
}
