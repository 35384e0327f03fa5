import { type CacheBackend, cacheErrorCode, type Item } from '@cache/core/backend'
import { startPostgres, tcpProxy, waitUntil } from '@cache/workspace'
import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { PostgresBackend, type PostgresBackendOptions } from '../../src/index.ts'
import { generousLimits } from '../generous-limits.ts'
import { item } from '../items.ts'
import { seed, seededRandom } from '../seeded-random.ts'
import { tableName } from '../table-name.ts'

// Acknowledged writes must survive a kill, so this server writes through to the disk.
const server = await startPostgres({ durable: true, config: { max_connections: 30 } })
afterAll(() => server.stop())

/** Milliseconds of a call on a connection that is open. Calls that must succeed on a new one get generous limits. */
const timeout = 3000
/** The longest time of a call: its time-out, and the delays of a busy event loop. */
const bound = timeout + 1500

interface Opened {
  readonly backend: PostgresBackend
  close(): Promise<void>
}

type Open = (url: string, options?: Partial<PostgresBackendOptions>) => Opened

const kinds: readonly [string, Open][] = [
  ['own connections', (url, options) => own(url, options)],
  ['a pipelining connection', (url, options) => own(url, { pipeline: true, ...options })],
  [
    "the application's pool",
    (url, options) => {
      const pool = new pg.Pool({ connectionString: url, max: 5 })
      const backend = new PostgresBackend({ pool, table: tableName(), timeout, ...options } as PostgresBackendOptions)
      return {
        backend,
        close: async () => {
          await backend.close()
          await pool.end()
        },
      }
    },
  ],
]

function own(url: string, options: Partial<PostgresBackendOptions> = {}): Opened {
  const made = { url, table: tableName(), timeout, connectTimeout: 2000, ...options }
  const backend = new PostgresBackend(made as PostgresBackendOptions)
  return { backend, close: () => backend.close() }
}

interface Outcome {
  readonly code: string
  readonly ms: number
}

async function outcome(call: Promise<unknown>): Promise<Outcome> {
  const began = performance.now()
  const code = await call.then(
    () => 'resolved',
    (error) => cacheErrorCode(error) ?? String(error),
  )
  return { code, ms: performance.now() - began }
}

/** The outcomes of one call of each kind, made at once. */
async function everything(backend: PostgresBackend): Promise<Outcome[]> {
  const walk = async (): Promise<void> => {
    for await (const _ of backend.keys()) return
  }
  return await Promise.all([
    outcome(backend.get('k')),
    outcome(backend.getMany(['k', 'l'])),
    outcome(backend.set(item('k', 1))),
    outcome(backend.setMany([item('k', 1), item('l', 1)])),
    outcome(backend.delete('m')),
    outcome(backend.compareAndSet('s', undefined, item('s', 1))),
    outcome(backend.increment('n', 1)),
    outcome(backend.clear('nothing')),
    outcome(walk()),
    outcome(backend.stats()),
  ])
}

/** Resolves when the table and a connection exist, and the item is stored. */
async function store(backend: CacheBackend, stored: Item): Promise<void> {
  await waitUntil('the item to be stored', async () => (await outcome(backend.set(stored))).code === 'resolved')
}

async function works(backend: CacheBackend): Promise<boolean> {
  const one = item('works', Math.random())
  return (await outcome(backend.set(one))).code === 'resolved' && (await backend.get('works'))?.value === one.value
}

