import { randomBytes } from 'node:crypto'
import { startPostgres, waitUntil } from '@cache/workspace'
import pg from 'pg'
import { afterAll, expect, it } from 'vitest'
import { PostgresBackend } from '../../src/index.ts'
import { item } from '../items.ts'
import { tableName } from '../table-name.ts'

// A server of its own: vacuum keeps the rows that an open transaction of another test might still see.
const server = await startPostgres({ config: { autovacuum_naptime: '1s' } })
const admin = new pg.Pool({ connectionString: server.url, max: 2 })
afterAll(async () => {
  await admin.end()
  await server.stop()
})

function open(table: string, maxConnections = 10): PostgresBackend {
  return new PostgresBackend({ url: server.url, table, maxConnections, timeout: '30s' })
}

/** Bytes of the table, its index and its large values. */
async function size(table: string): Promise<number> {
  return Number((await admin.query('select pg_total_relation_size($1::regclass) as bytes', [table])).rows[0].bytes)
}

it('a table does not grow when the same keys are written again and again', async () => {
  const table = tableName()
  const backend = open(table)
  const write = (): Promise<void> =>
    backend.setMany(Array.from({ length: 2000 }, (_, n) => item(`k${n}`, 'x'.repeat(100))))
  await write()
  const first = await size(table)
  // The server's own vacuum runs at intervals. The test vacuums by the same thresholds instead, so it need not wait.
  const due = 1000 + 0.01 * 2000
  let written = 0
  for (let round = 0; round < 60; round += 1) {
    await write()
    written += 2000
    if (written >= due) {
      written = 0
      await admin.query(`vacuum ${table}`)
    }
  }
  // A session reports its statistics when it ends, and before that at times of its own.
  await backend.close()
  const statistics = async (): Promise<{ readonly updated: number; readonly hot: number }> => {
    const { rows: found } = await admin.query(
      `select n_tup_upd::float as updated, n_tup_hot_upd::float / greatest(n_tup_upd, 1) as hot
       from pg_stat_user_tables where relname = $1`,
      [table],
    )
    return found[0]
  }
  await waitUntil('all updates to be counted', async () => (await statistics()).updated === 60 * 2000)
  expect(await size(table)).toBeLessThan(first * 3)
  expect((await admin.query(`select count(*)::int as n from ${table}`)).rows).toEqual([{ n: 2000 }])
  // Updates without a new index entry are possible because no changing column has an index.
  expect((await statistics()).hot).toBeGreaterThan(0.15)
}, 30_000)

it("repeated writes of large values start the server's own vacuum, and the table does not grow", async () => {
  const table = tableName()
  // One session, because further ones would report their statistics late.
  const backend = open(table, 1)
  const values = Array.from({ length: 400 }, () => randomBytes(15_000).toString('base64'))
  const rewrite = (): Promise<void> => backend.setMany(values.map((value, n) => item(`k${n}`, value)))
  /** How often the server's own vacuum has processed the large values. (HOT updates of the table clean up by themselves.) */
  const vacuums = async (): Promise<number> => {
    const { rows } = await admin.query(
      `select s.autovacuum_count::int as n from pg_class c join pg_stat_all_tables s on s.relid = c.reltoastrelid
       where c.relname = $1`,
      [table],
    )
    return rows[0].n
  }
  let rounds = 0
  let largest = 0
  await waitUntil(
    'the vacuum',
    async () => {
      await rewrite()
      rounds += 1
      largest = Math.max(largest, await size(table))
      return (await vacuums()) > 0
    },
    { timeout: 60_000, every: 200 },
  )
  // Removes the rest of the dead rows. Vacuum may also shorten the table, so the largest size is the reference.
  await admin.query(`vacuum ${table}`)
  for (let round = 0; round < rounds / 2; round += 1) await rewrite()
  expect(await size(table)).toBeLessThan(largest * 1.3)
  await backend.close()
}, 120_000)
