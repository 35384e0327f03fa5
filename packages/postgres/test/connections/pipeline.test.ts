import { cacheErrorCode } from '@cache/core/backend'
import { waitUntil } from '@cache/workspace'
import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { afterEach, expect, inject, it, vi } from 'vitest'
import { migrationSql, PostgresBackend } from '../../src/index.ts'
import { generousLimits } from '../generous-limits.ts'
import { item } from '../items.ts'
import { tableName } from '../table-name.ts'

const url = inject('postgresUrl')

afterEach(() => {
  vi.restoreAllMocks()
})

it('statements behind one that could not be prepared are prepared by the next call', async () => {
  const table = tableName()
  const backend = new PostgresBackend({
    url,
    table,
    migrate: false,
    pipeline: true,
    maxConnections: 1,
    ...generousLimits,
  })
  // Opens the connection, so that the next statements are sent at once.
  await backend.delete('k').catch(() => {})
  const calls: Promise<string | undefined>[] = []
  for (let n = 0; n < 5; n += 1) {
    calls.push(backend.get(`k${n}`).then(() => 'found', cacheErrorCode))
    await new Promise((resolve) => process.nextTick(resolve))
  }
  expect(await Promise.all(calls)).toEqual(Array(5).fill('BACKEND_FAILURE'))
  const admin = new pg.Client(url)
  await admin.connect()
  await admin.query(migrationSql({ table }))
  await admin.end()
  const query = vi.spyOn(pg.Client.prototype, 'query')
  await backend.set(item('k', 1))
  expect((await backend.get('k'))?.value).toBe(1)
  expect(query.mock.calls.map(([given]) => (given as { name?: string }).name)).toEqual([
    expect.stringMatching(/^cache_/),
    expect.stringMatching(/^cache_/),
  ])
  await backend.close()
})

it('each statement in flight when the session loses its prepared statements is sent again once', async () => {
  const table = tableName()
  const backend = new PostgresBackend({ url, table, pipeline: true, maxConnections: 1, ...generousLimits })
  await backend.set(item('k', 1))
  await backend.increment('n', 1)
  await backend.getMany(['k', 'l'])
  await backend.get('k')
  const admin = new pg.Client(url)
  await admin.connect()
  await admin.query(`create function ${table}_forget() returns trigger language plpgsql as
    $$ begin if new.key = 'forget' then execute 'deallocate all'; end if; return new; end $$`)
  await admin.query(`create trigger forget after insert on ${table} for each row execute function ${table}_forget()`)
  const next = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve))
  const calls: Promise<unknown>[] = [backend.set(item('forget', 1))]
  for (const call of [
    () => backend.get('k'),
    () => backend.increment('n', 1),
    () => backend.get('forget'),
    () => backend.getMany(['k', 'n']),
  ]) {
    await next()
    calls.push(call())
  }
  const [, found, sum, , many] = await Promise.all(calls)
  expect(found).toMatchObject({ value: 1 })
  expect(sum).toBe(2)
  expect(many).toMatchObject([{ value: 1 }, {}])
  expect((await backend.get('n'))?.value).toBe(2)
  await backend.close()
  await admin.query(`drop table ${table}`)
  await admin.query(`drop function ${table}_forget`)
  await admin.end()
})

it.each([1, 2])('a read does not wait behind %i compare-and-set calls for locked rows', async (calls) => {
  const table = tableName()
  const limits = { timeout: '60s', connectTimeout: '30s', lockTimeout: '20s' } as const
  const backend = new PostgresBackend({ url, table, pipeline: true, ...limits })
  const items = Array.from({ length: calls }, (_, n) => item(`locked ${n}`, n))
  await backend.setMany(items)
  const holder = new pg.Client(url)
  await holder.connect()
  await holder.query('begin')
  await holder.query(`delete from ${table}`)
  let settled = 0
  const replacing = items.map(({ key, version }) =>
    backend.compareAndSet(key, version, item(key, 'late')).finally(() => {
      settled += 1
    }),
  )
  const watcher = new pg.Client(url)
  await watcher.connect()
  await waitUntil('a statement that waits for the rows', async () => {
    const { rows } = await watcher.query(
      `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%${table}%'
        and clock_timestamp() - query_start > interval '200 milliseconds'`,
    )
    return rows.length > 0
  })
  for (let n = 0; n < 20; n += 1) expect(await backend.get('another')).toBe(undefined)
  await backend.set(item('another', 1))
  expect(settled).toBe(0)
  await holder.query('commit')
  expect(await Promise.all(replacing)).toEqual(items.map(() => false))
  await holder.end()
  await watcher.end()
  await backend.close()
})
