import type {} from '@cache/testing/postgres-setup'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { type ConnectionOptions, PostgresBackend, PostgresBus } from '../../src/index.ts'
import { tableName } from '../table-name.ts'

const url = inject('postgresUrl')
const admin = new pg.Pool({ connectionString: url, max: 2 })
const role = `${tableName()}_role`
beforeAll(() => admin.query(`create role ${role} login`))
afterAll(async () => {
  await admin.query(`drop role ${role}`)
  await admin.end()
})

const nameless = new URL(url)
nameless.username = ''

/** Who the server sees while a backend and a bus of these options are connected. */
async function seen(options: ConnectionOptions): Promise<unknown> {
  const { rows: before } = await admin.query('select pid from pg_stat_activity')
  const backend = new PostgresBackend({ ...options, table: tableName(), migrate: false } as ConnectionOptions)
  const bus = new PostgresBus({ ...options, channel: tableName() } as { url: string })
  // There is no such table; the connection stays.
  await backend.get('k').catch(() => {})
  await bus.subscribe({ message() {}, connected() {}, disconnected() {} })
  const { rows } = await admin.query(
    `select distinct usename as user, application_name as name from pg_stat_activity
     where pid <> all ($1) and backend_type = 'client backend' and application_name in ('mine', '@cache/postgres')
     and usename in ('postgres', $2)`,
    [before.map(({ pid }) => pid), role],
  )
  await bus.close()
  await backend.close()
  return rows
}

it('options stand over the URL, also where it says nothing', async () => {
  expect(await seen({ url: nameless.href, options: { user: role, application_name: 'mine' } })).toEqual([
    { user: role, name: 'mine' },
  ])
  nameless.searchParams.set('application_name', 'of the URL')
  expect(await seen({ url: nameless.href, options: { user: role, application_name: 'mine' } })).toEqual([
    { user: role, name: 'mine' },
  ])
})

it('an option that is undefined leaves the URL as it is, and connections have a name', async () => {
  const named = new URL(url)
  named.username = role
  const options = { user: undefined, application_name: undefined } as unknown as pg.ClientConfig
  expect(await seen({ url: named.href, options })).toEqual([{ user: role, name: '@cache/postgres' }])
})
