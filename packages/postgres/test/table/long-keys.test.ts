import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { afterAll, expect, inject, it } from 'vitest'
import { PostgresBackend, type PostgresBackendOptions } from '../../src/index.ts'
import { item } from '../items.ts'
import { tableName } from '../table-name.ts'

const url = inject('postgresUrl')
const admin = new pg.Pool({ connectionString: url, max: 1 })
afterAll(() => admin.end())

const long = 'k'.repeat(5000)

/** A backend with long time-outs: a slow machine must not look like a failure. */
function open(table: string, options: Partial<PostgresBackendOptions> = {}): PostgresBackend {
  return new PostgresBackend({
    url,
    table,
    timeout: '30s',
    connectTimeout: '30s',
    ...options,
  } as PostgresBackendOptions)
}

it('another key with the same hash is a miss, is never counted on, and is overwritten', async () => {
  const table = tableName()
  const backend = open(table)
  const collide = async (): Promise<void> => {
    const { rowCount } = await admin.query(`update ${table} set long_key = long_key || 'another'`)
    expect(rowCount).toBe(1)
  }
  await backend.set(item(long, 41))
  await collide()
  expect(await backend.get(long)).toBe(undefined)
  expect(await backend.getMany([long, 'other'])).toEqual([undefined, undefined])
  expect(await backend.increment(long, 1)).toBe(1)
  await collide()
  const next = item(long, 'mine')
  expect(await backend.compareAndSet(long, undefined, next)).toBe(true)
  expect(await backend.get(long)).toEqual(next)
  await collide()
  await backend.set(next)
  expect(await backend.get(long)).toEqual(next)
  expect((await admin.query(`select count(*)::int as n from ${table}`)).rows).toEqual([{ n: 1 }])
  await backend.close()
})

it('SQL can read and write short keys unchanged', async () => {
  const table = tableName()
  const backend = open(table)
  await backend.set(item('user:42', { name: 'Ada' }))
  await backend.increment('visits', 41)
  await admin.query(`update ${table} set number = number + 1 where key = 'visits'`)
  expect((await backend.get('visits'))?.value).toBe(42)
  const { rows } = await admin.query(`delete from ${table} where key = 'user:' || 42 returning key`)
  expect(rows).toEqual([{ key: 'user:42' }])
  expect(await backend.get('user:42')).toBe(undefined)
  await backend.close()
})

it('a number in SQL that is no safe integer is a miss, never another number', async () => {
  const table = tableName()
  const backend = open(table)
  await backend.increment('n', 1)
  await admin.query(`update ${table} set number = 9007199254740993`)
  const events: unknown[] = []
  backend.listen((event) => events.push(event.type === 'error' ? event.error.code : event.type))
  expect(await backend.get('n')).toBe(undefined)
  expect(events).toEqual(['DAMAGED'])
  await backend.close()
})

it('encrypted counters count, and the table holds no unencrypted number', async () => {
  const table = tableName()
  const encryption = { keys: [new Uint8Array(32).fill(7)] }
  const handles = [0, 1].map(() => open(table, { encryption }))
  const sums = await Promise.all(
    handles.flatMap((handle) => Array.from({ length: 20 }, () => handle.increment('n', 1))),
  )
  expect(new Set(sums).size).toBe(40)
  expect(Math.max(...sums)).toBe(40)
  expect((await admin.query(`select number from ${table}`)).rows).toEqual([{ number: null }])
  for (const handle of handles) await handle.close()
})
