import { Cache } from '@cache/core'
import { cacheErrorCode } from '@cache/core/backend'
import { waitUntil } from '@cache/workspace'
import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { afterAll, afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { PostgresBackend } from '../src/index.ts'
import { generousLimits } from './generous-limits.ts'
import { item } from './items.ts'
import { tableName } from './table-name.ts'

const url = inject('postgresUrl')
const admin = new pg.Pool({ connectionString: url })
afterAll(() => admin.end())

/** Milliseconds for which a write of another process waits for a locked row: no test keeps a row locked for as long. */
const longWait = 30_000
/** Milliseconds that a busy machine may add. */
const slack = 1500

let table: string
/** The cache of the process whose application has the transaction open, and the backend and cache of another process. */
let here: Cache<string>
let there: PostgresBackend
let other: Cache<string>
let client: pg.PoolClient

beforeEach(async () => {
  table = tableName()
  here = new Cache<string>({ backend: new PostgresBackend({ url, table, ...generousLimits }), ttl: '10m' })
  there = new PostgresBackend({ url, table, ...generousLimits, timeout: '120s', lockTimeout: longWait })
  other = new Cache<string>({ backend: there, ttl: '10m' })
  client = await admin.connect()
})

afterEach(async () => {
  await client.query('rollback')
  client.release()
  await other.close()
  await there.close()
  await here.close()
})

const inTransaction = (): Cache<string> => here.inTransaction(client)

/** The number of sessions on this test's table that wait for a lock of another session, and not only in an attempt of 50 ms. */
async function waiting(): Promise<number> {
  const { rows } = await admin.query(
    "select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock' and clock_timestamp() - query_start > '200 ms' and query like '%' || $1 || '%'",
    [table],
  )
  return rows[0].n
}

function gate(): { readonly passed: Promise<void>; open: () => void } {
  let open = (): void => {}
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { passed, open }
}

/** Begins a load in the other process, which `goOn` lets continue. */
async function beginLoad(key: string, options?: { readonly tags: string[] }) {
  const [begun, ready] = [gate(), gate()]
  const load = async (): Promise<string> => {
    begun.open()
    await ready.passed
    return 'old'
  }
  const loading = other.getOrSet(key, load, options)
  await begun.passed
  return { loading, goOn: ready.open }
}

describe('a load that began before the commit (RACES R3, R4)', () => {
  it('stores nothing under a missing key that the transaction deletes, and waits for the commit', async () => {
    const { loading, goOn } = await beginLoad('user')
    await client.query('begin')
    expect(await inTransaction().delete('user')).toBe(false)
    goOn()
    await waitUntil('the load to wait before it stores', async () => (await waiting()) > 0)
    await client.query('commit')
    expect(await loading).toBe('old')
    expect(await other.item('user')).toBe(undefined)
  })

  it('stores nothing under a missing, deleted key when it ends after the commit', async () => {
    const { loading, goOn } = await beginLoad('user')
    await client.query('begin')
    await inTransaction().delete('user')
    await client.query('commit')
    goOn()
    expect(await loading).toBe('old')
    expect(await other.item('user')).toBe(undefined)
  })

  it.each([
    ['the first use of the tag', false],
    ['a tag in use', true],
  ] as const)('stores no valid item of an invalidated tag: %s', async (_, inUse) => {
    if (inUse) await other.set('another', 'x', { tags: ['users'] })
    const { loading, goOn } = await beginLoad('user', { tags: ['users'] })
    await client.query('begin')
    await inTransaction().deleteByTag('users')
    goOn()
    expect(await loading).toBe('old')
    await client.query('commit')
    expect(await other.get('user')).toBe(undefined)
    expect(await other.get('another')).toBe(undefined)
  })

  it('stores its result when the transaction is rolled back', async () => {
    await other.set('stored', 'kept', { tags: ['users'] })
    const { loading, goOn } = await beginLoad('user', { tags: ['users'] })
    await client.query('begin')
    const inside = inTransaction()
    await inside.delete('user')
    await inside.delete('stored')
    await inside.delete('missing')
    await inside.deleteByTag('users')
    goOn()
    await waitUntil('the load to wait before it stores', async () => (await waiting()) > 0)
    await client.query('rollback')
    expect(await loading).toBe('old')
    expect(await other.getMany(['user', 'stored', 'missing'])).toEqual(['old', 'kept', undefined])
    expect((await admin.query(`select count(*)::int as n from ${table} where version = 'held'`)).rows[0].n).toBe(0)
  })
})

describe('while a transaction with deletes stays open', () => {
  const many = Array.from({ length: 40 }, (_, n) => `held ${n}`)
  const free = (round: number): [string, string][] =>
    Array.from({ length: 100 }, (_, n) => [`free ${round} ${n}`, 'value'])

  it('calls for other keys of the same tick wait for less than `lockTimeout`, and later calls do not wait', async () => {
    await other.set('stored', 'old')
    await client.query('begin')
    expect(await inTransaction().deleteMany(['stored', 'missing'])).toBe(1)
    const held = Promise.allSettled([other.set('stored', 'new'), other.set('missing', 'new'), other.delete('stored')])
    const since = performance.now()
    await Promise.all(free(0).map(([key, value]) => other.set(key, value)))
    expect(performance.now() - since).toBeLessThan(longWait)
    // The statement for the locked keys is sent after the calls for free rows have resolved.
    await waitUntil('the calls for the locked keys to wait', async () => (await waiting()) > 0)
    // Both keys count as locked by now, so the later batches do not wait for them.
    for (let round = 1; round <= 20; round += 1) {
      await Promise.all(free(round).map(([key, value]) => other.set(key, value)))
      await Promise.all(free(round).map(([key]) => other.increment(`n ${key}`)))
    }
    expect(await waiting()).toBeGreaterThan(0)
    await client.query('commit')
    expect((await held).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
    expect(await other.get('missing')).toBe('new')
  })

  it('a key written in one batch with a locked key is written again while that one still waits', async () => {
    await other.set('stored', 'old')
    await client.query('begin')
    await inTransaction().delete('stored')
    const first = [other.set('stored', 'new'), other.set('hot', '0')]
    let isHeld = true
    const held = Promise.allSettled(first).then((outcomes) => {
      isHeld = false
      return outcomes.map(({ status }) => status)
    })
    for (let round = 1; round <= 5; round += 1) {
      await other.set('hot', `${round}`)
      expect(isHeld).toBe(true)
    }
    await client.query('commit')
    expect(await held).toEqual(['fulfilled', 'fulfilled'])
    expect(await other.getMany(['stored', 'hot'])).toEqual(['new', '5'])
  })

  it('calls for other keys succeed even when `lockTimeout` is longer than `timeout`, and none stays waiting', async () => {
    const backend = new PostgresBackend({ url, table, ...generousLimits, lockTimeout: '60s', timeout: '5s' })
    await backend.set(item('stored', 'old'))
    await client.query('begin')
    await inTransaction().delete('stored')
    const calls = [backend.set(item('stored', 'new')), backend.set(item('free', 'new'))]
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && cacheErrorCode(outcome.reason))).toEqual([
      'TIMEOUT',
      false,
    ])
    expect(await waiting()).toBe(0)
    await backend.close()
  })

  it('many calls for locked keys leave connections and batches to other calls', async () => {
    await client.query('begin')
    await inTransaction().deleteMany(many)
    const held: Promise<unknown>[] = []
    for (const [round, key] of many.entries()) {
      held.push(other.set(key, 'new'))
      await Promise.all(free(round).map(([other_]) => other.get(other_)))
    }
    await waitUntil('the calls for locked keys to wait together', async () => (await waiting()) === 1)
    await Promise.all(free(0).map(([key, value]) => other.set(key, value)))
    await client.query('commit')
    await Promise.all(held)
    expect(await other.getMany(many)).toEqual(many.map(() => 'new'))
  })

  it('`getOrSet` of a deleted key returns the loaded value within twice `lockTimeout` and stores nothing', async () => {
    const lockTimeout = 400
    const backend = new PostgresBackend({ url, table, ...generousLimits, lockTimeout })
    const cache = new Cache<string>({ backend, ttl: '10m' })
    await cache.set('stored', 'old')
    await client.query('begin')
    await inTransaction().deleteMany(['stored', 'missing'])
    expect(await cache.get('stored')).toBe('old')
    const since = performance.now()
    expect(await cache.getOrSet('missing', () => 'loaded')).toBe('loaded')
    expect(await cache.getOrSet('tagged', () => 'loaded', { tags: ['users'] })).toBe('loaded')
    expect(performance.now() - since).toBeLessThan(2 * lockTimeout + slack)
    await client.query('commit')
    expect(await cache.getMany(['stored', 'missing', 'tagged'])).toEqual([undefined, undefined, 'loaded'])
    await cache.close()
  })

  it('a write to a deleted key fails with `TIMEOUT` within twice `lockTimeout`, and works afterwards', async () => {
    const lockTimeout = 400
    const backend = new PostgresBackend({ url, table, ...generousLimits, lockTimeout })
    const cache = new Cache<string>({ backend, ttl: '10m' })
    await client.query('begin')
    await inTransaction().delete('missing')
    const since = performance.now()
    const refused = [cache.set('missing', 'new'), cache.set('missing', 'newer'), cache.increment('missing')]
    const outcomes = await Promise.allSettled(refused)
    expect(performance.now() - since).toBeLessThan(2 * lockTimeout + slack)
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && cacheErrorCode(outcome.reason))).toEqual([
      'TIMEOUT',
      'TIMEOUT',
      'TIMEOUT',
    ])
    await client.query('rollback')
    await cache.set('missing', 'new')
    expect(await cache.get('missing')).toBe('new')
    await cache.close()
  })

  it.each([
    ['two connections of its own', 2],
    ["a pool of the application's", 'pool'],
  ] as const)('reads and writes of other keys continue while calls of all kinds wait, on %s', async (_, kind) => {
    const pool = new pg.Pool({ connectionString: url, max: 2 })
    const source = kind === 'pool' ? { pool } : { url, maxConnections: kind }
    const backend = new PostgresBackend({
      ...source,
      table,
      ...generousLimits,
      timeout: '120s',
      lockTimeout: longWait,
    })
    const cache = new Cache<string>({ backend, ttl: '10m' })
    await Promise.all(many.map((key) => cache.set(key, 'old')))
    await client.query('begin')
    await inTransaction().deleteMany(many)
    const held = many.map((key, n) => {
      if (n % 4 === 0) return cache.set(key, 'new')
      if (n % 4 === 1) return cache.delete(key)
      return n % 4 === 2 ? cache.add(key, 'new') : cache.replace(key, 'new')
    })
    const since = performance.now()
    await Promise.all(free(0).map(([key, value]) => cache.set(key, value)))
    expect(performance.now() - since).toBeLessThan(longWait)
    for (let round = 1; round <= 10; round += 1) {
      await Promise.all(free(round).map(([key, value]) => cache.set(key, value)))
      expect(await cache.getMany(free(round).map(([key]) => key))).toEqual(free(round).map(([, value]) => value))
    }
    await waitUntil('one statement to wait for all', async () => (await waiting()) === 1)
    await client.query('commit')
    await Promise.all(held)
    await cache.close()
    await pool.end()
  })
})