describe.each(kinds)('on %s', (_, open) => {
  it('every call to a frozen server ends within its time-out, and all work after the thaw', async () => {
    const { backend, close } = open(server.url)
    const kept = item('kept', { some: 'value' })
    await store(backend, kept)
    await server.freeze()
    for (let round = 0; round < 2; round += 1) {
      for (const { code, ms } of await everything(backend)) {
        expect(['TIMEOUT', 'UNAVAILABLE']).toContain(code)
        expect(ms).toBeLessThan(bound)
      }
    }
    await server.thaw()
    await waitUntil('the backend to work again', () => works(backend))
    expect(await backend.get('kept')).toEqual(kept)
    await close()
  })

  it('a killed server fails calls at once, loses no acknowledged write, and serves again after a restart', async () => {
    const { backend, close } = open(server.url)
    await store(backend, item('first', 1))
    const items = Array.from({ length: 50 }, (_, n) => item(`k${n}`, n))
    await Promise.all(items.map((one) => backend.set(one)))
    await server.kill()
    await waitUntil('the connections to be lost', async () => (await outcome(backend.get('k'))).code !== 'resolved')
    for (const { code, ms } of await everything(backend)) {
      expect(code).toBe('UNAVAILABLE')
      expect(ms).toBeLessThan(bound)
    }
    await server.restart()
    await waitUntil('the backend to work again', () => works(backend))
    expect(await backend.getMany(items.map(({ key }) => key))).toEqual(items)
    await close()
  })

  it('a restart between two calls fails neither', async () => {
    const { backend, close } = open(server.url, generousLimits)
    const one = item('k', 1)
    await backend.set(one)
    await server.restart()
    expect(await backend.get('k')).toEqual(one)
    await close()
  })

  it('connections that an administrator ends are replaced', async () => {
    const { backend, close } = open(server.url, generousLimits)
    await Promise.all(Array.from({ length: 20 }, (_, n) => backend.set(item(`k${n}`, n))))
    const admin = new pg.Client(server.url)
    await admin.connect()
    await admin.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and usename is not null',
    )
    await waitUntil('the backend to work again', () => works(backend))
    await admin.end()
    await close()
  })

  it('a call waits for a slow server up to its time-out', async () => {
    await using proxy = await tcpProxy(server.url)
    const { backend, close } = open(proxy.url)
    await store(backend, item('k', 1))
    proxy.delay(100)
    for (const { code } of await everything(backend)) expect(code).toBe('resolved')
    proxy.delay(2 * timeout)
    const slow = await outcome(backend.get('k'))
    expect(slow.code).toBe('TIMEOUT')
    expect(slow.ms).toBeLessThan(bound)
    proxy.heal()
    await waitUntil('the backend to work again', () => works(backend))
    await close()
  })

  it('a block of our own event loop never looks like a dead server', async () => {
    const { backend, close } = open(server.url)
    await store(backend, item('k', 1))
    const lost: unknown[] = []
    backend.listen((event) => lost.push(event))
    const calls = [outcome(backend.get('k')), outcome(backend.set(item('l', 1))), outcome(backend.increment('n', 1))]
    // Lets the statements leave, then blocks the event loop until every time-out has long passed.
    await new Promise((resolve) => setImmediate(resolve))
    const end = performance.now() + 1.5 * timeout
    while (performance.now() < end);
    expect((await Promise.all(calls)).map(({ code }) => code)).toEqual(['resolved', 'resolved', 'resolved'])
    expect(lost).toEqual([])
    await close()
  })

  it('a block of our own event loop takes no time from calls that wait for their batch', async () => {
    const { backend, close } = open(server.url)
    await store(backend, item('k', 1))
    // More items than the first batches take.
    const items = Array.from({ length: 3000 }, (_, n) => item(`k${n}`, n))
    const calls = Promise.all([
      outcome(backend.setMany(items)),
      ...items.slice(0, 20).map(({ key }) => outcome(backend.increment(`n ${key}`, 1))),
    ])
    await new Promise((resolve) => setImmediate(resolve))
    const end = performance.now() + 1.5 * timeout
    while (performance.now() < end);
    expect(new Set((await calls).map(({ code }) => code))).toEqual(new Set(['resolved']))
    await close()
  })

  it('a lost reply never makes a counter count twice', async () => {
    await using proxy = await tcpProxy(server.url)
    const { backend, close } = open(proxy.url)
    await store(backend, item('k', 1))
    expect(await backend.increment('n', 1)).toBe(1)
    proxy.swallowReplies()
    expect((await outcome(backend.increment('n', 1))).code).toBe('TIMEOUT')
    proxy.heal()
    await waitUntil('the backend to work again', () => works(backend))
    // The server had counted, and the step was not sent again.
    expect((await backend.get('n'))?.value).toBe(2)
    await close()
  })

  it(`connections cut under load cause no wrong read and lose no acknowledged step (seed ${seed})`, async () => {
    const random = seededRandom(seed)
    await using proxy = await tcpProxy(server.url)
    const { backend, close } = open(proxy.url)
    let acknowledged = 0
    let unknown = 0
    const wrong: unknown[] = []
    let isOver = false
    const worker = async (id: number): Promise<void> => {
      for (let n = 0; !isOver; n += 1) {
        const counted = await outcome(backend.increment('sum', 1))
        if (counted.code === 'resolved') acknowledged += 1
        else unknown += 1
        const written = await outcome(backend.set(item(`own${id}`, n)))
        if (written.code !== 'resolved') continue
        const read = await backend.get(`own${id}`).catch(() => undefined)
        if (read !== undefined && read.value !== n) wrong.push([id, n, read.value])
      }
    }
    const workers = Array.from({ length: 10 }, (_, id) => worker(id))
    for (let round = 0; round < 8; round += 1) {
      const before = acknowledged
      await waitUntil('some acknowledged steps', async () => acknowledged > before + 5)
      const trouble = (['drop', 'cut', 'swallowReplies'] as const)[Math.floor(random() * 3)] ?? 'drop'
      proxy[trouble]()
      if (trouble !== 'drop') {
        const lost = unknown
        await waitUntil('a failed step', async () => unknown > lost)
        proxy.heal()
      }
    }
    isOver = true
    await Promise.all(workers)
    await waitUntil('the backend to work again', () => works(backend))
    const sum = (await backend.get('sum'))?.value as number
    expect(wrong).toEqual([])
    expect(sum).toBeGreaterThanOrEqual(acknowledged)
    expect(sum).toBeLessThanOrEqual(acknowledged + unknown)
    await close()
  }, 60_000)

  it('a server without free connections is `UNAVAILABLE` to a new backend until some are free', async () => {
    const { backend, close } = open(server.url, { connectTimeout: 2000 })
    const clients: pg.Client[] = []
    for (;;) {
      const client = new pg.Client(server.url)
      client.on('error', () => {})
      try {
        await client.connect()
      } catch {
        break
      }
      clients.push(client)
    }
    // The connections reserved for superusers are taken too.
    const refused = await outcome(backend.get('k'))
    expect(refused.code).toBe('UNAVAILABLE')
    expect(refused.ms).toBeLessThan(1000)
    await Promise.all(clients.map((client) => client.end()))
    await waitUntil('the backend to work', () => works(backend))
    await close()
  })
})

