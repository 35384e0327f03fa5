import { join } from 'node:path'
import { cacheErrorCode, checkOptions, trueOrFalse } from '@cache/core/backend'
import { callBackend } from '../backend-parts.ts'
import type { DirectoryHandle } from '../directory/directory-handle.ts'
import { concernsOneFile, damaged } from '../errors.ts'
import type { FileBackend } from '../file-backend.ts'
import type { ItemIndex } from '../index/item-index.ts'
import { keyOfText } from '../index/key-text.ts'
import { wholeColumn } from '../index/sqlite.ts'
import { agrees, checksum, columnsDiffer } from '../values/encoded-item.ts'
import { checkStreamedValue } from '../values/value-stream.ts'

/** A fault in the directory. */
export interface Problem {
  /**
   * `index`: SQLite reports damage of the index file. `totals`: the totals differ from the rows. `item`, `message`: its
   * bytes are unreadable. `missing`: its value file is gone. `orphan`: a value file without a row.
   */
  readonly kind: 'index' | 'totals' | 'item' | 'message' | 'missing' | 'orphan'
  readonly detail: string
  /** The key or queue that the fault concerns. */
  readonly key?: string
  readonly fixed: boolean
}

export interface CheckReport {
  readonly problems: readonly Problem[]
  /** The number of items, all of which were read completely. */
  readonly items: number
  readonly messages: number
  readonly files: number
}

interface CheckedRow {
  readonly id: number
  readonly key: string
  readonly checksum: number
  readonly streamed: number
  readonly version: string | null
  readonly expires_at: number | null
  readonly file: string | null
  readonly frame: Uint8Array | null
}

// Damage may have put any value into the columns: see `wholeColumn`.
const checksumColumn = wholeColumn('checksum')
const fileColumn = 'cast(file as text)'
/** Rows that one call of the queue reads. */
const rowsPerStep = 32
/** A file without a row that changed more recently may belong to a write in progress. */
const orphanAge = 60_000

export interface CheckOptions {
  /** Whether unreadable values are removed and the rest is repaired. Default `false`. */
  readonly fix?: boolean | undefined
}

/**
 * Compares the index, the totals and the value files with each other, and reads every value. Resolves to the faults
 * that it found.
 */
export function check(backend: FileBackend, options: CheckOptions = {}): Promise<CheckReport> {
  return callBackend(backend, 'check', undefined, async ({ directory }) => {
    checkOptions(options, ['fix'], 'check')
    const fix = trueOrFalse(options.fix ?? false, 'fix', 'check')
    return await new DirectoryCheck(directory, fix).run()
  })
}

/** One check of a directory. */
class DirectoryCheck {
  readonly #directory: DirectoryHandle
  readonly #fix: boolean
  readonly #problems: Problem[] = []

  constructor(directory: DirectoryHandle, fix: boolean) {
    this.#directory = directory
    this.#fix = fix
  }

  async run(): Promise<CheckReport> {
    await this.#directory.prepare()
    await this.#inspectIndex()
    const items = await this.#readRows('item')
    const messages = await this.#readRows('message')
    await this.#compareTotals()
    const files = await this.#findOrphans()
    return { problems: this.#problems, items, messages, files }
  }

  /** Runs SQLite's integrity check in another thread. The next call replaces a damaged index. */
  async #inspectIndex(): Promise<void> {
    const { problems } = await this.#directory.inspect({ kind: 'integrity' })
    for (const detail of problems) this.#add({ kind: 'index', detail, fixed: this.#fix })
    if (problems.length > 0 && this.#fix) {
      this.#directory.indexFailed('corrupt', damaged('', 'the integrity check failed'))
      await this.#directory.prepare()
    }
  }

