import { chown, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { freePort } from '../machine/free-port.ts'
import { unprivilegedUser } from '../machine/os-user.ts'
import { requireBinary } from '../machine/require-binary.ts'
import type { Server } from './server.ts'
import { serverDirectory } from './server-directory.ts'
import { ServerProcess } from './server-process.ts'

export interface PgBouncerOptions {
  /** When a server connection goes back to the pool. Default `'transaction'`. */
  readonly poolMode?: 'session' | 'transaction' | 'statement'
  /** Server connections at most, per database. Default 10. */
  readonly poolSize?: number
  /** Further settings of pgbouncer.ini. */
  readonly config?: Readonly<Record<string, string | number>>
}

async function probe(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000, query_timeout: 2_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
  } finally {
    await client.end().catch(() => {})
  }
}

/**
 * Starts a PgBouncer in front of the PostgreSQL server at `target`. Its `url` names the same database; every
 * client connects as the account of `target`. Resolves when it answers a query.
 */
export async function startPgBouncer(target: string, options: PgBouncerOptions = {}): Promise<Server> {
  const file = await requireBinary('pgbouncer')
  const user = await unprivilegedUser()
  const port = await freePort()
  const directory = await serverDirectory('pgbouncer', user)
  const { hostname, port: targetPort, username, pathname } = new URL(target)
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'any',
    pool_mode: options.poolMode ?? 'transaction',
    default_pool_size: options.poolSize ?? 10,
    max_client_conn: 500,
    // pg sends it with every connection, and PgBouncer refuses unknown parameters.
    ignore_startup_parameters: 'extra_float_digits',
    ...options.config,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  const database = `* = host=${hostname} port=${targetPort || 5432} user=${decodeURIComponent(username) || 'postgres'}`
  const configFile = join(directory, 'pgbouncer.ini')
  await writeFile(configFile, `[databases]\n${database}\n\n[pgbouncer]\n${lines.join('\n')}\n`)
  if (user) await chown(configFile, user.uid, user.gid)
  const url = `postgres://postgres@127.0.0.1:${port}${pathname === '/' || pathname === '' ? '/postgres' : pathname}`
  return await ServerProcess.start({
    name: `pgbouncer on port ${port}`,
    command: { file, args: [configFile], directory, logFile: join(directory, 'log'), ...(user ? { user } : {}) },
    url,
    port,
    ready: () => probe(url),
    stopSignal: 'SIGINT',
  })
}
