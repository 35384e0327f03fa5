import { CacheError } from '@cache/core/backend'
import { quoteLiteral } from '../connections/quoting.ts'
import type { Run, Session } from '../connections/session.ts'
import { statement } from '../connections/statement.ts'
import {
  migrationLock,
  migrationSteps,
  quotedTable,
  type SchemaOptions,
  schemaVersion,
  versionOfComment,
} from './schema.ts'

interface TableState {
  readonly version: number
  /**
   * Whether the connection is in a transaction: a statement of its own starts its transaction when it starts itself.
   */
  readonly inTransaction: boolean
}

async function readState(run: Run, table: string, timeout: number): Promise<TableState> {
  const select = statement(
    `select obj_description(to_regclass(${quoteLiteral(table)}), 'pg_class'), (now() <> statement_timestamp())::text`,
    2,
  )
  const [row] = await run(select, [], 'migrate', timeout)
  const comment = row?.[0]
  return {
    version: versionOfComment(typeof comment === 'string' ? comment : null),
    inTransaction: row?.[1] === 'true',
  }
}

/**
 * The time of a migration's statement as a multiple of `timeout`: it runs once, and concurrent migrations wait for it.
 */
const timeoutFactor = 10

/**
 * Migrates the table to the current version. Twenty processes may do so at once on an empty database: an advisory lock
 * admits one, and the others then find the work done (RACES R37). A table of the current version demands only the right
 * to read the catalogue. Rejects with `BACKEND_FAILURE` when the table has a later version than this package knows.
 * Rejects with `UNSUPPORTED` on a client of the application in a transaction, which a migration would commit.
 */
export async function migrate(session: Session, options: SchemaOptions, timeout: number): Promise<void> {
  const table = quotedTable(options)
  await session.exclusive(
    async (run) => {
      const { version, inTransaction } = await readState(run, table, timeout)
      if (isCurrent(version, table)) return
      if (inTransaction) throw transactionError(table)
      const longTimeout = timeout * timeoutFactor
      // The texts are sent unchanged: comments in SQL end with their lines.
      const send = (text: string): Promise<unknown> => run({ name: '', text }, [], 'migrate', longTimeout)
      // A stricter level would read the state of the table from before the wait for other migrations.
      await send('begin isolation level read committed')
      try {
        // The usual limit for locked rows is short; twenty concurrent migrations wait longer for each other.
        await send(`set local lock_timeout = ${Math.ceil(longTimeout)}`)
        await send(migrationLock)
        const state = await readState(run, table, longTimeout)
        for (const step of migrationSteps(options, state.version)) await send(step)
        await send('commit')
      } catch (error) {
        await run(statement('rollback', 0), [], 'migrate', timeout).catch(() => {})
        throw error
      }
    },
    'migrate',
    timeout,
  )
}

function isCurrent(version: number, table: string): boolean {
  if (version > schemaVersion) {
    throw new CacheError(
      'BACKEND_FAILURE',
      `The table ${table} has schema version ${version}, and this package knows ${schemaVersion} at most: ` +
        'update the package',
      { operation: 'migrate', backend: 'postgres' },
    )
  }
  return version === schemaVersion
}

function transactionError(table: string): CacheError {
  const message =
    `The table ${table} must be created, but the client is in a transaction, which that would commit: ` +
    'create the table before the transaction'
  return new CacheError('UNSUPPORTED', message, { operation: 'migrate', backend: 'postgres' })
}
