import { cacheErrorCode } from '@cache/core/backend'
import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { afterAll, expect, inject, it } from 'vitest'
import { PostgresBackend, type PostgresBackendOptions } from '../../src/index.ts'
import { generousLimits } from '../generous-limits.ts'
import { item } from '../items.ts'
import { tableName } from '../table-name.ts'

const url = inject('postgresUrl')
const admin = new pg.Pool({ connectionString: url })
afterAll(() => admin.end())

interface Watched {
  readonly backend: PostgresBackend
  /** The first word of each statement since the previous call. */
  statements(): string[]
  close(): Promise<void>
}

/** A backend on a pool that logs the statements. */
async function watched(options: Partial<PostgresBackendOptions> = {}): Promise<Watched> {
  const pool = new pg.Pool({ connectionString: url })
  const sent: string[] = []
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...given: unknown[]) => unknown
    Object.assign(client, {
      query: (...given: unknown[]) => {
        const text = (given[0] as { text?: string }).text ?? String(given[0])
        sent.push(
          text.startsWith('with')
            ? (/(update|delete)(?= "| from ")/.exec(text)?.[1] ?? 'with')
            : (text.split(' ')[0] as string),
        )
        return query(...given)
      },
    })
  })
  const backend = new PostgresBackend({
    pool,
    table: tableName(),
    ...generousLimits,
    ...options,
  } as PostgresBackendOptions)
  await backend.get('first')
  sent.length = 0
  return {
    backend,
    statements: () => sent.splice(0),
    close: async () => {
      await backend.close()
      await pool.end()
    },
  }
}

it('the gets of one tick are one statement, with each key once', async () => {
  const { backend, statements, close } = await watched()
  await backend.set(item('k1', 'one'))
  statements()
  const keys = Array.from({ length: 300 }, (_, n) => `k${n % 100}`)
  const found = await Promise.all(keys.map((key) => backend.get(key)))
  expect(found.filter((one) => one !== undefined).map((one) => one.value)).toEqual(['one', 'one', 'one'])
  expect(statements()).toEqual(['select'])
  await close()
})

it('the sets of one tick are one statement, and the last value of a key wins', async () => {
  const { backend, statements, close } = await watched()
  await Promise.all(Array.from({ length: 300 }, (_, n) => backend.set(item(`k${n % 100}`, n))))
  expect(statements()).toEqual(['insert'])
  const found = await backend.getMany(Array.from({ length: 100 }, (_, n) => `k${n}`))
  expect(found.map((one) => one?.value)).toEqual(Array.from({ length: 100 }, (_, n) => 200 + n))
  await close()
})

it('the calls of `increment`, `delete` or `compareAndSet` of one tick are one statement', async () => {
  const { backend, statements, close } = await watched()
  const all = (call: (n: number) => Promise<unknown>): Promise<unknown[]> =>
    Promise.all(Array.from({ length: 100 }, (_, n) => call(n)))
  const sums = await all((n) => backend.increment(`n${n % 2}`, 1))
  expect(sums).toEqual(Array.from({ length: 100 }, (_, n) => Math.floor(n / 2) + 1))
  expect(statements()).toEqual(['insert'])
  const items = Array.from({ length: 100 }, (_, n) => item(`s${n}`, n))
  await all((n) => backend.compareAndSet(`s${n}`, undefined, items[n]))
  expect(statements()).toEqual(['insert'])
  await all((n) => backend.compareAndSet(`s${n}`, items[n]?.version, item(`s${n}`, n + 1)))
  expect(statements()).toEqual(['update'])
  await all((n) => backend.delete(`s${n}`))
  expect(statements()).toEqual(['delete'])
  await close()
})

it('sets of one key without await take effect in their order', async () => {
  const { backend, close } = await watched()
  const sets: Promise<void>[] = []
  for (let n = 0; n < 50; n += 1) {
    sets.push(backend.set(item('k', n)))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all(sets)
  expect((await backend.get('k'))?.value).toBe(49)
  await close()
})

it('a row that another transaction has locked delays only the calls for it', async () => {
  const table = tableName()
  const backend = new PostgresBackend({ url, table, ...generousLimits, lockTimeout: '100ms' })
  await backend.setMany(Array.from({ length: 20 }, (_, n) => item(`k${n}`, 'old')))
  const client = await admin.connect()
  await client.query('begin')
  await client.query(`update ${table} set version = version where key = 'k7'`)
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => backend.set(item(`k${n}`, 'new'))))
  expect(
    outcomes.flatMap((outcome, n) => (outcome.status === 'rejected' ? [[n, cacheErrorCode(outcome.reason)]] : [])),
  ).toEqual([[7, 'TIMEOUT']])
  const counted = await Promise.allSettled([backend.increment('a', 1), backend.delete('k7'), backend.increment('a', 1)])
  expect(counted.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : 'rejected'))).toEqual([
    1,
    'rejected',
    2,
  ])
  await client.query('rollback')
  client.release()
  expect((await backend.get('k7'))?.value).toBe('old')
  expect((await backend.get('k8'))?.value).toBe('new')
  await backend.close()
})

async function deadlocks(): Promise<number> {
  const { rows } = await admin.query('select deadlocks::int from pg_stat_database where datname = current_database()')
  return rows[0].deadlocks
}

it('concurrent batches of two handles never deadlock', async () => {
  const table = tableName()
  const handles = [0, 1].map(() => new PostgresBackend({ url, table, ...generousLimits }))
  const before = await deadlocks()
  const keys = Array.from({ length: 300 }, (_, n) => (n % 3 === 0 ? `😀${n}` : n % 3 === 1 ? `\uffff${n}` : `k${n}`))
  for (let round = 0; round < 10; round += 1) {
    const orders = [keys, [...keys].reverse()]
    await Promise.all(
      handles.flatMap((handle, n) => [
        handle.setMany((orders[n] as string[]).map((key) => item(key, round))),
        handle.deleteMany((orders[1 - n] as string[]).slice(0, 50)),
        Promise.all((orders[n] as string[]).slice(0, 100).map((key) => handle.increment(`n${key}`, 1))),
      ]),
    )
  }
  expect(await deadlocks()).toBe(before)
  expect((await handles[0]?.get(`n${keys[0]}`))?.value).toBe(10)
  for (const handle of handles) await handle.close()
})

it('a refused step of a counter leaves the other steps of its sum in effect', async () => {
  const { backend, close } = await watched()
  await backend.set(item('n', Number.MAX_SAFE_INTEGER - 1))
  const outcomes = await Promise.allSettled([
    backend.increment('n', 1),
    backend.increment('n', 1),
    backend.increment('n', -5),
  ])
  const codes = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? 'counted' : cacheErrorCode(outcome.reason)))
  expect(codes.filter((one) => one === 'counted').length).toBeGreaterThanOrEqual(2)
  const counted = [1, 1, -5].filter((_, n) => codes[n] === 'counted').reduce((sum, step) => sum + step, 0)
  expect((await backend.get('n'))?.value).toBe(Number.MAX_SAFE_INTEGER - 1 + counted)
  await close()
})
