import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cacheErrorCode } from '@cache/core/backend'
import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { afterAll, expect, inject, it } from 'vitest'
import { migrationSql, PostgresBackend } from '../../src/index.ts'
import { generousLimits } from '../generous-limits.ts'
import { item } from '../items.ts'
import { tableName } from '../table-name.ts'

const url = inject('postgresUrl')
const admin = new pg.Pool({ connectionString: url, max: 2 })
afterAll(() => admin.end())

async function code(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'resolved',
    (error) => `${cacheErrorCode(error)} ${error.message}`,
  )
}

it('twenty processes that start at once on an empty database can all write (RACES R37)', async () => {
  const table = tableName()
  const program = `
    import { PostgresBackend } from ${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)}
    const backend = new PostgresBackend({ url: process.argv[1], schema: process.argv[2], table: 'cache', timeout: '30s', connectTimeout: '30s' })
    await backend.set({ key: process.argv[3], value: 1, version: 'v' + process.argv[3], createdAt: 0 })
    await backend.increment('sum', 1)
    await backend.close()`
  const run = promisify(execFile)
  const starts = Array.from({ length: 20 }, (_, n) =>
    run(process.execPath, ['--input-type=module', '-e', program, url, table, String(n)]),
  )
  await Promise.all(starts)
  const backend = new PostgresBackend({ url, schema: table, ...generousLimits })
  expect((await backend.get('sum'))?.value).toBe(20)
  const found = await backend.getMany(Array.from({ length: 20 }, (_, n) => String(n)))
  expect(found.map((one) => one?.value)).toEqual(Array(20).fill(1))
  await backend.close()
  await admin.query(`drop schema ${table} cascade`)
}, 180_000)

const names: readonly string[] = [
  `it's a "table" \\ $1 %s`,
  'Upper.Case',
  'two  blanks,\ta tab and\na line',
  ' blanks around ',
  'a\u00a0wide\u2028one\ufeff',
  'a$$b $create$',
  `'); drop table x; --`,
  '/* :x */',
  '😀'.repeat(14),
  'x'.repeat(62),
]

it.each(names)('a name may contain any characters, because it is quoted: %j', async (name) => {
  const schema = `${process.pid}`.slice(-1) + name
  const made = new PostgresBackend({ url, schema, table: name, ...generousLimits })
  const one = item('k', { a: 1 })
  await made.set(one)
  await made.close()
  // The migration by hand uses the same table.
  await admin.query(migrationSql({ schema, table: name }))
  const backend = new PostgresBackend({ url, schema, table: name, migrate: false, maxEntries: 1, ...generousLimits })
  expect(await backend.get('k')).toEqual(one)
  expect(await backend.getMany(['k', 'l'])).toEqual([one, undefined])
  await backend.set(item('l', 1))
  expect(await backend.removeExpired()).toBe(0)
  await backend.clear()
  expect((await backend.stats()).items).toBe(0)
  await backend.close()
  const { rows } = await admin.query(
    'select table_name as name from information_schema.tables where table_schema = $1',
    [schema],
  )
  expect(rows).toEqual([{ name }])
  await admin.query(`drop schema ${pg.escapeIdentifier(schema)} cascade`)
})

it('a table of another kind stays unchanged', async () => {
  const table = tableName()
  await admin.query(`create table ${table} (id int); comment on table ${table} is 'ours'`)
  const backend = new PostgresBackend({ url, table, ...generousLimits })
  expect(await code(backend.set(item('k', 1)))).toMatch(/^BACKEND_FAILURE .*give this one another name/)
  await backend.close()
  await expect(admin.query(migrationSql({ table }))).rejects.toThrow('does not exist')
  await admin.query('rollback')
  const { rows } = await admin.query('select obj_description($1::regclass) as comment', [table])
  expect(rows).toEqual([{ comment: 'ours' }])
  await admin.query(`drop table ${table}`)
})

it("the migration's SQL may run twice, and a backend with `migrate: false` works on its table", async () => {
  const schema = tableName()
  const sql = migrationSql({ schema, table: 'entries' })
  await admin.query(sql)
  await admin.query(sql)
  const backend = new PostgresBackend({ url, schema, table: 'entries', migrate: false, ...generousLimits })
  await backend.set(item('k', 1))
  expect(await backend.increment('k', 2)).toBe(3)
  await backend.close()
  const migrating = new PostgresBackend({ url, schema, table: 'entries', ...generousLimits })
  expect((await migrating.get('k'))?.value).toBe(3)
  await migrating.close()
  await admin.query(`drop schema ${schema} cascade`)
})

it("the migration's SQL may run many times at once, and together with backends that migrate", async () => {
  const schema = tableName()
  const sql = migrationSql({ schema })
  const clients = Array.from({ length: 10 }, () => new pg.Client(url))
  await Promise.all(clients.map((client) => client.connect()))
  const backends = Array.from({ length: 10 }, () => new PostgresBackend({ url, schema, ...generousLimits }))
  await Promise.all([
    ...clients.map((client) => client.query(sql)),
    ...backends.map((backend, n) => backend.set(item(`k${n}`, n))),
  ])
  expect((await backends[0]?.stats())?.items).toBe(10)
  await Promise.all([...clients.map((client) => client.end()), ...backends.map((backend) => backend.close())])
  await admin.query(`drop schema ${schema} cascade`)
})

