import { Cache } from '@cache/core'
import { cacheErrorCode } from '@cache/core/backend'
import { tcpProxy, waitUntil } from '@cache/workspace'
import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { afterAll, afterEach, beforeEach, expect, inject, it } from 'vitest'
import { PostgresBackend } from '../src/index.ts'
import { generousLimits } from './generous-limits.ts'
import { tableName } from './table-name.ts'

const url = inject('postgresUrl')
const admin = new pg.Pool({ connectionString: url })
afterAll(() => admin.end())

let backend: PostgresBackend
let cache: Cache<string>
let users: string
let client: pg.PoolClient

beforeEach(async () => {
  users = tableName()
  backend = new PostgresBackend({ url, table: tableName(), ...generousLimits })
  cache = new Cache<string>({ backend, ttl: '10m' })
  await admin.query(`create table ${users} (id int primary key, name text)`)
  await admin.query(`insert into ${users} values (1, 'old')`)
  client = await admin.connect()
})

afterEach(async () => {
  client.release()
  await cache.close()
  await backend.close()
})

const load = async (): Promise<string> => (await admin.query(`select name from ${users} where id = 1`)).rows[0].name
const inTransaction = (): Cache<string> => cache.inTransaction(client)

/** The number of sessions that wait for a lock of another session. */
async function waiting(): Promise<number> {
  const { rows } = await admin.query("select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock'")
  return rows[0].n
}

it('a delete takes effect with the commit, and other callers get the old value until then', async () => {
  await cache.set('user', 'old')
  await client.query('begin')
  await client.query(`update ${users} set name = 'new' where id = 1`)
  const inside = inTransaction()
  expect(await inside.delete('user')).toBe(true)
  expect(await inside.get('user')).toBe(undefined)
  expect(await cache.get('user')).toBe('old')
  await client.query('commit')
  expect(await cache.get('user')).toBe(undefined)
  expect(await cache.getOrSet('user', load)).toBe('new')
})

it('a rollback undoes the delete', async () => {
  await cache.set('user', 'old')
  await client.query('begin')
  expect(await inTransaction().delete('user')).toBe(true)
  await client.query('rollback')
  expect(await cache.get('user')).toBe('old')
})

it('`deleteByTag` takes effect with the commit, and never after a rollback', async () => {
  await cache.set('user', 'old', { tags: ['users'] })
  for (const end of ['rollback', 'commit']) {
    expect(await cache.get('user')).toBe('old')
    await client.query('begin')
    await inTransaction().deleteByTag('users')
    expect(await cache.get('user')).toBe('old')
    await client.query(end)
  }
  expect(await cache.get('user')).toBe(undefined)
})

it('a load that began before the delete never stores its value after the commit', async () => {
  let readFrom = (): void => {}
  const gate = new Promise<void>((resolve) => {
    readFrom = resolve
  })
  let began = (): void => {}
  const begun = new Promise<void>((resolve) => {
    began = resolve
  })
  const loading = cache.getOrSet('user', async () => {
    const name = await load()
    began()
    await gate
    return name
  })
  await begun
  await client.query('begin')
  await client.query(`update ${users} set name = 'new' where id = 1`)
  await inTransaction().delete('user')
  await client.query('commit')
  readFrom()
  expect(await loading).toBe('old')
  expect(await cache.get('user')).toBe(undefined)
  expect(await cache.getOrSet('user', load)).toBe('new')
})

it('a load that begins between the delete of a missing key and the commit waits, and stores the new value', async () => {
  await client.query('begin')
  await client.query(`update ${users} set name = 'new' where id = 1`)
  expect(await inTransaction().delete('user')).toBe(false)
  const loading = cache.getOrSet('user', load)
  await waitUntil('the load to wait for the commit', async () => (await waiting()) > 0)
  await client.query('commit')
  expect(await loading).toBe('new')
  expect(await cache.get('user')).toBe('new')
})

it('a delete of several keys, present or missing, waits for no other transaction', async () => {
  await cache.set('a', 'old')
  await client.query('begin')
  expect(await inTransaction().deleteMany(['a', 'b', 'c'])).toBe(1)
  await client.query('commit')
  expect(await cache.getMany(['a', 'b', 'c'])).toEqual([undefined, undefined, undefined])
})

it('all methods of the handle take part in the transaction', async () => {
  await client.query('begin')
  const inside = inTransaction()
  await inside.set('a', 'inside')
  expect(await inside.get('a')).toBe('inside')
  expect(await inside.add('a', 'again')).toBe(false)
  expect(await inside.increment('n', 5)).toBe(5)
  expect(await cache.get('a')).toBe(undefined)
  await client.query('rollback')
  expect(await cache.get('a')).toBe(undefined)
  expect(await cache.get('n')).toBe(undefined)
})

it('the settings of the session stay unchanged for the rest of the transaction', async () => {
  const settings = async (): Promise<unknown> =>
    (await client.query("select current_setting('lock_timeout') as lock, current_setting('enable_seqscan') as seq"))
      .rows
  await client.query('begin')
  const before = await settings()
  await inTransaction().set('a', 'b')
  await inTransaction().delete('c')
  expect(await settings()).toEqual(before)
  await client.query('commit')
})

it('`inTransaction` refuses a value that is no client', () => {
  expect(() => backend.inTransaction({} as pg.ClientBase)).toThrow('client must be a client of pg')
})

it('a call in a failed transaction rejects', async () => {
  await client.query('begin')
  await client.query('select 1/0').catch(() => {})
  const outcome = await inTransaction()
    .delete('user')
    .catch((error: unknown) => cacheErrorCode(error))
  expect(outcome).toBe('BACKEND_FAILURE')
  await client.query('rollback')
})

it('`Cache.inTransaction` refuses a pool, whose statements would be in no transaction', () => {
  expect(() => cache.inTransaction(admin)).toThrow('client must be a client of pg')
  expect(() => cache.inTransaction({})).toThrow('client must be a client of pg')
})

it('a delete of several statements has the time of one call in all', async () => {
  await using proxy = await tcpProxy(url)
  const table = tableName()
  const patient = new PostgresBackend({ url, table, ...generousLimits })
  await patient.get('k')
  const quick = new PostgresBackend({ url, table, ...generousLimits, timeout: 3000 })
  const slow = new pg.Client({ connectionString: proxy.url })
  await slow.connect()
  await slow.query('begin')
  proxy.delay(2500)
  // Three statements: one removes nothing, one inserts the row, one removes it again.
  const outcome = await quick
    .inTransaction(slow)
    .delete('missing')
    .catch((error: unknown) => cacheErrorCode(error))
  expect(outcome).toBe('TIMEOUT')
  proxy.heal()
  // Even if the application commits now, the inserted row is invisible: it has expired.
  await slow.query('commit')
  const events: unknown[] = []
  patient.listen((event) => events.push(event))
  expect(await patient.get('missing')).toBe(undefined)
  expect(events).toEqual([])
  await slow.end()
  await quick.close()
  await patient.close()
})
