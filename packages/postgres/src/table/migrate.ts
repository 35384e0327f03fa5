import { CacheError } from '@cache/core/backend'
import type { Run, Session } from '../connections/session.ts'
import { quoteLiteral, statement } from '../connections/statement.ts'
import {
  migrationLock,
  migrationSteps,
  quotedTable,
  type SchemaOptions,
  schemaVersion,
  versionOfComment,
} from './schema.ts'

interface Found {
  readonly version: number
  /** A statement that is alone begins its transaction when it begins itself. */
  readonly inTransaction: boolean
}

async function look(run: Run, table: string, timeout: number): Promise<Found> {
  const select = statement(
    `select obj_description(to_regclass(${quoteLiteral(table)}), 'pg_class'), (now() <> statement_timestamp())::text`,
  )
  const [row] = await run(select, [], 'migrate', timeout)
  const comment = row?.[0]
  return {
    version: versionOfComment(typeof comment === 'string' ? comment : null),
    inTransaction: row?.[1] === 'true',
  }
}

/** How much longer than any other statement one of a migration may take: it is done once, and all wait for it. */
const patienceFactor = 10

/**
 * Brings the table to the current version. Twenty processes may do so at once on an empty database: an advisory lock lets
 * one work while the others wait, and then they find it done (RACES R37). A table that is up to date needs no right but to
 * read the catalogue. Rejects with `BACKEND_FAILURE` when the table is of a later version than this package knows, and with
 * `UNSUPPORTED` when it is to be made on a client of the application's whose transaction that would commit.
 */
export async function migrate(session: Session, options: SchemaOptions, timeout: number): Promise<void> {
  const table = quotedTable(options)
  await session.exclusive(
    async (run) => {
      const { version, inTransaction } = await look(run, table, timeout)
      if (isCurrent(version, table)) return
      if (inTransaction) throw inTheWay(table)
      const patience = timeout * patienceFactor
      // Steps go as they are: their comments need their line breaks.
      const send = (text: string): Promise<unknown> => run({ name: '', text }, [], 'migrate', patience)
      await send('begin')
      try {
        // The limit for rows that others hold is short; here the others are at the same work, and twenty take their time.
        await send(`set local lock_timeout = ${Math.ceil(patience)}`)
        await send(migrationLock)
        const found = await look(run, table, patience)
        for (const step of migrationSteps(options, found.version)) await send(step)
        await send('commit')
      } catch (error) {
        await run(statement('rollback'), [], 'migrate', timeout).catch(() => {})
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
      `The table ${table} has schema version ${version}, and this package knows ${schemaVersion} at most`,
      { operation: 'migrate', backend: 'postgres' },
    )
  }
  return version === schemaVersion
}

function inTheWay(table: string): CacheError {
  const message = `The table ${table} is to be made, and the client is in a transaction, which that would commit`
  return new CacheError('UNSUPPORTED', message, { operation: 'migrate', backend: 'postgres' })
}