it('migration.sql in the package is the result of migrationSql()', async () => {
  const file = fileURLToPath(new URL('../../migration.sql', import.meta.url))
  expect(await readFile(file, 'utf8')).toBe(migrationSql())
})

it('a role with only the four rights on the table can call every method', async () => {
  const schema = tableName()
  const role = `${schema}_role`
  await admin.query(migrationSql({ schema }))
  await admin.query(`create role ${role} login`)
  await admin.query(`grant usage on schema ${schema} to ${role}`)
  await admin.query(`grant select, insert, update, delete on ${schema}.cache to ${role}`)
  for (const migrate of [true, false]) {
    const own = new URL(url)
    own.username = role
    const backend = new PostgresBackend({ url: own.href, schema, migrate, maxEntries: 50, ...generousLimits })
    for (let n = 0; n < 60; n += 1) await backend.set(item(`k${n}`, n))
    expect(await backend.compareAndSet('new', undefined, item('new', 1))).toBe(true)
    expect(await backend.increment('n', 1)).toBe(1)
    expect(await backend.delete('new')).toBe(true)
    expect(await backend.removeExpired()).toBe(0)
    expect((await backend.stats()).items).toBeGreaterThan(0)
    await backend.clear()
    await backend.close()
  }
  const own = new URL(url)
  own.username = role
  const elsewhere = new PostgresBackend({ url: own.href, schema, table: 'other', ...generousLimits })
  expect(await code(elsewhere.get('k'))).toMatch(/^BACKEND_FAILURE .*the role lacks a right/)
  await elsewhere.close()
  await admin.query(`drop schema ${schema} cascade`)
  await admin.query(`drop role ${role}`)
})

it('a call without a table and with `migrate: false` says what is missing', async () => {
  const backend = new PostgresBackend({ url, table: tableName(), migrate: false, ...generousLimits })
  expect(await code(backend.get('k'))).toMatch(/^BACKEND_FAILURE .*run the migration/)
  await backend.close()
})

it('a table of a later version stays unchanged', async () => {
  const table = tableName()
  const backend = new PostgresBackend({ url, table, ...generousLimits })
  await backend.set(item('k', 1))
  await backend.close()
  await admin.query(`comment on table ${table} is '@cache/postgres schema 2'`)
  const older = new PostgresBackend({ url, table, ...generousLimits })
  expect(await code(older.get('k'))).toMatch(/^BACKEND_FAILURE .*schema version 2, and this package knows 1/)
  await older.close()
  await admin.query(`drop table ${table}`)
})

it("a migration never commits the transaction of the application's client", async () => {
  const table = tableName()
  const client = new pg.Client(url)
  await client.connect()
  await client.query(`create table ${table}_users (name text)`)
  await client.query('begin')
  await client.query(`insert into ${table}_users values ('not yet')`)
  const backend = new PostgresBackend({ client, table, ...generousLimits })
  expect(await code(backend.set(item('k', 1)))).toMatch(/^UNSUPPORTED .*is in a transaction/)
  await client.query('rollback')
  const { rows } = await client.query(`select * from ${table}_users`)
  expect(rows).toEqual([])
  // Outside a transaction the table is created, and later transactions can use it.
  await backend.set(item('k', 1))
  await client.query('begin')
  const other = new PostgresBackend({ client, table, ...generousLimits })
  expect((await other.get('k'))?.value).toBe(1)
  await client.query('rollback')
  await client.query(`drop table ${table}, ${table}_users`)
  await client.end()
})

it('`unlogged` creates an unlogged table', async () => {
  const kinds: unknown[] = []
  for (const unlogged of [false, true]) {
    const table = tableName()
    const backend = new PostgresBackend({ url, table, unlogged, ...generousLimits })
    await backend.set(item('k', 1))
    await backend.close()
    const { rows } = await admin.query('select relpersistence from pg_class where relname = $1', [table])
    kinds.push(rows[0].relpersistence)
    await admin.query(`drop table ${table}`)
  }
  expect(kinds).toEqual(['p', 'u'])
})

it('the next call repeats a migration that failed', async () => {
  const schema = tableName()
  await admin.query(`create schema ${schema}`)
  const role = `${schema}_role`
  await admin.query(`create role ${role} login`)
  await admin.query(`grant usage on schema ${schema} to ${role}`)
  const own = new URL(url)
  own.username = role
  const backend = new PostgresBackend({ url: own.href, schema, ...generousLimits })
  expect(await code(backend.set(item('k', 1)))).toMatch(/^BACKEND_FAILURE/)
  await admin.query(`grant create on schema ${schema} to ${role}`)
  expect(await code(backend.set(item('k', 1)))).toBe('resolved')
  await backend.close()
  await admin.query(`drop schema ${schema} cascade`)
  await admin.query(`drop role ${role}`)
})
