import { conformance } from '@cache/core/conformance'
import { startPgBouncer } from '@cache/workspace'
import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { PostgresBackend } from '../../src/index.ts'
import { generousLimits } from '../generous-limits.ts'
import { item } from '../items.ts'
import { tableName } from '../table-name.ts'
import { postgresHarness } from './postgres-harness.ts'

const url = inject('postgresUrl')
const bouncer = await startPgBouncer(url, { poolMode: 'transaction', poolSize: 5 })
afterAll(() => bouncer.stop())

// Twenty handles have ten connections each, and PgBouncer has five for all of them.
conformance(
  postgresHarness({
    name: 'postgres behind PgBouncer in transaction mode',
    url: bouncer.url,
    options: { prepare: false },
    failureBound: 8000,
  }),
  { describe, it },
)

async function settings(): Promise<unknown[]> {
  const pool = new pg.Pool({ connectionString: bouncer.url, max: 5 })
  const ask = (): Promise<pg.QueryResult> =>
    pool.query("select current_setting('enable_seqscan') as seq, current_setting('lock_timeout') as lock")
  const found = await Promise.all(Array.from({ length: 20 }, ask))
  await pool.end()
  return found.map(({ rows }) => rows[0])
}

it('a backend detects a pooler by itself, and then prepares and sets nothing', async () => {
  const before = await settings()
  const backend = new PostgresBackend({ url: bouncer.url, table: tableName(), ...generousLimits })
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(Array.from({ length: 30 }, (_, n) => backend.set(item(`k${n}`, round))))
    const found = await Promise.all(Array.from({ length: 30 }, (_, n) => backend.get(`k${n}`)))
    expect(found.map((one) => one?.value)).toEqual(Array(30).fill(round))
  }
  await backend.close()
  // A setting on a shared session would affect the next application.
  expect(await settings()).toEqual(before)
})

it('a pool of the application works through PgBouncer even when prepared statements are lost', async () => {
  const pool = new pg.Pool({ connectionString: bouncer.url, max: 10 })
  const backend = new PostgresBackend({ pool, table: tableName(), ...generousLimits })
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(Array.from({ length: 20 }, (_, n) => backend.increment(`n${n}`, 1)))
    await Promise.all([
      backend.get('a'),
      backend.set(item('a', round)),
      backend.delete('b'),
      backend.getMany(['a', 'b']),
    ])
  }
  const sums = await backend.getMany(Array.from({ length: 20 }, (_, n) => `n${n}`))
  expect(sums.map((one) => one?.value)).toEqual(Array(20).fill(20))
  await backend.close()
  await pool.end()
})
