import { randomBytes } from 'node:crypto'
import { startPostgres, waitUntil } from '@cache/testing'
import pg from 'pg'
import { afterAll, expect, it } from 'vitest'
import { PostgresBackend } from '../../src/index.ts'
import { item } from '../items.ts'
import { tableName } from '../table-name.ts'

// A server of its own: a transaction of another test would keep vacuum from what it still might see.
const server = await startPostgres({ config: { autovacuum_naptime: '1s' } })
const admin = new pg.Pool({ connectionString: server.url, max: 2 })
afterAll(async () => {
  await admin.end()
  await server.stop()
})

function open(table: string, maxConnections = 10): PostgresBackend {
  return new PostgresBackend({ url: server.url, table, maxConnections, timeout: '30s' })
}

/** Of the table, its index and its large values. */
async function size(table: string): Promise<number> {
  return Number((await admin.query('select pg_total_relation_size($1::regclass) as bytes', [table])).rows[0].bytes)
}

it('writing the same keys again and again does not make the table grow', async () => {
  const table = tableName()
  const backend = open(table)
  const write = (): Promise<void> =>
    backend.setMany(Array.from({ length: 2000 }, (_, n) => item(`k${n}`, 'x'.repeat(100))))
  await write()
  const first = await size(table)
  // The server's own vacuum comes once in a while; here its work is done by hand, with its thresholds, so that the test need
  // not wait.
  const due = 1000 + 0.01 * 2000
  let written = 0
  for (let round = 0; round < 60; round++) {
    await write()
    written += 2000
    if (written >= due) {
      written = 0
      await admin.query(`vacuum ${table}`)
    }
  }
  // A session that ends reports what it did; one that goes on does so when it likes.
  await backend.close()
  const statistics = async (): Promise<{ readonly updated: number; readonly hot: number }> => {
    const { rows: found } = await admin.query(
      `select n_tup_upd::float as updated, n_tup_hot_upd::float / greatest(n_tup_upd, 1) as hot
       from pg_stat_user_tables where relname = $1`,
      [table],
    )
    return found[0]
  }
  await waitUntil('all updates are counted', async () => (await statistics()).updated === 60 * 2000)
  expect(await size(table)).toBeLessThan(first * 3)
  expect((await admin.query(`select count(*)::int as n from ${table}`)).rows).toEqual([{ n: 2000 }])
  // Updates that need no new index entry: that no index stands on what changes is what makes them possible.
  expect((await statistics()).hot).toBeGreaterThan(0.15)
}, 30_000)

it("large values that are written again and again bring the server's own vacuum, and do not make the table grow", async () => {
  const table = tableName()
  // One session: others would report late what they have done.
  const backend = open(table, 1)
  const values = Array.from({ length: 400 }, () => randomBytes(15_000).toString('base64'))
  const rewrite = (): Promise<void> => backend.setMany(values.map((value, n) => item(`k${n}`, value)))
  /** How often the server's own vacuum has been at the large values. Updates that need no index entry clear up by themselves. */
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
  // Whatever it has not come to yet. It may also give the end of the table back: what counts is the largest that it was.
  await admin.query(`vacuum ${table}`)
  for (let round = 0; round < rounds / 2; round++) await rewrite()
  expect(await size(table)).toBeLessThan(largest * 1.3)
  await backend.close()
}, 120_000)