  async #readRows(table: 'item' | 'message'): Promise<number> {
    let last = Number.MIN_SAFE_INTEGER
    let read = 0
    for (;;) {
      const after = last
      const rows = await this.#directory.queue.read('check', undefined, (index) => rowsAfter(index, table, after))
      for (const row of rows) await this.#readRow(table, row)
      read += rows.length
      if (rows.length < rowsPerStep) return read
      last = rows.at(-1)?.id ?? Number.MAX_SAFE_INTEGER
    }
  }

  async #readRow(table: 'item' | 'message', row: CheckedRow): Promise<void> {
    const key = keyOfText(row.key)
    const fault = await this.#findFault(row, key)
    if (fault === undefined || (await this.#hasChanged(table, row))) return
    if (this.#fix) {
      await this.#directory.queue.remove('check', undefined, (index) =>
        index.run(`delete from ${table} where id = ? and ${checksumColumn} is ?`, row.id, row.checksum),
      )
    }
    this.#add({ kind: fault === 'missing' ? fault : table, detail: fault, key, fixed: this.#fix })
  }

  async #findFault(row: CheckedRow, key: string): Promise<string | undefined> {
    const { settings, values } = this.#directory
    const { format } = settings
    try {
      const frame = row.file === null || row.streamed === 1 ? row.frame : await values.read(row.file)
      if (!frame) return row.file === null ? 'it has no value' : 'missing'
      if (checksum(row.key, frame) !== row.checksum) return 'its checksum differs'
      const item = format.decode(key, frame)
      if (row.version !== null && !agrees(item, { ...row, version: row.version })) return columnsDiffer
      if (row.streamed === 0 || row.file === null) return undefined
      return (await checkStreamedValue(format, values, item, row.file)) === true ? undefined : 'missing'
    } catch (error) {
      // A failure that concerns the whole directory or process must not remove values.
      if (cacheErrorCode(error) !== 'DAMAGED' && !concernsOneFile(error)) throw error
      return error instanceof Error ? error.message : String(error)
    }
  }

  /** Whether the row has changed since its read. Other calls continue during a check, so a fault may be gone. */
  async #hasChanged(table: 'item' | 'message', row: CheckedRow): Promise<boolean> {
    const sql = `select ${checksumColumn} as checksum, ${fileColumn} as file from ${table} where id = ?`
    const now = (await this.#directory.queue.read('check', undefined, (index) => index.one(sql, row.id))) as
      | { checksum: number; file: string | null }
      | undefined
    return now === undefined || now.checksum !== row.checksum || now.file !== row.file
  }

  /** Compares the totals in another thread, because it visits every row. */
  async #compareTotals(): Promise<void> {
    const { problems } = await this.#directory.inspect({ kind: 'totals', fix: this.#fix })
    for (const detail of problems) this.#add({ kind: 'totals', detail, fixed: this.#fix })
  }

  async #findOrphans(): Promise<number> {
    const { values, queue } = this.#directory
    let files = 0
    for await (const file of values.list()) {
      files += 1
      const { name } = file
      if (Date.now() - file.changedAt < orphanAge) continue
      if (name !== undefined && (await queue.read('check', undefined, (index) => index.namesFile(name)))) continue
      if (this.#fix) await values.removeFound(file)
      this.#add({ kind: 'orphan', detail: join('values', file.path.slice(values.dir.length)), fixed: this.#fix })
    }
    return files
  }

  #add(problem: Problem): void {
    this.#problems.push(problem)
  }
}

function rowsAfter(index: ItemIndex, table: 'item' | 'message', after: number): CheckedRow[] {
  const names =
    table === 'item'
      ? `key, streamed = 1 as streamed, cast(version as text) as version, ${wholeColumn('expires_at')} as expires_at`
      : 'queue as key, 0 as streamed, null as version, null as expires_at'
  const sql = `select id, ${names}, ${checksumColumn} as checksum, ${fileColumn} as file,
    case when typeof(frame) = 'blob' then frame end as frame from ${table} where id > ? order by id limit ${rowsPerStep}`
  return index.all(sql, after) as CheckedRow[]
}
