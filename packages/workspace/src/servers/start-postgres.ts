import { execFile } from 'node:child_process'
import { appendFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { type Certificate, makeCertificate } from '../machine/certificate.ts'
import { freePort } from '../machine/free-port.ts'
import { type OsUser, unprivilegedUser } from '../machine/os-user.ts'
import { requireBinary } from '../machine/require-binary.ts'
import type { Server } from './server.ts'
import { serverDirectory } from './server-directory.ts'
import { ServerProcess } from './server-process.ts'

export interface PostgresOptions {
  /** Settings of postgresql.conf: `{ max_connections: 10 }`. */
  readonly config?: Readonly<Record<string, string | number | boolean>>
  /**
   * Whether a commit reaches the disk before it is acknowledged. Default false, which is faster and loses nothing when
   * the server is killed, only when the machine loses its power.
   */
  readonly durable?: boolean
  /** Offer TLS, on a certificate made for this server. Default false. */
  readonly tls?: boolean
  /** Default: a free one. */
  readonly port?: number
}

export interface PostgresServer extends Server {
  /** With `tls`. */
  readonly certificate?: Certificate
}

const run = promisify(execFile)
const probeTimeout = 2_000

function asUser(user: OsUser | undefined): { uid?: number; gid?: number } {
  return user ? { uid: user.uid, gid: user.gid } : {}
}

/**
 * Resolves to a data folder made by `initdb`. `initdb` takes more than a second and always gives the same result, so it
 * runs once for each machine and version; every server gets a copy.
 */
async function template(initdb: string, user: OsUser | undefined): Promise<string> {
  const { stdout } = await run(initdb, ['--version'])
  const version = stdout.match(/\d+(\.\d+)*/)?.[0] ?? 'unknown'
  const owner = user ?? userInfo()
  const folder = join(tmpdir(), `cache-testing-postgres-${version}-${owner.uid}`)
  const found = await stat(folder).catch(() => undefined)
  // Every account of the machine knows the name, so a folder of another account is not trusted.
  if (found && found.uid !== owner.uid) throw new Error(`${folder} belongs to another account (uid ${found.uid})`)
  if (found) return folder
  const fresh = await serverDirectory('initdb', user)
  const data = join(fresh, 'data')
  const args = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']
  await run(initdb, args, { cwd: fresh, ...asUser(user) })
  // Two runs may make it at once: the first rename succeeds, and the folder of the other run is removed.
  await rename(data, folder).catch(() => {})
  await rm(fresh, { recursive: true, force: true })
  return folder
}

function settings(options: PostgresOptions, port: number, directory: string, certificate?: Certificate): string {
  const durable = options.durable === true
  const all = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: directory,
    fsync: durable,
    full_page_writes: durable,
    ...(certificate
      ? { ssl: true, ssl_cert_file: certificate.certificateFile, ssl_key_file: certificate.keyFile }
      : {}),
    ...options.config,
  }
  const lines = Object.entries(all).map(([name, value]) => {
    if (typeof value === 'boolean') return `${name} = ${value ? 'on' : 'off'}`
    return `${name} = ${typeof value === 'number' ? value : `'${value.replaceAll("'", "''")}'`}`
  })
  return `\n${lines.join('\n')}\n`
}

async function probe(url: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: probeTimeout,
    query_timeout: probeTimeout,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
  } finally {
    await client.end().catch(() => {})
  }
}

/**
 * Starts a PostgreSQL server on a loopback port, in a temporary folder of its own, with the superuser `postgres` and no
 * password. As root it runs as another account, because PostgreSQL refuses to run as root. Resolves when it answers.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const initdb = await requireBinary('initdb')
  // From the folder of `initdb`, because a data folder belongs to one version.
  const file = join(dirname(initdb), 'postgres')
  const user = await unprivilegedUser()
  const source = await template(initdb, user)
  const port = options.port ?? (await freePort())
  const directory = await serverDirectory('postgres', user)
  const data = join(directory, 'data')
  await run('cp', ['-a', source, data], asUser(user))
  const certificate = options.tls ? await makeCertificate(directory, user) : undefined
  await appendFile(join(data, 'postgresql.conf'), settings(options, port, directory, certificate))
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const server = await ServerProcess.start({
    name: `postgres on port ${port}`,
    command: { file, args: ['-D', data], directory, logFile: join(directory, 'log'), ...(user ? { user } : {}) },
    url,
    port,
    ready: () => probe(url),
    // Fast shutdown: sessions are ended, not waited for.
    stopSignal: 'SIGINT',
  })
  return Object.assign(server, certificate ? { certificate } : {})
}
