import { cacheErrorCode } from '@cache/core/backend'
import { waitUntil } from '@cache/workspace'
import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { afterAll, afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { retryConflicts } from '../../src/connections/retry-conflicts.ts'
import type { Run } from '../../src/connections/session.ts'
import { postgresError } from '../../src/errors.ts'
import { PostgresBackend, type PostgresBackendOptions } from '../../src/index.ts'
import { generousLimits } from '../generous-limits.ts'
import { item } from '../items.ts'
import { tableName } from '../table-name.ts'

const admin = new pg.Pool({ connectionString: inject('postgresUrl'), max: 4 })
afterAll(() => admin.end())

/** The server's URL for sessions with this default. */
function urlAt(level: string, more = ''): string {
  const url = new URL(inject('postgresUrl'))
  url.searchParams.set('options', `-c default_transaction_isolation=${level.replace(' ', '\\ ')}${more}`)
  return url.href
}

interface Opened {
  readonly backend: PostgresBackend
  close(): Promise<void>
}

async function openOn(source: string, url: string, table: string): Promise<Opened> {
  const common = { table, ...generousLimits, lockTimeout: '30s' } satisfies Partial<PostgresBackendOptions>
  const opened = (backend: PostgresBackend, end: () => Promise<void> = async () => {}): Opened => ({
    backend,
    close: () => backend.close().then(end),
  })
  if (source === 'a pool') {
    const pool = new pg.Pool({ connectionString: url, max: 8 })
    return opened(new PostgresBackend({ pool, ...common }), () => pool.end())
  }
  if (source === 'a client') {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    return opened(new PostgresBackend({ client, ...common }), () => client.end())
  }
  return opened(new PostgresBackend({ url, prepare: source === 'prepared statements', ...common }))
}

const sources = ['prepared statements', 'unnamed statements', 'a pool', 'a client'] as const
const levels = ['repeatable read', 'serializable'] as const

let table: string
let opened: Opened[]
beforeEach(() => {
  table = tableName()
  opened = []
})
afterEach(async () => {
  for (const one of opened) await one.close()
})

async function open(source: string, url: string): Promise<PostgresBackend> {
  const one = await openOn(source, url, table)
  opened.push(one)
  return one.backend
}

/** The number of sessions that wait for a lock of another session on this test's table. */
async function waiting(): Promise<number> {
  const { rows } = await admin.query(
    "select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock' and query like '%' || $1 || '%'",
    [table],
  )
  return rows[0].n
}

describe.each(levels)('sessions at %s', (level) => {
  it.each(sources)('a write that waited for a concurrent write takes effect after it, on %s', async (source) => {
    const backend = await open(source, urlAt(level))
    const first = item('k', 'first')
    const writes: [string, () => Promise<unknown>, unknown][] = [
      ['set', () => backend.set(item('k', 'mine')), 'mine'],
      ['setMany', () => backend.setMany([item('k', 'mine'), item('l', 'mine')]), 'mine'],
      ['delete', () => backend.delete('k'), undefined],
      ['deleteMany', () => backend.deleteMany(['k', 'l']), undefined],
      ['compareAndSet', () => backend.compareAndSet('k', first.version, item('k', 'mine')), 'mine'],
      ['compareAndSet that removes', () => backend.compareAndSet('k', first.version, undefined), undefined],
      ['increment', () => backend.increment('k', 1), 2],
      ['clear', () => backend.clear(), undefined],
    ]
    for (const [name, write, left] of writes) {
      await backend.set(name === 'increment' ? item('k', 1) : first)
      const client = await admin.connect()
      await client.query('begin')
      await client.query(`update ${table} set written_at = written_at`)
      const outcome = write().then(
        () => 'resolved',
        (error: unknown) => String(error),
      )
      await waitUntil(`${name} to wait`, async () => (await waiting()) > 0)
      await client.query('commit')
      client.release()
      expect([name, await outcome]).toEqual([name, 'resolved'])
      expect([name, (await backend.get('k'))?.value]).toEqual([name, left])
    }
  })

  it.each(sources)('no write of many concurrent ones to one key is refused, on %s', async (source) => {
    const handles = await Promise.all([0, 1, 2].map(() => open(source, urlAt(level))))
    const rounds = 20
    const refused: unknown[] = []
    const note = (error: unknown): void => {
      refused.push(error)
    }
    let taken = 0
    const writer = async (backend: PostgresBackend, id: number): Promise<void> => {
      for (let round = 0; round < rounds; round += 1) {
        const found = await backend.get('chain').catch(note)
        const next = item('chain', `${id} ${round}`)
        await Promise.all([
          backend.set(item('k', round)).catch(note),
          backend.setMany([item('k', round), item('l', round)]).catch(note),
          backend.delete('k').catch(note),
          backend.deleteMany(['k', 'l']).catch(note),
          backend.increment('n', 1).catch(note),
          backend.compareAndSet('chain', found?.version, next).then((wasTaken) => {
            if (wasTaken) taken += 1
          }, note),
        ])
      }
    }
    await Promise.all(handles.map((handle, id) => writer(handle, id)))
    expect(refused.map((error) => cacheErrorCode(error) ?? String(error))).toEqual([])
    const [first] = handles as [PostgresBackend]
    expect((await first.get('n'))?.value).toBe(handles.length * rounds)
    expect(taken).toBeGreaterThanOrEqual(rounds)
  })

  it('a transaction of the application gets `CONFLICT` and is not repeated', async () => {
    const backend = await open('prepared statements', urlAt(level))
    await backend.set(item('k', 'first'))
    const client = await admin.connect()
    await client.query(`begin isolation level ${level}`)
    await client.query(`select 1 from ${table}`)
    await backend.set(item('k', 'second'))
    expect(await backend.inTransaction(client).delete('k').catch(cacheErrorCode)).toBe('CONFLICT')
    await client.query('rollback')
    client.release()
    expect((await backend.get('k'))?.value).toBe('second')
  })

  it('a conflict on a client in a transaction of its own is `CONFLICT`, not the failure of the next attempt', async () => {
    const patient = await open('prepared statements', urlAt(level))
    await patient.set(item('k', 'first'))
    const client = await admin.connect()
    const backend = new PostgresBackend({ client, table, migrate: false, ...generousLimits })
    await client.query(`begin isolation level ${level}`)
    await client.query(`select 1 from ${table}`)
    await patient.set(item('k', 'second'))
    expect(await backend.set(item('k', 'third')).catch(cacheErrorCode)).toBe('CONFLICT')
    await client.query('rollback')
    await backend.close()
    client.release()
  })

  it('twenty handles can create the table at once', async () => {
    const handles = await Promise.all(
      Array.from({ length: 20 }, (_, n) => open(sources[n % 4] as string, urlAt(level))),
    )
    await Promise.all(handles.map((handle) => handle.increment('n', 1)))
    expect((await handles[0]?.get('n'))?.value).toBe(20)
  })
})

it('a statement that a deadlock ended is sent again', async () => {
  // The server ends the session that looks for a deadlock first: the one of the backend.
  const backend = await open('unnamed statements', urlAt('read committed', ' -c deadlock_timeout=2s'))
  await backend.setMany([item('a', 1), item('b', 1)])
  const client = await admin.connect()
  await client.query("begin; set local deadlock_timeout = '60s'")
  await client.query(`select 1 from ${table} where key = 'b' for update`)
  const cleared = backend.clear().then(
    () => 'resolved',
    (error: unknown) => String(error),
  )
  await waitUntil('the clear to hold the first row and wait for the second', async () => (await waiting()) > 0)
  await client.query(`select 1 from ${table} where key = 'a' for update`)
  await client.query('commit')
  client.release()
  expect(await cleared).toBe('resolved')
  expect(await backend.getMany(['a', 'b'])).toEqual([undefined, undefined])
})

function failingRun(state: string, failures: number): { readonly run: Run; readonly given: number[] } {
  const given: number[] = []
  const run: Run = async (_statement, _values, method, timeout) => {
    given.push(timeout)
    if (given.length <= failures) throw postgresError(Object.assign(new Error('refused'), { code: state }), method)
    return []
  }
  return { run, given }
}

it.each(['40001', '40P01'])('attempts after the failure %s share the time of the call', async (state) => {
  const { run, given } = failingRun(state, 3)
  expect(await retryConflicts(run)({ name: '', text: '' }, [], 'set', 60_000)).toEqual([])
  expect(given.length).toBe(4)
  expect(given).toEqual([...given].sort((a, b) => b - a))
})

it('a conflict that lasts as long as the time of the call is `CONFLICT`', async () => {
  const { run, given } = failingRun('40001', Number.POSITIVE_INFINITY)
  const refused = retryConflicts(run)({ name: '', text: '' }, [], 'set', 100)
  expect(await refused.catch(cacheErrorCode)).toBe('CONFLICT')
  expect(given.length).toBeGreaterThan(1)
})

it('a failure of another kind is not repeated', async () => {
  const { run, given } = failingRun('23505', 1)
  const refused = retryConflicts(run)({ name: '', text: '' }, [], 'set', 60_000)
  expect(await refused.catch(cacheErrorCode)).toBe('BACKEND_FAILURE')
  expect(given.length).toBe(1)
})