it("every call on the application's client ends within its time-out while the server is frozen", async () => {
  const client = new pg.Client(server.url)
  await client.connect()
  const backend = new PostgresBackend({ client, table: tableName(), timeout })
  await store(backend, item('k', 1))
  await server.freeze()
  for (const { code, ms } of await everything(backend)) {
    expect(code).toBe('TIMEOUT')
    expect(ms).toBeLessThan(bound)
  }
  await server.thaw()
  await waitUntil('the backend to work again', () => works(backend))
  await backend.close()
  await client.end()
})

it('a backend with one connection continues to work when the server grants no more', async () => {
  const { backend, close } = own(server.url, generousLimits)
  await backend.set(item('k', 'there'))
  const clients: pg.Client[] = []
  for (;;) {
    const client = new pg.Client(server.url)
    client.on('error', () => {})
    if ((await outcome(client.connect())).code !== 'resolved') break
    clients.push(client)
  }
  const calls = Array.from({ length: 20 }, async () => (await backend.get('k'))?.value)
  const others = [outcome(backend.set(item('l', 1))), outcome(backend.increment('n', 1)), outcome(backend.delete('m'))]
  expect(await Promise.all(calls)).toEqual(Array(20).fill('there'))
  expect((await Promise.all(others)).map(({ code }) => code)).toEqual(['resolved', 'resolved', 'resolved'])
  await Promise.all(clients.map((client) => client.end()))
  await close()
})

