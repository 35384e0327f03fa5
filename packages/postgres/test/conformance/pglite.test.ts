import { frame } from '@cache/codecs'
import { conformance, createMovableClock, type Harness } from '@cache/core/conformance'
import { PGlite } from '@electric-sql/pglite'
import { createPgConfig } from '@electric-sql/pglite/node-postgres'
import pg from 'pg'
import { afterAll, describe, it } from 'vitest'
import { PostgresBackend, type PostgresBackendOptions } from '../../src/index.ts'
import { tableName } from '../table-name.ts'

// PostgreSQL in WASM runs in this process, behind the client of pg.
const database = await PGlite.create()
const pool = new pg.Pool({ ...createPgConfig(database), max: 1 } as unknown as pg.PoolConfig)
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

conformance(harness(), { describe, it })
