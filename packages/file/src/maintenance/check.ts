import { join } from 'node:path'
import { cacheErrorCode } from '@cache/core/backend'
import type { Store } from '../directory/directory-handle.ts'
import { concernsOneFile, damaged } from '../errors.ts'
import type { ItemIndex } from '../index/item-index.ts'
import { keyOfText } from '../index/key-text.ts'
import { wholeColumn } from '../index/sqlite.ts'
import { agrees, checksum, columnsDiffer } from '../values/encoded-item.ts'
import { checkStreamedValue } from '../values/value-stream.ts'

/** Something that is not as it should be. */
export interface Problem {
  /**
   * `index`: SQLite complains of the index file. `totals`: the counters differ from the rows. `item`, `message`: its bytes
   * cannot be read. `missing`: its value file is gone. `orphan`: a value file that no row names.
   */
  readonly kind: 'index' | 'totals' | 'item' | 'message' | 'missing' | 'orphan'
  readonly detail: string
  /** The key or queue it concerns. */
  readonly key?: string
  readonly fixed: boolean
}

export interface CheckReport {
  readonly problems: readonly Problem[]
  /** Items that were read from end to end. */
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

// Damage may have put in anything: see `wholeColumn`.
const checksumColumn = wholeColumn('checksum')
const fileColumn = 'cast(file as text)'
/** Rows looked at in one turn. */
const step = 32
/** A file no row names may belong to a write that is under way; so long after its last change it does not. */
const writeTime = 60_000

/** Compares index, counters and value files with each other and reads every value. Repairs what can be repaired where `fix` is set. */
export class Check {
  readonly #store: Store
  readonly #fix: boolean
  readonly #problems: Problem[] = []

  constructor(store: Store, fix: boolean) {
    this.#store = store
    this.#fix = fix
  }

  async run(): Promise<CheckReport> {
    await this.#store.prepare()
    await this.#inspectIndex()
    const items = await this.#readRows('item')
    const messages = await this.#readRows('message')
    await this.#compareTotals()
    const files = await this.#findOrphans()
    return { problems: this.#problems, items, messages, files }
  }

  /** SQLite's own check, in another thread. A damaged index is replaced by the next operation. */
  async #inspectIndex(): Promise<void> {
    const { problems } = await this.#store.inspect({ kind: 'inspect' })
    for (const detail of problems) this.#note({ kind: 'index', detail, fixed: this.#fix })
    if (problems.length > 0 && this.#fix) {
      this.#store.lost('corrupt', damaged('', 'the integrity check failed'))
      await this.#store.prepare()
    }
  }

  async #readRows(table: 'item' | 'message'): Promise<number> {
    let last = Number.MIN_SAFE_INTEGER
    let read = 0
    for (;;) {
      const after = last
      const rows = await this.#store.queue.read('check', undefined, (index) => rowsAfter(index, table, after))
      for (const row of rows) await this.#readRow(table, row)
      read += rows.length
      if (rows.length < step) return read
      last = rows.at(-1)?.id ?? Number.MAX_SAFE_INTEGER
    }
  }

  async #readRow(table: 'item' | 'message', row: CheckedRow): Promise<void> {
    const key = keyOfText(row.key)
    const complaint = await this.#complaint(row, key)
    if (complaint === undefined || (await this.#changed(table, row))) return
    if (this.#fix) {
      await this.#store.queue.write('check', undefined, (index) =>
        index.run(`delete from ${table} where id = ? and ${checksumColumn} is ?`, row.id, row.checksum),
      )
    }
    this.#note({ kind: complaint === 'missing' ? complaint : table, detail: complaint, key, fixed: this.#fix })
  }

  async #complaint(row: CheckedRow, key: string): Promise<string | undefined> {
    const { format } = this.#store.settings
    try {
      const frame = row.file === null || row.streamed === 1 ? row.frame : await this.#store.values.read(row.file)
      if (!frame) return row.file === null ? 'it has no value' : 'missing'
      if (checksum(row.key, frame) !== row.checksum) return 'its checksum differs'
      const item = format.decode(key, frame)
      if (row.version !== null && !agrees(item, { ...row, version: row.version })) return columnsDiffer
      if (row.streamed === 0 || row.file === null) return undefined
      return (await checkStreamedValue(this.#store, item, row.file)) ? undefined : 'missing'
    } catch (error) {
      // Nothing is removed because the directory, or this process, could not read for a while.
      if (cacheErrorCode(error) !== 'DAMAGED' && !concernsOneFile(error)) throw error
      return error instanceof Error ? error.message : String(error)
    }
  }

  /** Others go on writing: what was complained of may not be there any more. */
  async #changed(table: 'item' | 'message', row: CheckedRow): Promise<boolean> {
    const sql = `select ${checksumColumn} as checksum, ${fileColumn} as file from ${table} where id = ?`
    const now = (await this.#store.queue.read('check', undefined, (index) => index.one(sql, row.id))) as
      | { checksum: number; file: string | null }
      | undefined
    return now === undefined || now.checksum !== row.checksum || now.file !== row.file
  }

  /** In another thread: it looks at every row at once. */
  async #compareTotals(): Promise<void> {
    const { problems } = await this.#store.inspect({ kind: 'totals', fix: this.#fix })
    for (const detail of problems) this.#note({ kind: 'totals', detail, fixed: this.#fix })
  }

  async #findOrphans(): Promise<number> {
    const { values, queue } = this.#store
    let files = 0
    for await (const file of values.list()) {
      files += 1
      const { name } = file
      if (Date.now() - file.changedAt < writeTime) continue
      if (name !== undefined && (await queue.read('check', undefined, (index) => index.namesFile(name)))) continue
      if (this.#fix) await values.removeFound(file)
      this.#note({ kind: 'orphan', detail: join('values', file.path.slice(values.dir.length)), fixed: this.#fix })
    }
    return files
  }

  #note(problem: Problem): void {
    this.#problems.push(problem)
  }
}

function rowsAfter(index: ItemIndex, table: 'item' | 'message', after: number): CheckedRow[] {
  const names =
    table === 'item'
      ? `key, streamed = 1 as streamed, cast(version as text) as version, ${wholeColumn('expires_at')} as expires_at`
      : 'queue as key, 0 as streamed, null as version, null as expires_at'
  const sql = `select id, ${names}, ${checksumColumn} as checksum, ${fileColumn} as file,
    case when typeof(frame) = 'blob' then frame end as frame from ${table} where id > ? order by id limit ${step}`
  return index.all(sql, after) as CheckedRow[]
}
