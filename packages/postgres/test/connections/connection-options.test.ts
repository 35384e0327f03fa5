import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { type ConnectionOptions, PostgresBackend, PostgresBus } from '../../src/index.ts'
import { generousLimits } from '../generous-limits.ts'
import { tableName } from '../table-name.ts'

const admin = new pg.Pool({ connectionString: inject('postgresUrl'), max: 2 })
const role = `${tableName()}_role`
// A database of its own: the connections of other tests go to other databases.
const database = `${tableName()}_database`
beforeAll(async () => {
  await admin.query(`create role ${role} login`)
  await admin.query(`create database ${database}`)
})
afterAll(async () => {
  await admin.query(`drop database ${database} with (force)`)
  await admin.query(`drop role ${role}`)
  await admin.end()
})

const url = new URL(inject('postgresUrl'))
url.pathname = `/${database}`
const nameless = new URL(url)
nameless.username = ''

/** The users and application names that the server sees while a backend and a bus with these options are connected. */
async function seen(options: ConnectionOptions): Promise<unknown> {
  // Connections of an earlier call that are still closing.
  const { rows: before } = await admin.query('select pid from pg_stat_activity')
  const backend = new PostgresBackend({
    ...options,
    table: tableName(),
    migrate: false,
    ...generousLimits,
  } as ConnectionOptions)
  const bus = new PostgresBus({ ...options, channel: tableName(), ...generousLimits } as { url: string })
  // The call fails, because there is no table, but its connection stays open.
  await backend.get('k').catch(() => {})
  await bus.subscribe({ message() {}, connected() {}, disconnected() {} })
  const { rows } = await admin.query(
    `select distinct usename as user, application_name as name from pg_stat_activity
     where datname = $1 and backend_type = 'client backend' and pid <> all ($2)`,
    [database, before.map(({ pid }) => pid)],
  )
  await bus.close()
  await backend.close()
  return rows
}

it('options override the URL and add what it lacks', async () => {
  expect(await seen({ url: nameless.href, options: { user: role, application_name: 'mine' } })).toEqual([
    { user: role, name: 'mine' },
  ])
  nameless.searchParams.set('application_name', 'of the URL')
  expect(await seen({ url: nameless.href, options: { user: role, application_name: 'mine' } })).toEqual([
    { user: role, name: 'mine' },
  ])
})

it('an undefined option leaves the URL unchanged, and connections have a default name', async () => {
  const named = new URL(url)
  named.username = role
  const options = { user: undefined, application_name: undefined }
  expect(await seen({ url: named.href, options })).toEqual([{ user: role, name: '@cache/postgres' }])
})
