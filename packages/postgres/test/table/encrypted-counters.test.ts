import { cacheErrorCode } from '@cache/core/backend'
import { tcpProxy, waitUntil } from '@cache/testing'
import type {} from '@cache/testing/postgres-setup'
import pg from 'pg'
import { afterAll, expect, inject, it } from 'vitest'
import { PostgresBackend, type PostgresBackendOptions } from '../../src/index.ts'
import { item } from '../items.ts'
import { tableName } from '../table-name.ts'

const url = inject('postgresUrl')
const admin = new pg.Pool({ connectionString: url, max: 2 })
afterAll(() => admin.end())

const encryption = { keys: [new Uint8Array(32).fill(7)] }

function open(options: Partial<PostgresBackendOptions>): PostgresBackend {
  return new PostgresBackend({ url, encryption, ...options } as PostgresBackendOptions)
}

/** The number of sessions on the table that wait for a lock of another session. */
async function waiting(table: string): Promise<number> {
  const { rows } = await admin.query(
    "select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock' and query like '%' || $1 || '%'",
    [table],
  )
  return rows[0].n
}

it('a locked row delays no other counter of its tick, and no counter counts twice', async () => {
  const table = tableName()
  const backend = open({ table, timeout: '30s', lockTimeout: 400 })
  const keys = Array.from({ length: 20 }, (_, n) => `n${n}`)
  await Promise.all(keys.map((key) => backend.increment(key, 1)))
  const client = await admin.connect()
  await client.query('begin')
  await client.query(`select 1 from ${table} where key = 'n7' for update`)
  const outcomes = await Promise.allSettled(keys.map((key) => backend.increment(key, 1)))
  expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : 'rejected'))).toEqual(
    keys.map((key) => (key === 'n7' ? 'rejected' : 2)),
  )
  await client.query('rollback')
  client.release()
  const found = await backend.getMany(keys)
  expect(found.map((one) => one?.value)).toEqual(keys.map((key) => (key === 'n7' ? 1 : 2)))
  await backend.close()
})

it('counters that wait for their rows count exactly once when the rows are free', async () => {
  const table = tableName()
  const backend = open({ table, timeout: '60s', lockTimeout: '30s', maxConnections: 4 })
  const keys = Array.from({ length: 10 }, (_, n) => `n${n}`)
  await Promise.all(keys.map((key) => backend.increment(key, 1)))
  const client = await admin.connect()
  await client.query('begin')
  await client.query(`select 1 from ${table} where key <> 'n0' for update`)
  const counted = Promise.all(keys.map((key) => backend.increment(key, 1)))
  await waitUntil('one statement to wait for all', async () => (await waiting(table)) === 1)
  expect(await backend.increment('n0', 1)).toBe(3)
  expect((await backend.get('n1'))?.value).toBe(1)
  expect(await waiting(table)).toBe(1)
  await client.query('commit')
  client.release()
  expect(await counted).toEqual(Array(10).fill(2))
  expect((await backend.getMany(keys)).map((one) => one?.value)).toEqual([3, ...Array(9).fill(2)])
  await backend.close()
})

it('a count of several statements has the time of one call in all', async () => {
  await using proxy = await tcpProxy(url)
  const backend = open({ url: proxy.url, table: tableName(), timeout: 1000, connectTimeout: '5s' })
  expect(await backend.increment('n', 1)).toBe(1)
  proxy.delay(700)
  expect(await backend.increment('n', 1).catch(cacheErrorCode)).toBe('TIMEOUT')
  await backend.close()
})

it('the reason of a refusal is found within the time of the call', async () => {
  await using proxy = await tcpProxy(url)
  const backend = new PostgresBackend({
    url: proxy.url,
    table: tableName(),
    timeout: 1000,
    connectTimeout: '5s',
  })
  await backend.set(item('n', 'text'))
  expect(await backend.increment('n', 1).catch(cacheErrorCode)).toBe('NOT_A_NUMBER')
  proxy.delay(700)
  expect(await backend.increment('n', 1).catch(cacheErrorCode)).toBe('TIMEOUT')
  await backend.close()
})
