import { frame } from '@cache/codecs'
import type { CacheBackend } from '@cache/core/backend'
import { createMovableClock, type Damage, type Harness, type Means } from '@cache/core/conformance'
import { type TcpProxy, tcpProxy, waitUntil } from '@cache/workspace'
import pg from 'pg'
import { PostgresBackend, type PostgresBackendOptions } from '../../src/index.ts'

let count = 0
const longTimeout = 15_000
const shortTimeout = 1000
const patience = { timeout: 30_000 }

function answers(backend: CacheBackend): Promise<boolean> {
  return backend.get('none').then(
    () => true,
    () => false,
  )
}

export interface PostgresHarnessOptions {
  readonly name: string
  /** URL of the server. */
  readonly url: string
  readonly options?: Partial<PostgresBackendOptions>
  /** Whether lifetimes follow a clock of the test; else the server's clock. */
  readonly withClock?: boolean
  /** Restarts the server with its data. */
  readonly restart?: () => Promise<void>
  readonly failureBound?: number
}

/** Each rule has a table of its own, and reaches the server through a proxy that can be cut. */
export function postgresHarness(given: PostgresHarnessOptions): Harness {
  const { name, url, options, withClock, restart, failureBound = 3000 } = given
  const clock = withClock ? createMovableClock() : undefined
  let proxy: TcpProxy | undefined
  let table = ''
  let admin: pg.Pool | undefined
  const clients: pg.Client[] = []

  const query = async (text: string, values: unknown[] = []): Promise<pg.QueryResult> => {
    if (admin === undefined) {
      admin = new pg.Pool({ connectionString: url, max: 1 })
      admin.on('error', () => {})
    }
    return await admin.query(text, values)
  }
  /** The `key` column of a short key. */
  const stored = (key: string): string => (options?.prefix === undefined ? key : `${options.prefix}\\/${key}`)
  // Short only where a rule breaks the server: elsewhere a slow machine must not look like a broken backend.
  let timeout = longTimeout
  const begin = async (means: readonly Means[] = []): Promise<void> => {
    timeout = means.includes('break') || means.includes('freeze') ? shortTimeout : longTimeout
    count += 1
    table = `suite "${process.pid}" ${count}`
    proxy ??= await tcpProxy(url)
  }
  const own = (): Partial<PostgresBackendOptions> => ({
    timeout,
    connectTimeout: timeout,
    table,
    ...(clock ? { clock } : {}),
    ...options,
  })
  const open = (more: Partial<PostgresBackendOptions> = {}): CacheBackend =>
    new PostgresBackend({ url: proxy?.url ?? url, ...own(), ...more })
  const quoted = (): string => pg.escapeIdentifier(table)

  return {
    name,
    values: 'copies',
    ...(clock ? { clock } : {}),
    async open(means) {
      await begin(means)
      const backend = open()
      // A new table and a new connection may take longer than a short limit on a busy machine.
      if (timeout === shortTimeout) await waitUntil('the table and a connection', () => answers(backend), patience)
      return backend
    },
    openSecond: () => open(),
    openOther: () => open({ prefix: 'other' }),
    async openMany(many) {
      await begin()
      return Array.from({ length: many }, () => open())
    },
    async openLimited(maxEntries) {
      await begin()
      return open({ maxEntries })
    },
    async openInjected() {
      await begin()
      const pool = new pg.Pool({ connectionString: url })
      return {
        // `pipeline` is refused for an injected pool.
        backend: new PostgresBackend({ pool, ...own(), pipeline: false }),
        works: async () => {
          await pool.query('select 1')
        },
        end: () => pool.end(),
      }
    },
    async beginTransaction() {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      clients.push(client)
      await client.query('begin')
      return {
        transaction: client,
        commit: async () => {
          await client.query('commit')
        },
        rollBack: async () => {
          await client.query('rollback')
        },
      }
    },
    async corrupt(key, damage) {
      const damaged = { garbage: "'\\xff007b31'", truncated: 'substr(value, 1, 6)', empty: "''" } satisfies Record<
        Damage,
        string
      >
      await query(`update ${quoted()} set value = ${damaged[damage]} where key = $1`, [stored(key)])
    },
    async futureFormat(key) {
      await query(`update ${quoted()} set value = set_byte(value, 0, ${frame.formatVersion + 1}) where key = $1`, [
        stored(key),
      ])
    },
    ...(restart === undefined
      ? {}
      : {
          reopen: async () => {
            await admin?.end()
            admin = undefined
            await restart()
            return open()
          },
        }),
    break: () => proxy?.cut(),
    heal: () => proxy?.heal(),
    freeze: () => proxy?.swallowReplies(),
    thaw: () => proxy?.heal(),
    failureBound,
    without: {
      reopen: 'another run restarts the server',
      clock: "lifetimes follow the server's clock; another run injects a clock",
    },
    async dispose() {
      for (const client of clients.splice(0)) await client.end()
      await proxy?.stop()
      proxy = undefined
      await query(`drop table if exists ${quoted()}`)
      await admin?.end()
      admin = undefined
    },
  }
}
