import { failureKind } from '../errors.ts'
import { countQuery, expiredValuesQuery, recountQuery, type Total } from '../index/item-index.ts'
import { createSchema, type EvictionPolicy } from '../index/schema.ts'
import { type Database, type Engine, openDatabase } from '../index/sqlite.ts'
import { salvage } from './salvage.ts'

/** Work that looks at every row, or at many. */
export type Inspection =
  /** SQLite's integrity check. */
  | { readonly kind: 'inspect' }
  /** Compares the totals and the deadlines with the rows, and makes them right with `fix`. */
  | { readonly kind: 'totals'; readonly fix: boolean }
  /** Counts values that have expired. */
  | { readonly kind: 'expired'; readonly now: number }
  /** Prepares the index for another policy. */
  | { readonly kind: 'policy'; readonly policy: EvictionPolicy }

/** Work on an index that takes too long for the thread of the event loop. Paths only, so that it can be sent to another thread. */
export type IndexTask =
  | {
      readonly kind: 'checkpoint'
      readonly path: string
      readonly engine: Engine | undefined
      readonly wait: boolean
    }
  | ({ readonly path: string; readonly engine: Engine | undefined } & Inspection)
  | {
      readonly kind: 'salvage'
      readonly path: string
      readonly to: string
      readonly policy: EvictionPolicy
      readonly engine: Engine | undefined
    }
  | { readonly kind: 'close' }

export interface IndexTaskResult {
  /** What SQLite's integrity check complains of, or what was lost in a salvage. */
  readonly problems: readonly string[]
  /** Rows that a salvage saved. */
  readonly saved: number
  /** What was counted. */
  readonly count?: number
  /** Frames that a checkpoint found in the log. */
  readonly frames?: number
  /** Whether the next writer begins the log anew. */
  readonly restarted?: boolean
}

/** Freed pages from which on the index file is cut. */
const freePagesWorthCutting = 2048
/** Pages given back at a time: the write lock is held for as long as it takes. */
const pagesPerCut = 512

let open: { path: string; database: Database } | undefined

/** Does the task in this thread. The connection is kept for the next task on the same index. */
export async function doIndexTask(task: IndexTask): Promise<IndexTaskResult> {
  switch (task.kind) {
    case 'close':
      closeIndex()
      return { problems: [], saved: 0 }
    case 'checkpoint':
      return checkpoint(await connection(task.path, task.engine), task.wait)
    case 'inspect':
      return { problems: inspect(await connection(task.path, task.engine)), saved: 0 }
    case 'totals':
      return { problems: compareTotals(await connection(task.path, task.engine), task.fix), saved: 0 }
    case 'expired': {
      const statement = (await connection(task.path, task.engine)).prepare(expiredValuesQuery)
      return { problems: [], saved: 0, ...(statement.get(task.now, task.now) as { count: number }) }
    }
    case 'policy':
      inTransaction(await connection(task.path, task.engine), true, (database) => createSchema(database, task.policy))
      return { problems: [], saved: 0 }
    case 'salvage':
      closeIndex()
      return salvage(task.path, task.to, task.policy, task.engine)
  }
}

async function connection(path: string, engine: Engine | undefined): Promise<Database> {
  if (open?.path === path) return open.database
  closeIndex()
  const database = await openDatabase(path, engine)
  // Here waiting blocks nobody.
  database.exec('pragma busy_timeout = 5000; pragma wal_autocheckpoint = 0; pragma synchronous = normal')
  open = { path, database }
  return database
}

function closeIndex(): void {
  const database = open?.database
  open = undefined
  try {
    database?.close()
  } catch {
    // Its last checkpoint failed. The log stays, and the next who opens it goes on from there.
  }
}

/**
 * Moves the log into the database. A passive checkpoint takes no lock that a writer waits for, but under unbroken writing it
 * never reaches the end of the log; with `wait` the writers of all processes wait until it has.
 */
function checkpoint(database: Database, wait: boolean): IndexTaskResult {
  const { busy, log, checkpointed } = moveLog(database, wait ? 'restart' : 'passive')
  cut(database)
  return { problems: [], saved: 0, frames: log, restarted: wait && busy === 0 && log === checkpointed }
}

interface Moved {
  readonly busy: number
  readonly log: number
  readonly checkpointed: number
}

function moveLog(database: Database, how: 'passive' | 'restart'): Moved {
  return database.prepare(`pragma wal_checkpoint(${how})`).get() as Moved
}

/** Gives the space of removed items back to the file system. */
function cut(database: Database): void {
  try {
    cutFile(database)
  } catch (error) {
    if (failureKind(error) !== 'busy') throw error
  }
}

function cutFile(database: Database): void {
  const { page_count } = database.prepare('pragma page_count').get() as { page_count: number }
  for (let round = 0; round < 16; round++) {
    const { freelist_count } = database.prepare('pragma freelist_count').get() as { freelist_count: number }
    if (freelist_count < freePagesWorthCutting || freelist_count < page_count / 4) return
    database.exec(`pragma incremental_vacuum(${pagesPerCut})`)
  }
}

function inspect(database: Database): string[] {
  try {
    const rows = database.prepare('pragma integrity_check(50)').all() as { integrity_check: string }[]
    return rows.map((row) => row.integrity_check).filter((text) => text !== 'ok')
  } catch (error) {
    // Damage may keep SQLite from even looking.
    if (failureKind(error) !== 'corrupt') throw error
    return [error instanceof Error ? error.message : String(error)]
  }
}

/** One transaction sees one state: neither the counters nor the rows can change under it. */
function compareTotals(database: Database, fix: boolean): string[] {
  return inTransaction(database, fix, () => {
    const recorded = database.prepare('select entries, live, bytes, trash from total').get() as Total | undefined
    const counted = database.prepare(countQuery).get() as Total
    const problems: string[] = []
    if (JSON.stringify(recorded) !== JSON.stringify(counted)) {
      problems.push(`counted ${JSON.stringify(counted)}, recorded ${JSON.stringify(recorded)}`)
      if (fix) database.exec(recountQuery)
    }
    const late = lateItems(database, fix)
    if (late > 0) problems.push(`${late} items are due after they expire`)
    return problems
  })
}

/** Items that would not be removed in time. */
function lateItems(database: Database, fix: boolean): number {
  const wrong = 'expires_at is not null and (due_at is null or due_at > expires_at)'
  if (fix) return Number(database.prepare(`update item set due_at = expires_at where ${wrong}`).run().changes)
  return (database.prepare(`select count(*) as count from item where ${wrong}`).get() as { count: number }).count
}

function inTransaction<Value>(database: Database, writes: boolean, work: (database: Database) => Value): Value {
  database.exec(writes ? 'begin immediate' : 'begin')
  try {
    const value = work(database)
    database.exec('commit')
    return value
  } catch (error) {
    database.exec('rollback')
    throw error
  }
}
