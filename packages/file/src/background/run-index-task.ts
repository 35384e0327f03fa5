import { failureKind } from '../errors.ts'
import { countQuery, expiredValuesQuery, recountQuery } from '../index/count-queries.ts'
import type { Totals } from '../index/index-rows.ts'
import { createSchema } from '../index/schema.ts'
import { type Database, type Engine, openDatabase } from '../index/sqlite.ts'
import type { IndexTask, IndexTaskResult } from './index-task.ts'
import { salvage } from './salvage.ts'

/** From this number of free pages on, the index file is made shorter. */
const freePagesWorthShrinking = 2048
/** Pages that one step gives back. The write lock is held for one step. */
const pagesPerStep = 512

let connected: { path: string; database: Database } | undefined

/** Runs the task in this thread. The connection stays open for the next task on the same index. */
export async function runIndexTask(task: IndexTask): Promise<IndexTaskResult> {
  switch (task.kind) {
    case 'close':
      closeIndex()
      return { problems: [], saved: 0 }
    case 'checkpoint':
      return checkpoint(await connection(task.path, task.engine), task.wait)
    case 'integrity':
      return { problems: checkIntegrity(await connection(task.path, task.engine)), saved: 0 }
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
  if (connected?.path === path) return connected.database
  closeIndex()
  const database = await openDatabase(path, engine)
  // This thread may wait for a lock.
  database.exec('pragma busy_timeout = 5000; pragma wal_autocheckpoint = 0; pragma synchronous = normal')
  connected = { path, database }
  return database
}

function closeIndex(): void {
  const database = connected?.database
  connected = undefined
  try {
    database?.close()
  } catch {
    // The last checkpoint failed. The log remains, and the next connection continues with it.
  }
}

/**
 * Moves the log into the database. A passive checkpoint blocks no writer, but never reaches the end of the log while
 * writes continue. With `wait`, the writers of all processes wait until it has.
 */
function checkpoint(database: Database, wait: boolean): IndexTaskResult {
  const { busy, log, checkpointed } = moveLog(database, wait ? 'restart' : 'passive')
  shrink(database)
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

/** Gives the space of removed items back to the file system unless another connection holds the lock. */
function shrink(database: Database): void {
  try {
    shrinkFile(database)
  } catch (error) {
    if (failureKind(error) !== 'busy') throw error
  }
}

function shrinkFile(database: Database): void {
  const { page_count } = database.prepare('pragma page_count').get() as { page_count: number }
  for (let round = 0; round < 16; round += 1) {
    const { freelist_count } = database.prepare('pragma freelist_count').get() as { freelist_count: number }
    if (freelist_count < freePagesWorthShrinking || freelist_count < page_count / 4) return
    database.exec(`pragma incremental_vacuum(${pagesPerStep})`)
  }
}

function checkIntegrity(database: Database): string[] {
  try {
    const rows = database.prepare('pragma integrity_check(50)').all() as { integrity_check: string }[]
    return rows.map((row) => row.integrity_check).filter((text) => text !== 'ok')
  } catch (error) {
    // Damage can make the check itself fail.
    if (failureKind(error) !== 'corrupt') throw error
    return [error instanceof Error ? error.message : String(error)]
  }
}

/** One transaction sees one state: neither the totals nor the rows change during the comparison. */
function compareTotals(database: Database, fix: boolean): string[] {
  return inTransaction(database, fix, () => {
    const stored = database.prepare('select entries, live, bytes, trash from total').get() as Totals | undefined
    const counted = database.prepare(countQuery).get() as Totals
    const problems: string[] = []
    if (JSON.stringify(stored) !== JSON.stringify(counted)) {
      problems.push(`counted ${JSON.stringify(counted)}, stored ${JSON.stringify(stored)}`)
      if (fix) database.exec(recountQuery)
    }
    const late = lateItems(database, fix)
    if (late > 0) problems.push(`${late} items are due later than they expire`)
    return problems
  })
}

/** The number of items that would be removed too late; with `fix`, corrects them. */
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