it('a connection whose session refuses the settings is closed', async () => {
  const admin = new pg.Client({ connectionString: server.url })
  await admin.connect()
  await admin.query(`create role refused login`)
  await admin.query(`create schema refusing; grant usage on schema refusing to refused`)
  await admin.query(`create function refusing.set_config(text, text, boolean) returns text
    language plpgsql as $$ begin raise 'refused'; end $$`)
  await admin.query('alter role refused set search_path = refusing, pg_catalog')
  const url = new URL(server.url)
  url.username = 'refused'
  const { backend, close } = own(url.href, { migrate: false, ...generousLimits })
  for (let round = 0; round < 3; round += 1) expect((await outcome(backend.get('k'))).code).toBe('BACKEND_FAILURE')
  await waitUntil('all connections to close', async () => {
    const { rows } = await admin.query(`select 1 from pg_stat_activity where usename = 'refused'`)
    return rows.length === 0
  })
  await close()
  await admin.end()
})

it('`close` does not wait for a frozen server', async () => {
  for (const pipeline of [false, true]) {
    const { backend } = own(server.url, { pipeline })
    await store(backend, item('k', 1))
    await server.freeze()
    const { ms } = await outcome(backend.close())
    await server.thaw()
    expect(ms).toBeLessThan(3000)
  }
})

it('a read-only server refuses writes with `READ_ONLY` and serves reads', async () => {
  const table = tableName()
  const writable = own(server.url, { table, ...generousLimits })
  await writable.backend.set(item('k', 1))
  await writable.close()
  const url = new URL(server.url)
  url.searchParams.set('options', '-c default_transaction_read_only=on')
  const { backend, close } = own(url.href, { table, ...generousLimits })
  expect((await backend.get('k'))?.value).toBe(1)
  for (const call of [backend.set(item('k', 2)), backend.delete('k'), backend.increment('n', 1)]) {
    expect((await outcome(call)).code).toBe('READ_ONLY')
  }
  await close()
})

it('a lost idle connection causes an event and fails no call', async () => {
  const { backend, close } = own(server.url, generousLimits)
  await backend.set(item('k', 1))
  const reported: string[] = []
  backend.listen((event) => reported.push(event.type === 'error' ? event.error.code : event.type))
  await server.restart()
  await waitUntil('an event', async () => reported.length > 0)
  expect(new Set(reported)).toEqual(new Set(['UNAVAILABLE']))
  expect((await backend.get('k'))?.value).toBe(1)
  await close()
})

it('a server without memory refuses writes with `OUT_OF_MEMORY`, loses nothing, and recovers', async () => {
  // The server has a small table of locks, and a write needs an entry in it.
  const small = await startPostgres({ config: { max_connections: 10, max_locks_per_transaction: 10 } })
  const hog = new pg.Client(small.url)
  await hog.connect()
  const { backend, close } = own(small.url, generousLimits)
  await backend.setMany([item('k', 'there'), item('n', 5)])
  // Session locks stay even though the statement fails.
  const full = await outcome(hog.query('select pg_advisory_lock(n) from generate_series(1, 1000000) n'))
  expect(full.code).toMatch(/out of shared memory/)
  const refused = await Promise.all([
    outcome(backend.set(item('k', 'new'))),
    outcome(backend.increment('n', 1)),
    outcome(backend.delete('k')),
    outcome(backend.setMany([item('a', 1), item('b', 2)])),
  ])
  expect(refused.map(({ code }) => code)).toEqual(Array(4).fill('OUT_OF_MEMORY'))
  await hog.query('select pg_advisory_unlock_all()')
  expect((await backend.getMany(['k', 'n'])).map((found) => found?.value)).toEqual(['there', 5])
  expect(await works(backend)).toBe(true)
  expect(await backend.increment('n', 1)).toBe(6)
  await close()
  await hog.end()
  await small.stop()
})
