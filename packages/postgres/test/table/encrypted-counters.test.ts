import { cacheErrorCode } from '@cache/core/backend'
import { tcpProxy, waitUntil } from '@cache/workspace'
import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { afterAll, afterEach, expect, inject, it, vi } from 'vitest'
import { PostgresBackend, type PostgresBackendOptions } from '../../src/index.ts'
import { CounterLoop } from '../../src/table/counter-loop.ts'
import type { Row } from '../../src/table/row.ts'
import { generousLimits } from '../generous-limits.ts'
import { item } from '../items.ts'
import { tableName } from '../table-name.ts'

const url = inject('postgresUrl')
const admin = new pg.Pool({ connectionString: url, max: 2 })
afterAll(() => admin.end())
afterEach(() => {
  vi.useRealTimers()
})

const encryption = { keys: [new Uint8Array(32).fill(7)] }

function open(options: Partial<PostgresBackendOptions>): PostgresBackend {
  return new PostgresBackend({ url, encryption, ...generousLimits, ...options } as PostgresBackendOptions)
}

/** The number of sessions on the table that wait for a lock of another session, and not only in an attempt of 50 ms. */
async function waiting(table: string): Promise<number> {
  const { rows } = await admin.query(
    "select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock' and clock_timestamp() - query_start > '200 ms' and query like '%' || $1 || '%'",
    [table],
  )
  return rows[0].n
}

it('a locked row delays no other counter of its tick, and no counter counts twice', async () => {
  const table = tableName()
  const backend = open({ table, lockTimeout: 400 })
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

/** Creates the table and connects, without limits that a busy machine could miss. */
async function prepare(table: string, work: (backend: PostgresBackend) => Promise<unknown>): Promise<void> {
  const backend = open({ table })
  await work(backend)
  await backend.close()
}

/** Opens a backend on an existing table whose connection is open: the limits of its next call are for statements only. */
async function connected(options: Partial<PostgresBackendOptions>): Promise<PostgresBackend> {
  const backend = new PostgresBackend({
    ...options,
    maxConnections: 1,
    connectTimeout: '30s',
  } as PostgresBackendOptions)
  await waitUntil('a connection', async () => backend.get('none').then(() => true))
  return backend
}

// Each reply comes within the limit of a call, and two replies together never do.
const limit = 3000
const delay = 2500

it('a count of several statements has the time of one call in all', async () => {
  const table = tableName()
  await prepare(table, async (backend) => expect(await backend.increment('n', 1)).toBe(1))
  await using proxy = await tcpProxy(url)
  const backend = await connected({ url: proxy.url, table, encryption, timeout: limit })
  proxy.delay(delay)
  expect(await backend.increment('n', 1).catch(cacheErrorCode)).toBe('TIMEOUT')
  await backend.close()
})

it('the reason of a refusal is found within the time of the call', async () => {
  const table = tableName()
  const patient = new PostgresBackend({ url, table, ...generousLimits })
  await patient.set(item('n', 'text'))
  expect(await patient.increment('n', 1).catch(cacheErrorCode)).toBe('NOT_A_NUMBER')
  await patient.close()
  await using proxy = await tcpProxy(url)
  const backend = await connected({ url: proxy.url, table, timeout: limit })
  proxy.delay(delay)
  expect(await backend.increment('n', 1).catch(cacheErrorCode)).toBe('TIMEOUT')
  await backend.close()
})

it('each statement of a count has the time that the earlier ones left', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const given: number[] = []
  const took = (ms: number, timeout: number): void => {
    given.push(timeout)
    vi.advanceTimersByTime(ms)
  }
  const loop = new CounterLoop({
    now: () => 0,
    rowOf: () => ({}) as Row,
    itemOf: () => ({ key: 'n', value: 1, version: 'v', createdAt: 0 }),
    find: async (_, timeout) => {
      took(700, timeout)
      return ['n', '', null]
    },
    replace: async (_rows, _expected, timeouts) => {
      took(200, timeouts?.timeout ?? 0)
      return new Set()
    },
    increment: async () => new Map(),
    putIfAbsent: async () => new Set(),
    replaceDamaged: async () => false,
  })
  const refused = loop.addEncrypted('n', 1, undefined, { timeout: 1000 })
  expect(await refused.catch(cacheErrorCode)).toBe('TIMEOUT')
  expect(given).toEqual([1000, 300, 100])
})
