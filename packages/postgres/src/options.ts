import { type ItemFormatOptions, itemFormatOptionNames } from '@cache/codecs'
import {
  CacheError,
  type Clock,
  checkOptions,
  type Duration,
  invalidArgument,
  milliseconds,
  nonEmptyString,
  wholeNumber,
} from '@cache/core/backend'
import type { ClientBase, ClientConfig, Pool } from 'pg'
import type { SchemaOptions } from './table/schema.ts'

/** Where the connections come from: exactly one of `url`, `pool`, `client`, or `options` alone. */
export interface ConnectionOptions {
  /** `postgres://user:password@host:5432/database?sslmode=verify-full`. The backend opens and closes its own connections. */
  readonly url?: string
  /** What `pg` takes for a client: `host`, `user`, `ssl`, … Alone, or beside `url`, over which they stand. */
  readonly options?: ClientConfig
  /** A pool of the application's. It is never closed here. */
  readonly pool?: Pool
  /** A connected client of the application's, on which everything runs in turn. It is never closed here. */
  readonly client?: ClientBase
  /** Connections of its own at most. Default 10, with `pipeline` 2. */
  readonly maxConnections?: number
  /**
   * Whether statements are prepared once per connection and sent by name. Default true. Turn it off behind a pooler that
   * shares connections between transactions (PgBouncer in transaction mode).
   */
  readonly prepare?: boolean
  /** Own connections send the next statement before the answer to the last has come. Default false. */
  readonly pipeline?: boolean
  /** The longest that connecting may take. Default `'1s'`. */
  readonly connectTimeout?: Duration
  /** The longest that a call may take, the wait for a connection included. Default `'2s'`. */
  readonly timeout?: Duration
  /** The longest that a write waits for a row which another transaction has locked; `timeout` at most. Default a quarter of it. */
  readonly lockTimeout?: Duration
}

export interface PostgresBackendOptions extends ConnectionOptions, SchemaOptions, ItemFormatOptions {
  /** In front of every key, so that several backends may share a table. Default none. At most 100 characters. */
  readonly prefix?: string
  /** Whether the table is made or brought up to date before the first use. Default true. */
  readonly migrate?: boolean
  /** Entries under this prefix at most; beyond it the oldest of a sample are removed. Default: no limit. */
  readonly maxEntries?: number
  /** Bytes of keys and values under this prefix at most; beyond it the oldest of a sample are removed. Default: no limit. */
  readonly maxBytes?: number
  /** For tests. Default: the server's clock rules. */
  readonly clock?: Clock
}

export interface PostgresBusOptions
  extends Omit<ConnectionOptions, 'client' | 'pipeline' | 'maxConnections' | 'lockTimeout'> {
  /** The name that LISTEN and NOTIFY are given. Buses with different channels do not hear each other. Default `'cache'`. */
  readonly channel?: string
  /** How often a listening connection is tried out. Default `'5s'`. */
  readonly heartbeat?: Duration
}

export interface ResolvedBusOptions {
  readonly connections: ResolvedConnections
  readonly channel: string
  readonly heartbeat: number
}

const busNames = ['url', 'options', 'pool', 'prepare', 'connectTimeout', 'timeout', 'channel', 'heartbeat']

/** Checks the options of a bus and fills in the defaults. Throws `INVALID_ARGUMENT`. */
export function resolveBusOptions(options: PostgresBusOptions): ResolvedBusOptions {
  const by = 'PostgresBus'
  checkOptions(options, busNames, by)
  return {
    connections: resolveConnections(options, by),
    channel: identifier(options.channel ?? 'cache', 'channel', by),
    heartbeat: span(options.heartbeat ?? 5000, 'heartbeat', by),
  }
}

/** The options with every default in its place. */
export interface ResolvedOptions {
  readonly connections: ResolvedConnections
  readonly schema: Required<SchemaOptions>
  readonly format: ItemFormatOptions
  readonly prefix: string
  readonly migrate: boolean
  readonly maxEntries: number
  readonly maxBytes: number
  readonly clock: Clock | undefined
}

