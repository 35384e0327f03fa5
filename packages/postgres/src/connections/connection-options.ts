import { CacheError, type Duration, invalidArgument, wholeNumber } from '@cache/core/backend'
import { checkDuration, checkFlag, checkObject, secretArgument } from '../option-checks.ts'
import { checkConnectionString, checkPort, checkUrl } from './check-url.ts'
import type { PgClient, PgClientOptions, PgPool } from './pg-shapes.ts'

/** The source of the connections: exactly one of `url`, `pool`, `client`, or `options` alone. */
export interface ConnectionOptions {
  /**
   * `postgres://user:password@host:5432/database?sslmode=verify-full`. Connections from a URL are opened and closed
   * here.
   */
  readonly url?: string | undefined
  /** The options of a client of `pg`: `host`, `user`, `ssl`, … Alone, or with `url`: then they override the URL. */
  readonly options?: PgClientOptions | undefined
  /** The application's `pg.Pool`. The application closes it. */
  readonly pool?: PgPool | undefined
  /** A connected client of the application, which runs all statements in turn. The application closes it. */
  readonly client?: PgClient | undefined
  /** The largest number of connections that are opened here. Default 10; 2 with `pipeline`. */
  readonly maxConnections?: number | undefined
  /**
   * Whether each connection prepares a statement once and then sends its name. Default true. Turn it off behind a
   * pooler that shares connections between transactions (PgBouncer in transaction mode).
   */
  readonly prepare?: boolean | undefined
  /** Whether a connection sends the next statement before the previous reply has come. Default false. */
  readonly pipeline?: boolean | undefined
  /** The longest time that connecting may take. Default `'1s'`. */
  readonly connectTimeout?: Duration | undefined
  /** The longest time that a call may take, including the wait for a connection. Default `'2s'`. */
  readonly timeout?: Duration | undefined
  /**
   * The longest time that a write waits for a row that another transaction has locked. Default a quarter of `timeout`,
   * at most `timeout`.
   */
  readonly lockTimeout?: Duration | undefined
}

/** The options with their defaults filled in. */
export interface ResolvedConnections {
  readonly url: string | undefined
  readonly options: PgClientOptions | undefined
  readonly pool: PgPool | undefined
  readonly client: PgClient | undefined
  readonly maxConnections: number
  readonly prepare: boolean
  readonly pipeline: boolean
  readonly connectTimeout: number
  readonly timeout: number
  readonly lockTimeout: number
}

export const connectionOptionNames: readonly string[] = [
  'url',
  'options',
  'pool',
  'client',
  'maxConnections',
  'prepare',
  'pipeline',
  'connectTimeout',
  'timeout',
  'lockTimeout',
]

/** Checks the options and fills in the defaults. Throws `INVALID_ARGUMENT`. */
export function resolveConnections(given: ConnectionOptions, method: string): ResolvedConnections {
  const { url, pool, client, options } = given
  checkSource(given, method)
  const pipeline = checkFlag(given.pipeline, false, 'pipeline', method)
  if (pipeline && (pool ?? client) !== undefined) {
    throw invalidArgument('pipeline', true, 'false for an injected pool or client', method)
  }
  const timeout = checkDuration(given.timeout ?? 2000, 'timeout', method)
  const lockTimeout = checkDuration(given.lockTimeout ?? Math.ceil(timeout / 4), 'lockTimeout', method)
  return {
    url: url === undefined ? undefined : checkUrl(url, method),
    options: options === undefined ? undefined : checkClientOptions(options, method),
    pool,
    client,
    maxConnections: wholeNumber(given.maxConnections ?? (pipeline ? 2 : 10), 'maxConnections', method, 1, 1000),
    prepare: checkFlag(given.prepare, true, 'prepare', method),
    pipeline,
    connectTimeout: checkDuration(given.connectTimeout ?? 1000, 'connectTimeout', method),
    timeout,
    // A call ends with `timeout`, so a longer wait for a row has no effect.
    lockTimeout: Math.min(lockTimeout, timeout),
  }
}

function checkSource({ url, pool, client, options }: ConnectionOptions, method: string): void {
  const injected = [pool, client].filter((source) => source !== undefined).length
  const own = url !== undefined || options !== undefined ? 1 : 0
  if (injected + own !== 1) {
    throw new CacheError(
      'INVALID_ARGUMENT',
      `${method}: give exactly one of 'url', 'pool', 'client', or 'options' alone; 'options' may refine 'url'`,
      { operation: method },
    )
  }
  if (pool !== undefined && typeof pool?.connect !== 'function') {
    throw secretArgument('pool', pool, 'a pool of pg', method)
  }
  if (client !== undefined) checkClient(client, method)
}

/** A pool has a `query` too, but each of its statements takes another connection and is in no transaction. */
export function checkClient(client: PgClient, method: string): PgClient {
  if (typeof client?.query !== 'function' || 'totalCount' in client) {
    throw secretArgument('client', client, 'a client of pg', method)
  }
  return client
}

/** Checks the members whose faults would appear late, or with a secret in the message. */
function checkClientOptions(options: PgClientOptions, method: string): PgClientOptions {
  checkObject(options, 'options', method)
  const { connectionString, password, port } = options
  if (connectionString !== undefined) checkConnectionString(connectionString, method)
  checkPort(port, 'options', method)
  const kind = typeof password
  if (password !== undefined && password !== null && kind !== 'string' && kind !== 'function') {
    throw secretArgument('options.password', password, 'a string or a function', method)
  }
  return options
}
