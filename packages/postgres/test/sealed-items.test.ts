import type { Item } from '@cache/core/backend'
import { createMovableClock } from '@cache/core/conformance'
import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { afterAll, afterEach, expect, inject, it } from 'vitest'
import { PostgresBackend, type PostgresBackendOptions } from '../src/index.ts'
import { generousLimits } from './generous-limits.ts'
import { item } from './items.ts'
import { tableName } from './table-name.ts'

const url = inject('postgresUrl')
const admin = new pg.Pool({ connectionString: url, max: 1 })
afterAll(() => admin.end())

const keys = [new Uint8Array(32).fill(7)]
const opened: PostgresBackend[] = []
afterEach(async () => {
  for (const backend of opened.splice(0)) await backend.close()
})

function open(options: Partial<PostgresBackendOptions>): PostgresBackend {
  const backend = new PostgresBackend({
    url,
    encryption: { keys },
    ...generousLimits,
    ...options,
  } as PostgresBackendOptions)
  opened.push(backend)
  return backend
}

const minute = 60_000

it('a changed `expires_at` does not prolong the lifetime of a sealed item beyond the tolerance', async () => {
  const table = tableName()
  const clock = createMovableClock()
  const backend = open({ table, clock, encryption: { keys, clockTolerance: '5s' } })
  const stored: Item = item('k', 'v', { expiresAt: clock.now() + minute })
  await backend.set(stored)
  await admin.query(`update ${table} set expires_at = null`)
  clock.advance(minute + 4999)
  expect(await backend.get('k')).toEqual(stored)
  clock.advance(1)
  const events: unknown[] = []
  backend.listen((event) => events.push(event.type === 'error' && event.error.code))
  expect(await backend.get('k')).toBe(undefined)
  expect(await backend.getMany(['k'])).toEqual([undefined])
  expect(events).toEqual(['DAMAGED', 'DAMAGED'])
  // The item counts as absent for conditional writes and counters too.
  expect(await backend.compareAndSet('k', undefined, item('k', 5))).toBe(true)
  expect(await backend.increment('k', 1)).toBe(6)
})

it('sealed bytes that are put back after their end are not served', async () => {
  const table = tableName()
  const clock = createMovableClock()
  const backend = open({ table, clock })
  await backend.set(item('k', 'old', { expiresAt: clock.now() + minute }))
  const { rows } = await admin.query(`select value, version from ${table}`)
  await backend.set(item('k', 'new'))
  clock.advance(3 * minute)
  await admin.query(`update ${table} set value = $1, version = $2`, [rows[0].value, rows[0].version])
  expect(await backend.get('k')).toBe(undefined)
})

it('the default tolerance of one minute bounds the clocks of machines, and `Infinity` turns the check off', async () => {
  const table = tableName()
  const clock = createMovableClock()
  const [checking, trusting] = [
    open({ table, clock }),
    open({ table, clock, encryption: { keys, clockTolerance: Infinity } }),
  ]
  await checking.set(item('k', 'v', { expiresAt: clock.now() + minute }))
  await admin.query(`update ${table} set expires_at = null`)
  clock.advance(2 * minute - 1)
  expect((await checking.get('k'))?.value).toBe('v')
  clock.advance(1)
  expect(await checking.get('k')).toBe(undefined)
  expect((await trusting.get('k'))?.value).toBe('v')
})

it.each<[string, (table: string) => Partial<PostgresBackendOptions>]>([
  ['another prefix', (table) => ({ table, prefix: 'other' })],
  ['another table', () => ({ table: tableName(), prefix: 'mine' })],
  ['another schema', (table) => ({ table, prefix: 'mine', schema: `${table}_schema` })],
])('a sealed item that is moved to %s is damaged there', async (_, optionsFor) => {
  const table = tableName()
  const from = open({ table, prefix: 'mine' })
  const target = optionsFor(table)
  const to = open(target)
  await from.set(item('k', 'moved'))
  await to.set(item('k', 'own'))
  expect((await to.get('k'))?.value).toBe('own')
  const { rows } = await admin.query(`select value, version from ${table} where key = $1`, ['mine\\/k'])
  const place = `${target.schema ?? 'public'}.${target.table}`
  const values = [rows[0].value, rows[0].version, `${target.prefix}\\/k`]
  const { rowCount } = await admin.query(`update ${place} set value = $1, version = $2 where key = $3`, values)
  expect(rowCount).toBe(1)
  expect(await to.get('k')).toBe(undefined)
  expect((await from.get('k'))?.value).toBe('moved')
  if (target.schema !== undefined) await admin.query(`drop schema ${target.schema} cascade`)
})

it('a backend with another context, but the same keys and table, does not read sealed items', async () => {
  const table = tableName()
  const [here, there] = [open({ table }), open({ table, encryption: { keys, context: 'staging' } })]
  await here.set(item('k', 'v'))
  expect(await there.get('k')).toBe(undefined)
  expect((await here.get('k'))?.value).toBe('v')
})