export interface ResolvedConnections {
  readonly url: string | undefined
  readonly options: ClientConfig | undefined
  readonly pool: Pool | undefined
  readonly client: ClientBase | undefined
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

const names = [
  ...connectionOptionNames,
  ...itemFormatOptionNames,
  'schema',
  'table',
  'unlogged',
  'prefix',
  'migrate',
  'maxEntries',
  'maxBytes',
  'clock',
]

const maker = 'PostgresBackend'

/** Checks the options and fills in the defaults. Throws `INVALID_ARGUMENT`. */
export function resolveOptions(options: PostgresBackendOptions): ResolvedOptions {
  checkOptions(options, names, maker)
  const format: Record<string, unknown> = {}
  for (const name of itemFormatOptionNames) {
    const given = (options as Record<string, unknown>)[name]
    if (given !== undefined) format[name] = given
  }
  return {
    connections: resolveConnections(options, maker),
    schema: resolveSchema(options, maker),
    format,
    prefix: checkPrefix(options.prefix ?? ''),
    migrate: flag(options.migrate, true, 'migrate', maker),
    maxEntries: limit(options.maxEntries, 'maxEntries'),
    maxBytes: limit(options.maxBytes, 'maxBytes'),
    clock: checkClock(options.clock),
  }
}

/** The same for the options that say which table it is. */
export function resolveSchema(options: SchemaOptions, by: string): Required<SchemaOptions> {
  return {
    schema: identifier(options.schema ?? 'public', 'schema', by),
    table: identifier(options.table ?? 'cache', 'table', by),
    unlogged: flag(options.unlogged, false, 'unlogged', by),
  }
}

/** The same for the options that say where the connections come from. */
export function resolveConnections(options: ConnectionOptions, by: string): ResolvedConnections {
  const { url, pool, client } = options
  checkSource(options, by)
  const pipeline = flag(options.pipeline, false, 'pipeline', by)
  if (pipeline && (pool ?? client) !== undefined) {
    throw invalidArgument('pipeline', true, 'false for an injected pool or client', by)
  }
  const timeout = span(options.timeout ?? 2000, 'timeout', by)
  return {
    url: url === undefined ? undefined : checkUrl(url, by),
    options: options.options,
    pool,
    client,
    maxConnections: wholeNumber(options.maxConnections ?? (pipeline ? 2 : 10), 'maxConnections', by, 1, 1000),
    prepare: flag(options.prepare, true, 'prepare', by),
    pipeline,
    connectTimeout: span(options.connectTimeout ?? 1000, 'connectTimeout', by),
    timeout,
    // Nobody waits for longer than the whole call may take.
    lockTimeout: Math.min(span(options.lockTimeout ?? Math.ceil(timeout / 4), 'lockTimeout', by), timeout),
  }
}

function checkSource(options: ConnectionOptions, by: string): void {
  const { url, pool, client } = options
  const injected = [pool, client].filter((source) => source !== undefined).length
  const own = url !== undefined || options.options !== undefined ? 1 : 0
  if (injected + own !== 1) {
    throw new CacheError(
      'INVALID_ARGUMENT',
      `${by}: give exactly one of 'url', 'pool', 'client', or 'options' alone; 'options' may refine 'url'`,
      { operation: by },
    )
  }
  if (pool !== undefined && typeof pool.connect !== 'function') throw invalidArgument('pool', pool, 'a pool of pg', by)
  if (client !== undefined) checkClient(client, by)
}

/** A pool has a `query`, too, but its statements each take another connection and no part in a transaction. */
export function checkClient(client: ClientBase, by: string): ClientBase {
  if (typeof client?.query !== 'function' || 'totalCount' in client) {
    throw invalidArgument('client', client, 'a client of pg', by)
  }
  return client
}

function checkUrl(url: string, by: string): string {
  if (!/^postgres(ql)?:\/\//.test(nonEmptyString(url, 'url', by))) {
    // The URL may hold a password, so it is not repeated.
    throw invalidArgument('url', 'something else', "a URL that begins with 'postgres://'", by)
  }
  return url
}

function span(given: Duration, name: string, by: string): number {
  const ms = milliseconds(given, name, by)
  if (ms < 1 || ms > 2 ** 31 - 1) throw invalidArgument(name, given, 'between 1 ms and 24 days', by)
  return ms
}

function flag(given: boolean | undefined, fallback: boolean, name: string, by: string): boolean {
  if (given === undefined) return fallback
  if (typeof given !== 'boolean') throw invalidArgument(name, given, 'true or false', by)
  return given
}

function identifier(given: string, name: string, by: string): string {
  const text = nonEmptyString(given, name, by)
  const bytes = Buffer.from(text)
  // PostgreSQL cuts longer names without a word, and lone surrogates get lost on the way: two names may become one.
  if (bytes.length > 63 || text.includes('\0') || bytes.toString() !== text) {
    throw invalidArgument(name, given, 'a name of at most 63 bytes without NUL or lone surrogates', by)
  }
  return text
}

function checkPrefix(given: string): string {
  if (typeof given !== 'string' || given.length > 100) {
    throw invalidArgument('prefix', given, 'a string of at most 100 characters', maker)
  }
  return given
}

function limit(given: number | undefined, name: string): number {
  return given === undefined ? Number.POSITIVE_INFINITY : wholeNumber(given, name, maker, 1)
}

function checkClock(given: Clock | undefined): Clock | undefined {
  if (given !== undefined && typeof given?.now !== 'function') {
    throw invalidArgument('clock', given, 'an object with a function now()', maker)
  }
  return given
}
