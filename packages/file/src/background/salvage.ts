import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises'
import { failureKind } from '../errors.ts'
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
import { restoreHeader } from './restore-header.ts'

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
/** Milliseconds of work without a pause for the event loop. */
const sliceMs = 3
/** The longest time in which the copy tries to keep writers of the damaged index out. */
const maxLockWait = 2000

/**
 * Copies all readable rows of a damaged index into a new one. Rows are read one by one in the order of their ids. After
 * an unreadable page, the search continues with growing strides of ids, and then finds the first readable row of the
 * last stride. A later read checks each value's checksum.
 *
 * It runs on the event loop with pauses, so that it needs no code in another thread.
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
    await restoreHeader(from).catch((error: unknown) => problems.push(`header: ${reason(error)}`))
    source = await openDatabase(from, engine, { damaged: true })
    // With a writable schema, SQLite also reads a file that is shorter than its header says.
    source.exec('pragma busy_timeout = 0; pragma cell_size_check = on; pragma writable_schema = on')
    await keepWritersOut(source)
    for (const table of ['item', 'message'] as const) saved += await copyById(source, target, table, problems)
    for (const table of ['item_tag', 'trash'] as const) await copyInOrder(source, target, table, problems)
  } catch (error) {
    problems.push(reason(error))
  } finally {
    quietly(() => source?.close())
  }
  return { problems, saved }
}

/** Takes the write lock if the damage allows it. */
async function keepWritersOut(source: Database): Promise<void> {
  const start = performance.now()
  for (;;) {
    try {
      source.exec('begin immediate')
      return
    } catch (error) {
      if (failureKind(error) !== 'busy' || performance.now() - start > maxLockWait) return
    }
    await wait(5)
  }
}

async function copyById(
  source: Database,
  target: Database,
  table: 'item' | 'message',
  problems: string[],
): Promise<number> {
  const names = tables[table]
  const list = names.join(', ')
  // In the order of row ids, so that the search needs no index.
  const columns = names.map((name) => (otherColumns.has(name) ? name : `${wholeColumn(name)} as ${name}`)).join(', ')
  const next = source.prepare(`select ${columns} from ${table} not indexed where id > ? order by ${table}.id limit 1`)
  const insert = target.prepare(`insert or ignore into ${table} (${list}) values (${names.map(() => '?').join(', ')})`)
  const end = highestId(source, table)
  const pause = pauses()
  let saved = 0
  let last = Number.MIN_SAFE_INTEGER
  target.exec('begin')
  for (;;) {
    let found = readNext(next, last)
    if (found instanceof Error) {
      problems.push(`${table} after ${last}: ${found.message}`)
      found = readBeyondGap(next, Math.max(last, 0), end)
    }
    if (found === undefined) break
    last = found.id
    if (isAcceptable(found) && insertRow(insert, names, found, problems)) saved += 1
    if (saved % step === 0) target.exec('commit; begin')
    await pause()
  }
  target.exec('commit')
  return saved
}

/** A function that lets the event loop run whenever the work has taken long enough. */
function pauses(): () => Promise<void> | undefined {
  let start = performance.now()
  let calls = 0
  return () => {
    calls += 1
    if ((calls & 15) !== 0 || performance.now() - start < sliceMs) return undefined
    return nextTurn().then(() => {
      start = performance.now()
    })
  }
}

type SalvagedRow = Readonly<Record<string, SqlValue>> & { readonly id: number }

/** The next row after the id; an error when it cannot be read. */
function readNext(next: Statement, after: number): SalvagedRow | undefined | Error {
  try {
    const found = next.get(after) as SalvagedRow | undefined
    // A damaged page may give an id that the search has already passed. Accepting it could make the search endless.
    return found === undefined || found.id > after ? found : new Error('out of order')
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** The first readable row after rows that cannot be read: strides that double, then a binary search in the last one. */
function readBeyondGap(next: Statement, last: number, end: number): SalvagedRow | undefined {
  let bad = 0
  let good = 1
  let found = readNext(next, last + good)
  while (found instanceof Error) {
    if (last + good >= end) return undefined
    bad = good
    good = Math.min(good * 2, Math.max(end - last, good + 1))
    found = readNext(next, last + good)
  }
  while (good - bad > 1) {
    const middle = bad + Math.floor((good - bad) / 2)
    const between = readNext(next, last + middle)
    if (between instanceof Error) bad = middle
    else {
      good = middle
      found = between
    }
  }
  return found
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

/** Copies a table in the order of its columns, until the first unreadable row. */
async function copyInOrder(
  source: Database,
  target: Database,
  table: 'item_tag' | 'trash',
  problems: string[],
): Promise<void> {
  const names = tables[table]
  const list = names.join(', ')
  const marks = names.map(() => '?').join(', ')
  const first = source.prepare(`select ${list} from ${table} order by ${list} limit ${step}`)
  const next = source.prepare(
    `select ${list} from ${table} where (${list}) > (${marks}) order by ${list} limit ${step}`,
  )
  const insert = target.prepare(`insert or ignore into ${table} (${list}) values (${marks})`)
  try {
    let rows = first.all() as Record<string, SqlValue>[]
    while (rows.length > 0) {
      target.exec('begin')
      for (const row of rows) quietly(() => insert.run(...names.map((name) => row[name] ?? null)))
      target.exec('commit')
      const last = names.map((name) => rows.at(-1)?.[name] ?? null)
      await nextTurn()
      rows = rows.length < step ? [] : (next.all(...last) as Record<string, SqlValue>[])
    }
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
