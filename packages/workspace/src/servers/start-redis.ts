import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Certificate, makeCertificate } from '../machine/certificate.ts'
import { freePort } from '../machine/free-port.ts'
import { requireBinary } from '../machine/require-binary.ts'
import { probeRedis } from './probe-redis.ts'
import type { Server } from './server.ts'
import { serverDirectory } from './server-directory.ts'
import { ServerProcess } from './server-process.ts'

export interface RedisOptions {
  /**
   * Lines of redis.conf by directive: `{ maxmemory: '2mb', 'maxmemory-policy': 'noeviction' }`; an array repeats the
   * directive. Default: no snapshots and no append-only file, so that `restart()` finds an empty server.
   */
  readonly config?: Readonly<Record<string, string | number | readonly string[]>>
  /** Password of the default user. */
  readonly password?: string
  /** ACL rules, one user each: `['reader on >secret ~app:* +@read']`. */
  readonly users?: readonly string[]
  /** Listen with TLS alone, on a certificate made for this server. Default false. */
  readonly tls?: boolean
  /** Listen on a Unix socket besides the port. Default false. */
  readonly unixSocket?: boolean
  /** Start as a sentinel. Default false. */
  readonly sentinel?: boolean
  /** Default: a free one. */
  readonly port?: number
}

export interface RedisServer extends Server {
  /** With `tls`. */
  readonly certificate?: Certificate
  /** Path of the Unix socket, with `unixSocket`. */
  readonly unixSocket?: string
}

function configText(config: Readonly<Record<string, string | number | readonly string[]>>): string {
  const lines: string[] = []
  for (const [directive, value] of Object.entries(config)) {
    for (const one of Array.isArray(value) ? value : [value]) lines.push(`${directive} ${one === '' ? '""' : one}`)
  }
  return `${lines.join('\n')}\n`
}

function listening(port: number, certificate: Certificate | undefined): Record<string, string | number> {
  if (!certificate) return { port }
  return {
    port: 0,
    'tls-port': port,
    'tls-cert-file': certificate.certificateFile,
    'tls-key-file': certificate.keyFile,
    'tls-ca-cert-file': certificate.certificateFile,
    'tls-auth-clients': 'no',
    'tls-replication': 'yes',
  }
}

function urlOf(port: number, options: RedisOptions): string {
  const password = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`
  return `${options.tls ? 'rediss' : 'redis'}://${password}127.0.0.1:${port}`
}

/** Starts a Redis server on a loopback port, in a temporary folder of its own. Resolves when it answers. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const file = await requireBinary('redis-server')
  const port = options.port ?? (await freePort())
  const directory = await serverDirectory('redis')
  const certificate = options.tls ? await makeCertificate(directory) : undefined
  const unixSocket = options.unixSocket ? join(directory, 'redis.sock') : undefined
  const persistence = options.sentinel ? {} : { save: '', appendonly: 'no' }
  const config = {
    bind: '127.0.0.1',
    ...listening(port, certificate),
    ...(unixSocket === undefined ? {} : { unixsocket: unixSocket }),
    dir: directory,
    daemonize: 'no',
    ...persistence,
    ...(options.password === undefined ? {} : { requirepass: JSON.stringify(options.password) }),
    ...(options.users === undefined ? {} : { user: options.users }),
    ...options.config,
  }
  const configFile = join(directory, 'redis.conf')
  await writeFile(configFile, configText(config))
  const logFile = join(directory, 'log')
  const args = options.sentinel ? [configFile, '--sentinel'] : [configFile]
  const server = await ServerProcess.start({
    name: `redis-server on port ${port}`,
    command: { file, args, directory, logFile },
    url: urlOf(port, options),
    port,
    ready: () => probeRedis(port, options.tls === true),
    stopSignal: 'SIGTERM',
  })
  return Object.assign(server, certificate ? { certificate } : {}, unixSocket === undefined ? {} : { unixSocket })
}
