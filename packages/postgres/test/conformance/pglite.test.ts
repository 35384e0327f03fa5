import { frame } from '@cache/codecs'
import { conformance, createMovableClock, type Harness, type Runner } from '@cache/core/conformance'
import { PGlite } from '@electric-sql/pglite'
import { createPgConfig } from '@electric-sql/pglite/node-postgres'
import pg from 'pg'
import { afterAll, describe, it } from 'vitest'
import { PostgresBackend, type PostgresBackendOptions } from '../../src/index.ts'
import { tableName } from '../table-name.ts'

// PostgreSQL in WASM runs in this process, behind the client of pg.
const database = await PGlite.create()
// Without an idle timeout: its timer would keep the process alive after the backend is closed.
const pool = new pg.Pool({ ...createPgConfig(database), max: 1, idleTimeoutMillis: 0 } as unknown as pg.PoolConfig)
afterAll(async () => {
  await pool.end()
  await database.close()
})

const reason = 'it runs in this process'

function harness(): Harness {
  const clock = createMovableClock()
  let table = ''
  const open = (more: Partial<PostgresBackendOptions> = {}): PostgresBackend =>
    new PostgresBackend({ pool, table, clock, timeout: '30s', ...more })
  const begin = (more?: Partial<PostgresBackendOptions>): PostgresBackend => {
    table = tableName()
    return open(more)
  }
  return {
    name: 'PGlite',
    values: 'copies',
    clock,
    open: () => begin(),
    openSecond: () => open(),
    openOther: () => open({ prefix: 'other' }),
    openMany: async (count) => {
      begin()
      return Array.from({ length: count }, () => open())
    },
    openLimited: (maxEntries) => begin({ maxEntries }),
    openInjected: () => ({
      backend: begin(),
      works: async () => {
        await pool.query('select 1')
      },
      end: () => {},
    }),
    async corrupt(key, damage) {
      const damaged = { garbage: "'\\xff007b31'", truncated: 'substr(value, 1, 6)', empty: "''" }[damage]
      await pool.query(`update ${table} set value = ${damaged} where key = $1`, [key])
    },
    async futureFormat(key) {
      await pool.query(`update ${table} set value = set_byte(value, 0, ${frame.formatVersion + 1}) where key = $1`, [
        key,
      ])
    },
    without: { reopen: reason, break: reason, heal: reason, freeze: reason, thaw: reason },
    async dispose() {
      await pool.query(`drop table if exists ${table}`)
    },
  }
}

/** The engine has timers of its own in this process, such as that of its statistics, which rule 10.15 would count. */
const declare: Runner['it'] = Object.assign(
  (title: string, test: () => Promise<void>, timeout?: number) =>
    title.startsWith('10.15 ')
      ? it.skip(`${title} (skipped: the engine has timers in this process)`, () => {})
      : it(title, test, timeout),
  { skip: it.skip },
)

conformance(harness(), { describe, it: declare })
