import { failureKind } from '../errors.ts'
import { countQuery, expiredValuesQuery, recountQuery } from '../index/count-queries.ts'
import type { Totals } from '../index/index-rows.ts'
import { policyStatements } from '../index/schema.ts'
import type { IndexTask, IndexTaskResult } from './index-task.ts'
import type { TaskConnection } from './task-connection.ts'

interface ShrinkSteps {
  /** From this number of free pages on, the index file is made shorter. */
  readonly worth: number
  /** Pages that one step gives back. The write lock is held for one step. */
  readonly pages: number
  readonly rounds: number
}

const usualSteps: ShrinkSteps = { worth: 2048, pages: 512, rounds: 16 }
/** Short steps, because each needs space in the log. */
const scarceSteps: ShrinkSteps = { worth: 64, pages: 64, rounds: 256 }

/** Runs a task on the index of the connection. */
export async function runIndexTask(
  task: Exclude<IndexTask, { readonly kind: 'salvage' }>,
  connection: TaskConnection,
): Promise<IndexTaskResult> {
  switch (task.kind) {
    case 'checkpoint':
      return checkpoint(connection, task.wait, task.isScarce ?? false)
    case 'integrity':
      return { problems: await checkIntegrity(connection), saved: 0 }
    case 'totals':
      return { problems: await compareTotals(connection, task.fix), saved: 0 }
    case 'expired': {
      const { count } = await one<{ count: number }>(connection, expiredValuesQuery, task.now, task.now)
      return { problems: [], saved: 0, count }
    }
    case 'policy':
      await inTransaction(connection, true, async () => {
        // Another process may have done the same meanwhile.
        const stored = await one<{ policy: string } | undefined>(connection, 'select policy from total')
        if (stored?.policy === task.policy) return
        for (const sql of policyStatements(task.policy)) await connection.exec(sql)
      })
      return { problems: [], saved: 0 }
  }
}

async function one<Row>(connection: TaskConnection, sql: string, ...values: number[]): Promise<Row> {
  return (await connection.all(sql, ...values))[0] as Row
}

/**
 * Moves the log into the database. A passive checkpoint blocks no writer, but never reaches the end of the log while
 * writes continue. With `wait`, the writers of all processes wait until it has.
 */
async function checkpoint(connection: TaskConnection, wait: boolean, isScarce: boolean): Promise<IndexTaskResult> {
  // The pages leave the file in the checkpoint that follows. Otherwise the next one is early enough.
  if (isScarce) await shrink(connection, scarceSteps)
  const { busy, log, checkpointed } = await one<Moved>(
    connection,
    `pragma wal_checkpoint(${wait ? 'restart' : 'passive'})`,
  )
  if (!isScarce) await shrink(connection, usualSteps)
  return { problems: [], saved: 0, frames: log, restarted: wait && busy === 0 && log === checkpointed }
}

interface Moved {
  readonly busy: number
  readonly log: number
  readonly checkpointed: number
}

/**
 * Gives the space of removed items back to the file system unless another connection holds the lock, or the log has no
 * space for it.
 */
async function shrink(connection: TaskConnection, steps: ShrinkSteps): Promise<void> {
  try {
    await shrinkFile(connection, steps)
  } catch (error) {
    const kind = failureKind(error)
    if (kind !== 'busy' && kind !== 'full') throw error
  }
}

async function shrinkFile(connection: TaskConnection, { worth, pages, rounds }: ShrinkSteps): Promise<void> {
  const { page_count } = await one<{ page_count: number }>(connection, 'pragma page_count')
  for (let round = 0; round < rounds; round += 1) {
    const { freelist_count } = await one<{ freelist_count: number }>(connection, 'pragma freelist_count')
    if (freelist_count < worth || freelist_count < page_count / 4) return
    await connection.exec(`pragma incremental_vacuum(${pages})`)
  }
}

async function checkIntegrity(connection: TaskConnection): Promise<string[]> {
  try {
    const rows = (await connection.all('pragma integrity_check(50)')) as { integrity_check: string }[]
    return rows.map((row) => row.integrity_check).filter((text) => text !== 'ok')
  } catch (error) {
    // Damage can make the check itself fail.
    if (failureKind(error) !== 'corrupt') throw error
    return [error instanceof Error ? error.message : String(error)]
  }
}

/** One transaction sees one state: neither the totals nor the rows change during the comparison. */
function compareTotals(connection: TaskConnection, fix: boolean): Promise<string[]> {
  return inTransaction(connection, fix, async () => {
    const stored = await one<Totals | undefined>(connection, 'select entries, live, bytes, trash from total')
    const counted = await one<Totals>(connection, countQuery)
    const problems: string[] = []
    if (JSON.stringify(stored) !== JSON.stringify(counted)) {
      problems.push(`counted ${JSON.stringify(counted)}, stored ${JSON.stringify(stored)}`)
      if (fix) await connection.exec(recountQuery)
    }
    const late = await countLateItems(connection)
    if (late > 0) problems.push(`${late} items are due later than they expire`)
    if (late > 0 && fix) await connection.exec(`update item set due_at = expires_at where ${isLate}`)
    return problems
  })
}

const isLate = 'expires_at is not null and (due_at is null or due_at > expires_at)'

/** The number of items that would be removed too late. */
async function countLateItems(connection: TaskConnection): Promise<number> {
  return (await one<{ count: number }>(connection, `select count(*) as count from item where ${isLate}`)).count
}

async function inTransaction<Value>(
  connection: TaskConnection,
  writes: boolean,
  work: () => Promise<Value>,
): Promise<Value> {
  await connection.exec(writes ? 'begin immediate' : 'begin')
  try {
    const value = await work()
    await connection.exec('commit')
    return value
  } catch (error) {
    // SQLite may have ended the transaction, and a lost thread has. The first failure is the one to report.
    await connection.exec('rollback').catch(() => undefined)
    throw error
  }
}
