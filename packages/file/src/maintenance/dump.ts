import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, unlink } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { CacheError, type Item, nonEmptyString } from '@cache/core/backend'
import type { Store } from '../directory/directory-handle.ts'
import { keyOfText } from '../index/key-text.ts'
import type { Items } from '../items.ts'
import { makeExact } from '../values/value-files.ts'
import { isPlainJson } from './plain-json.ts'

export interface ImportReport {
  readonly imported: number
  /** What could not be read, at most a hundred of them. */
  readonly failures: readonly ImportFailure[]
  readonly failed: number
}

export interface ImportFailure {
  /** The line of the dump, or the file or key of another store. */
  readonly at: string
  readonly reason: string
}

const formatName = '@cache/file dump'
const formatVersion = 1
/** Lines written, and items stored, at a time. */
const step = 64
const mostFailures = 100

/**
 * All live values in a file that people and programs can read: a line of JSON per item, after a first line that names the
 * format. A value that JSON would change is written as the bytes of its item, in base64 (`frame`). Values are not encrypted
 * where they are readable.
 */
export class Dump {
  readonly #store: Store
  readonly #items: Items

  constructor(store: Store, items: Items) {
    this.#store = store
    this.#items = items
  }

  /** Writes a new file; resolves to the number of items. What is there is replaced only by a whole dump. */
  async exportTo(path: string): Promise<number> {
    nonEmptyString(path, 'path', 'exportTo')
    // Random: a process that was killed half-way may have had the same id, and two dumps may be written at once.
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
    const file = await open(temporary, 'wx', this.#store.settings.fileMode)
    let exported = 0
    try {
      try {
        await makeExact(file, this.#store.settings.fileMode)
        await file.write(`${JSON.stringify({ format: formatName, version: formatVersion })}\n`)
        let lines: string[] = []
        for await (const text of this.#items.keys('')) {
          const item = await this.#items.get(keyOfText(text))
          if (item === undefined || item.value === undefined) continue
          lines.push(`${JSON.stringify(this.#lineOf(item))}\n`)
          exported += 1
          if (lines.length < step) continue
          await file.write(lines.join(''))
          lines = []
        }
        await file.write(lines.join(''))
        await file.datasync()
      } finally {
        await file.close()
      }
      await rename(temporary, path)
      return exported
    } catch (error) {
      await unlink(temporary).catch(() => undefined)
      throw error
    }
  }

  /** Stores the items of a dump, replacing those of the same keys; expired ones are left out. */
  async importFrom(path: string): Promise<ImportReport> {
    nonEmptyString(path, 'path', 'importFrom')
    const importing = new Importing(this.#items)
    let number = 0
    const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })
    for await (const line of lines) {
      number += 1
      if (number === 1) checkHeader(line)
      else if (line !== '') await importing.take(`line ${number}`, () => this.#itemOf(JSON.parse(line)))
    }
    if (number === 0) checkHeader('')
    return importing.end()
  }

  #lineOf(item: Item): object {
    if (isPlainJson(item.value)) return item
    const { key, expiresAt } = item
    const frame = this.#store.settings.format.encode(item).toString('base64')
    return { key, ...(expiresAt === undefined ? {} : { expiresAt }), frame }
  }

  #itemOf(line: unknown): Item {
    const { key, frame, value, version, createdAt } = line as Partial<Item> & { frame?: unknown }
    if (typeof key !== 'string') throw new TypeError('it has no key')
    if (typeof frame === 'string') return this.#store.settings.format.decode(key, Buffer.from(frame, 'base64'))
    if (value === undefined || typeof version !== 'string' || typeof createdAt !== 'number') {
      throw new TypeError('it has no value, version or createdAt')
    }
    return line as Item
  }
}

/** Stores items in batches and remembers what failed. */
export class Importing {
  readonly #items: Items
  readonly #failures: ImportFailure[] = []
  #batch: Item[] = []
  #imported = 0
  #failed = 0

  constructor(items: Items) {
    this.#items = items
  }

  /** Takes what `read` returns; `undefined` is nothing to import. What it throws is a failure of this item alone. */
  async take(at: string, read: () => Item | undefined): Promise<void> {
    try {
      const item = read()
      if (item === undefined) return
      // Refused here and now if at all, so that it costs itself and not its batch.
      this.#items.writer.encode(item)
      this.#batch.push(item)
    } catch (error) {
      this.fail(at, error)
      return
    }
    if (this.#batch.length >= step) await this.#flush()
  }

  fail(at: string, error: unknown): void {
    this.#failed += 1
    if (this.#failures.length >= mostFailures) return
    this.#failures.push({ at, reason: error instanceof Error ? error.message : String(error) })
  }

  async end(): Promise<ImportReport> {
    await this.#flush()
    return { imported: this.#imported, failures: this.#failures, failed: this.#failed }
  }

  async #flush(): Promise<void> {
    const batch = this.#batch
    this.#batch = []
    await this.#items.setMany(batch)
    this.#imported += batch.length
  }
}

function checkHeader(line: string): void {
  try {
    const { format, version } = JSON.parse(line) as { format?: unknown; version?: unknown }
    if (format === formatName && version === formatVersion) return
  } catch {
    // Not even JSON.
  }
  throw new CacheError(
    'INVALID_ARGUMENT',
    `importFrom: the file does not begin as a ${formatName} of version ${formatVersion}`,
    {
      backend: 'file',
      operation: 'importFrom',
    },
  )
}
