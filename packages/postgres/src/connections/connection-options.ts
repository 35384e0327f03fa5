import { CacheError, type Duration, invalidArgument, nonEmptyString, wholeNumber } from '@cache/core/backend'
import { checkDuration, checkFlag } from '../option-checks.ts'
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
    options,
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
    throw invalidArgument('pool', pool, 'a pool of pg', method)
  }
  if (client !== undefined) checkClient(client, method)
}

/** A pool has a `query` too, but each of its statements takes another connection and is in no transaction. */
export function checkClient(client: PgClient, method: string): PgClient {
  if (typeof client?.query !== 'function' || 'totalCount' in client) {
    throw invalidArgument('client', client, 'a client of pg', method)
  }
  return client
}

function checkUrl(url: string, method: string): string {
  if (!/^postgres(ql)?:\/\//.test(nonEmptyString(url, 'url', method))) {
    // The URL may hold a password, so the message does not repeat it.
    throw invalidArgument('url', 'something else', "a URL that begins with 'postgres://'", method)
  }
  return url
}
