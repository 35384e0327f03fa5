import { createSchema, type EvictionPolicy, pageBytes } from '../index/schema.ts'
import {
  type Database,
  type Engine,
  openDatabase,
  type SqlValue,
  type Statement,
  wholeColumn,
} from '../index/sqlite.ts'
import type { IndexTaskResult } from './index-task.ts'

/** The columns of all tables that hold no whole numbers. */
const otherColumns: ReadonlySet<string> = new Set(['key', 'version', 'queue', 'lease', 'tag', 'file', 'frame'])

const tables = {
  item: [
    'id',
    'key',
    'version',
    'kind',
    'bytes',
    'stored_at',
    'used_at',
    'uses',
    'rank',
    'expires_at',
    'due_at',
    'tagged',
    'streamed',
    'checksum',
    'file',
    'frame',
  ],
  message: [
    'id',
    'queue',
    'position',
    'pushed_at',
    'expires_at',
    'leased_until',
    'lease',
    'attempts',
    'bytes',
    'checksum',
    'file',
    'frame',
  ],
  item_tag: ['id', 'tag'],
  trash: ['file'],
} as const

/** Columns that are copied from another column, because damage may have changed them. */
const sourceColumn: Readonly<Record<string, string>> = { due_at: 'expires_at' }

/** Rows that one transaction of the new index takes. */
const step = 500

/**
 * Copies all readable rows of a damaged index into a new one. Rows are read one by one in the order of their ids. After
 * an unreadable page, the search continues with growing strides of ids. A later read checks each value's checksum.
 */
export async function salvage(
  from: string,
  to: string,
  policy: EvictionPolicy,
  engine: Engine | undefined,
): Promise<IndexTaskResult> {
  const target = await openDatabase(to, engine)
  try {
    target.exec(
      `pragma page_size = ${pageBytes}; pragma auto_vacuum = incremental; pragma journal_mode = wal; pragma synchronous = normal;
      begin immediate`,
    )
    createSchema(target, policy)
    target.exec('commit')
    return await copyFrom(from, target, engine)
  } finally {
    target.close()
  }
}

async function copyFrom(from: string, target: Database, engine: Engine | undefined): Promise<IndexTaskResult> {
  const problems: string[] = []
  let source: Database | undefined
  let saved = 0
  try {
    source = await openDatabase(from, engine)
    source.exec('pragma busy_timeout = 2000; pragma cell_size_check = on')
    quietly(() => source?.exec('begin immediate'))
    for (const table of ['item', 'message'] as const) saved += copyById(source, target, table, problems)
    for (const table of ['item_tag', 'trash'] as const) copyInOrder(source, target, table, problems)
  } catch (error) {
    problems.push(reason(error))
  } finally {
    quietly(() => source?.close())
  }
  return { problems, saved }
}

function copyById(source: Database, target: Database, table: 'item' | 'message', problems: string[]): number {
  const names = tables[table]
  const list = names.join(', ')
  // In the order of row ids, so that the search needs no index.
  const columns = names.map((name) => (otherColumns.has(name) ? name : `${wholeColumn(name)} as ${name}`)).join(', ')
  const next = source.prepare(`select ${columns} from ${table} not indexed where id > ? order by ${table}.id limit 1`)
  const insert = target.prepare(`insert or ignore into ${table} (${list}) values (${names.map(() => '?').join(', ')})`)
  const end = highestId(source, table)
  let saved = 0
  let last = Number.MIN_SAFE_INTEGER
  let stride = 0
  target.exec('begin')
  for (;;) {
    const found = readNext(next, last + stride)
    // A damaged page may give an id that the search has already passed. Accepting it could make the loop endless.
    if (found instanceof Error || (found !== undefined && !(found.id > last + stride))) {
      if (stride === 0)
        problems.push(`${table} after ${last}: ${found instanceof Error ? found.message : 'out of order'}`)
      stride = stride === 0 ? 1 : stride * 2
      if (last === Number.MIN_SAFE_INTEGER) last = 0
      if (last + stride > end) break
      continue
    }
    if (found === undefined) break
    last = found.id
    stride = 0
    if (isAcceptable(found) && insertRow(insert, names, found, problems)) saved += 1
    if (saved % step === 0) target.exec('commit; begin')
  }
  target.exec('commit')
  return saved
}

type SalvagedRow = Readonly<Record<string, SqlValue>> & { readonly id: number }

function readNext(next: Statement, after: number): SalvagedRow | undefined | Error {
  try {
    return next.get(after) as SalvagedRow | undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** Whether the row has the right types: damage may have changed any of them. */
function isAcceptable(row: SalvagedRow): boolean {
  if ('key' in row && (typeof row.key !== 'string' || typeof row.version !== 'string')) return false
  return Number.isSafeInteger(row.id) && typeof row.checksum === 'number' && typeof row.bytes === 'number'
}

function insertRow(insert: Statement, names: readonly string[], row: SalvagedRow, problems: string[]): boolean {
  try {
    return Number(insert.run(...names.map((name) => row[sourceColumn[name] ?? name] ?? null)).changes) > 0
  } catch (error) {
    problems.push(`row ${row.id}: ${reason(error)}`)
    return false
  }
}

function copyInOrder(source: Database, target: Database, table: 'item_tag' | 'trash', problems: string[]): void {
  const names = tables[table]
  try {
    const rows = source.prepare(`select ${names.join(', ')} from ${table}`).all() as Record<string, SqlValue>[]
    const insert = target.prepare(
      `insert or ignore into ${table} (${names.join(', ')}) values (${names.map(() => '?').join(', ')})`,
    )
    target.exec('begin')
    for (const row of rows) quietly(() => insert.run(...names.map((name) => row[name] ?? null)))
    target.exec('commit')
  } catch (error) {
    problems.push(`${table}: ${reason(error)}`)
  }
}

/** The highest readable id of the table; a large guess when the end of the table is damaged. */
function highestId(source: Database, table: string): number {
  try {
    const row = source.prepare(`select id from ${table} not indexed order by id desc limit 1`).get() as
      | { id: number }
      | undefined
    return row?.id ?? 0
  } catch {
    return 2 ** 40
  }
}

function quietly(work: () => unknown): void {
  try {
    work()
  } catch {
    // Unreadable rows are lost. The report names the important losses.
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
