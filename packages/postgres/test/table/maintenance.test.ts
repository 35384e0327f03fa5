import type { BackendEvent } from '@cache/core/backend'
import { waitUntil } from '@cache/workspace'
import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { afterAll, expect, inject, it } from 'vitest'
import { PostgresBackend, type PostgresBackendOptions } from '../../src/index.ts'
import { item } from '../items.ts'
import { tableName } from '../table-name.ts'

const url = inject('postgresUrl')
const admin = new pg.Pool({ connectionString: url, max: 2 })
afterAll(() => admin.end())

function open(table: string, options: Partial<PostgresBackendOptions> = {}): PostgresBackend {
  // Long time-outs: a slow machine must not look like a failure.
  return new PostgresBackend({
    url,
    table,
    timeout: '30s',
    connectTimeout: '30s',
    ...options,
  } as PostgresBackendOptions)
}

async function rows(table: string, where = 'true'): Promise<number> {
  const { rows: found } = await admin.query(`select count(*)::int as n from ${table} where ${where}`)
  return found[0].n
}

async function fill(backend: PostgresBackend, prefix: string, count: number, expiresAt?: number): Promise<void> {
  const rest = expiresAt === undefined ? {} : { expiresAt }
  await backend.setMany(Array.from({ length: count }, (_, n) => item(`${prefix}${n}`, 'x'.repeat(100), rest)))
}

it('several concurrent `removeExpired` calls remove each expired item once, and no others', async () => {
  const table = tableName()
  const handles = [open(table), open(table), open(table)]
  await fill(handles[0] as PostgresBackend, 'live', 3000)
  await fill(handles[0] as PostgresBackend, 'soon', 5000, Date.now() + 3_600_000)
  await admin.query(`update ${table} set expires_at = statement_timestamp() where expires_at is not null`)
  const removed = await Promise.all(handles.map((handle) => handle.removeExpired()))
  expect(removed.reduce((sum, count) => sum + count, 0)).toBe(5000)
  expect(await rows(table)).toBe(3000)
  const stats = await Promise.all(handles.map((handle) => handle.stats()))
  expect(stats.map(({ expired }) => expired)).toEqual(removed)
  for (const handle of handles) await handle.close()
})

it('`removeExpired` skips a locked row instead of waiting for it', async () => {
  const table = tableName()
  const backend = open(table)
  await fill(backend, 'k', 10, Date.now() + 3_600_000)
  await admin.query(`update ${table} set expires_at = statement_timestamp()`)
  const client = await admin.connect()
  await client.query('begin')
  await client.query(`select 1 from ${table} where key = 'k3' for update`)
  expect(await backend.removeExpired()).toBe(9)
  await client.query('rollback')
  client.release()
  expect(await backend.removeExpired()).toBe(1)
  await backend.close()
})

it('writes remove expired items as they go', async () => {
  const table = tableName()
  const backend = open(table)
  await fill(backend, 'old', 3000, Date.now() + 3_600_000)
  await admin.query(`update ${table} set expires_at = statement_timestamp()`)
  for (let n = 0; n < 10; n += 1) await fill(backend, 'new', 1024)
  await backend.close()
  expect(await rows(table, "key like 'old%'")).toBe(0)
  expect(await rows(table)).toBe(1024)
})

it('removal of expired items and limits affect their own prefix only', async () => {
  const table = tableName()
  const mine = open(table, { prefix: 'mine', maxEntries: 50 })
  const root = open(table, { maxEntries: 50 })
  const other = open(table, { prefix: 'other' })
  await fill(other, 'o', 200, Date.now() + 3_600_000)
  await admin.query(`update ${table} set expires_at = statement_timestamp()`)
  await fill(mine, 'm', 40)
  await fill(root, 'r', 40)
  expect(await mine.removeExpired()).toBe(0)
  expect(await root.removeExpired()).toBe(0)
  for (let n = 0; n < 300; n += 1) await Promise.all([mine.set(item(`m${n}`, n)), root.set(item(`r${n}`, n))])
  await mine.close()
  await root.close()
  expect(await rows(table, String.raw`key like 'other\\/%'`)).toBe(200)
  const left = [await rows(table, String.raw`key like 'mine\\/%'`), await rows(table, "key like 'r%'")]
  for (const count of left) expect(count).toBeLessThanOrEqual(50)
  for (const count of left) expect(count).toBeGreaterThanOrEqual(25)
  expect(await other.removeExpired()).toBe(200)
  await other.close()
})

it('a limit of bytes removes the oldest items first, each with an event', async () => {
  const table = tableName()
  const backend = open(table, { maxBytes: 100_000 })
  const evicted: string[] = []
  backend.listen((event: BackendEvent) => {
    if (event.type === 'evict') evicted.push(`${event.reason} ${event.key}`)
  })
  const value = 'x'.repeat(1000)
  for (let n = 0; n < 400; n += 1) await backend.set(item(`k${n}`, value))
  await waitUntil('the table to be within its limit', async () => ((await backend.stats()).size ?? 0) <= 100_000)
  const { evictions, items } = await backend.stats()
  expect(evictions).toBe(evicted.length)
  expect(items).toBe(400 - evicted.length)
  expect(items).toBeGreaterThan(50)
  expect(evicted[0]).toBe('bytes k0')
  expect(new Set(evicted).size).toBe(evicted.length)
  expect((await backend.get('k399'))?.value).toBe(value)
  await backend.close()
})

it('a limit of bytes counts long keys whole', async () => {
  const table = tableName()
  const backend = open(table, { maxBytes: 1_000_000 })
  for (let n = 0; n < 150; n += 1) await backend.set(item(`${n} ${'k'.repeat(20_000)}`, n))
  await backend.close()
  const left = await rows(table)
  expect(left).toBeLessThanOrEqual(50)
  expect(left).toBeGreaterThanOrEqual(25)
})

it('a limit holds on a table too large to be counted exactly, while several processes write', async () => {
  const table = tableName()
  // Five rows on a page: 12,000 rows take more pages than are counted exactly.
  const handles = [open(table, { maxEntries: 12_000 }), open(table, { maxEntries: 12_000 })]
  const wide = 'x'.repeat(1500)
  for (let round = 0; round < 10; round += 1) {
    await Promise.all(
      handles.map((handle, h) =>
        handle.setMany(Array.from({ length: 1000 }, (_, n) => item(`${h} ${round} ${n}`, wide))),
      ),
    )
  }
  for (const handle of handles) await handle.close()
  const left = await rows(table)
  expect(left).toBeLessThanOrEqual(12_000 * 1.1)
  expect(left).toBeGreaterThanOrEqual(12_000 * 0.7)
}, 30_000)

it('a process whose clock is wrong by an hour neither shortens nor prolongs a lifetime (RACES R16)', async () => {
  const table = tableName()
  const honest = open(table)
  const early = Date.now() - 3_600_000
  const real = Date.now
  const one = item('k', 1, { createdAt: early, expiresAt: early + 60_000 })
  // The clock of the writing process is an hour behind: for other clocks its expiry time has passed.
  Date.now = () => real() - 3_600_000
  const writer = open(table)
  try {
    await writer.set(one)
  } finally {
    Date.now = real
  }
  expect((await honest.get('k'))?.value).toBe(1)
  const { rows: found } = await admin.query(
    `select extract(epoch from expires_at - statement_timestamp())::float as left from ${table}`,
  )
  expect(found[0].left).toBeGreaterThan(50)
  expect(found[0].left).toBeLessThanOrEqual(60)
  await writer.close()
  await honest.close()
})
