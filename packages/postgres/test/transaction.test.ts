import { Cache } from '@cache/core'
import { cacheErrorCode } from '@cache/core/backend'
import { tcpProxy, waitUntil } from '@cache/testing'
import type {} from '@cache/testing/postgres-setup'
import pg from 'pg'
import { afterAll, afterEach, beforeEach, expect, inject, it } from 'vitest'
import { PostgresBackend } from '../src/index.ts'
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
  backend = new PostgresBackend({ url, table: tableName(), lockTimeout: '1s' })
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

/** How many sessions wait for a lock of another one. */
async function waiting(): Promise<number> {
  const { rows } = await admin.query("select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock'")
  return rows[0].n
}

it('a delete takes effect with the commit, and until then others are served the old value', async () => {
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

it('a rollback takes the delete back', async () => {
  await cache.set('user', 'old')
  await client.query('begin')
  expect(await inTransaction().delete('user')).toBe(true)
  await client.query('rollback')
  expect(await cache.get('user')).toBe('old')
})

it('`deleteByTag` takes effect with the commit, and not at all with a rollback', async () => {
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

it('a load that began before the delete never stores what it read after the commit', async () => {
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
  await waitUntil('the load waits for the commit', async () => (await waiting()) > 0)
  await client.query('commit')
  expect(await loading).toBe('new')
  expect(await cache.get('user')).toBe('new')
})

it('a delete waits for nobody when several keys are deleted, stored or missing', async () => {
  await cache.set('a', 'old')
  await client.query('begin')
  expect(await inTransaction().deleteMany(['a', 'b', 'c'])).toBe(1)
  await client.query('commit')
  expect(await cache.getMany(['a', 'b', 'c'])).toEqual([undefined, undefined, undefined])
})

it('everything else of the handle sees and joins the transaction, too', async () => {
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

it('no setting of the session is changed for the rest of the transaction', async () => {
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

it('something that is no client is refused', () => {
  expect(() => backend.inTransaction({} as pg.ClientBase)).toThrow('client must be a client of pg')
})

it('a statement that fails ends the transaction, and the caller is told', async () => {
  await client.query('begin')
  await client.query('select 1/0').catch(() => {})
  const outcome = await inTransaction()
    .delete('user')
    .catch((error: unknown) => cacheErrorCode(error))
  expect(outcome).toBe('BACKEND_FAILURE')
  await client.query('rollback')
})

it('takes a client, and no pool, whose statements would have no part in a transaction', () => {
  expect(() => cache.inTransaction(admin)).toThrow('client must be a client of pg')
  expect(() => cache.inTransaction({})).toThrow('client must be a client of pg')
})

it('a delete takes the time of one call, however many statements it needs', async () => {
  await using proxy = await tcpProxy(url)
  const quick = new PostgresBackend({ url, table: tableName(), timeout: '1s' })
  await quick.get('k')
  const slow = new pg.Client({ connectionString: proxy.url })
  await slow.connect()
  await slow.query('begin')
  proxy.delay(700)
  // The row is looked for, made, and removed again.
  const outcome = await quick
    .inTransaction(slow)
    .delete('missing')
    .catch((error: unknown) => cacheErrorCode(error))
  expect(outcome).toBe('TIMEOUT')
  proxy.heal()
  // Who commits all the same leaves nothing behind that others would meet.
  await slow.query('commit')
  const told: unknown[] = []
  quick.listen((event) => told.push(event))
  expect(await quick.get('missing')).toBe(undefined)
  expect(told).toEqual([])
  await slow.end()
  await quick.close()
})
