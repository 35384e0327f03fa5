import { type ItemFormatOptions, itemFormatOptionNames } from '@cache/codecs'
import {
  CacheError,
  type Clock,
  checkOptions,
  type Duration,
  invalidArgument,
  isWellFormed,
  milliseconds,
  nonEmptyString,
  systemClock,
} from '@cache/core/backend'
import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis'

/** Where Redis is: exactly one of `url`, `cluster`, `client`, or `options` alone. */
export interface RedisConnectionOptions {
  /** `redis://user:password@host:port/db`, or `rediss://` for TLS. */
  readonly url?: string
  /**
   * Options of ioredis: `host`, `port`, `path` (a Unix socket), `username`, `password`, `db`, `tls`, `sentinels` and `name`.
   * Alone, or beside `url` or `cluster`, which they refine. What bounds failures is set by this package.
   */
  readonly options?: RedisOptions
  /** The first nodes to ask of a Redis Cluster, and options of ioredis' `Cluster`. */
  readonly cluster?: { readonly nodes: readonly ClusterNode[]; readonly options?: ClusterOptions }
  /** The application's own client. It is never closed here. */
  readonly client?: Redis | Cluster
  /** How long a command may take. Default 1 s. */
  readonly timeout?: Duration
  /** How long connecting may take, for connections that are opened here. Default 500 ms. */
  readonly connectTimeout?: Duration
}

export interface RedisBackendOptions extends RedisConnectionOptions, ItemFormatOptions {
  /** What every key in Redis starts with. Backends with different prefixes may share a server. Default `cache:`. */
  readonly prefix?: string
  /** What `expiresAt` is compared with when an item is written; from then on Redis counts. Default: the machine's clock. */
  readonly clock?: Clock
}

export interface RedisBusOptions extends RedisConnectionOptions {
  /** Caches that are to hear of each other's changes share it, and no others. Default `cache:bus`. */
  readonly channel?: string
  /** Sharded publish and subscribe (Redis 7). Default: on a Cluster. */
  readonly sharded?: boolean
  /** How often a silent connection is asked whether it is still there. Default 5 s. */
  readonly heartbeat?: Duration
}

export interface RedisTrackingBusOptions extends RedisConnectionOptions {
  /** The prefix of the backend whose keys are watched. Default `cache:`. */
  readonly prefix?: string
  /** How often a silent connection is asked whether it is still there. Default 5 s. */
  readonly heartbeat?: Duration
}

const connectionOptionNames: readonly string[] = ['url', 'options', 'cluster', 'client', 'timeout', 'connectTimeout']

const backendOptionNames: readonly string[] = [...connectionOptionNames, ...itemFormatOptionNames, 'prefix', 'clock']

export interface ResolvedConnectionOptions {
  readonly source: RedisConnectionOptions
  readonly timeout: number
  readonly connectTimeout: number
}

export interface ResolvedBackendOptions {
  readonly connection: ResolvedConnectionOptions
  readonly format: ItemFormatOptions
  readonly prefix: string
  readonly clock: Clock
}

export function resolveBackendOptions(options: RedisBackendOptions): ResolvedBackendOptions {
  checkOptions(options, backendOptionNames, 'RedisBackend')
  const { clock = systemClock } = options
  const prefix = resolvePrefix(options.prefix, 'RedisBackend')
  if (typeof clock?.now !== 'function') throw invalidArgument('clock', clock, 'an object with now()', 'RedisBackend')
  return {
    connection: resolveConnectionOptions(options, 'RedisBackend'),
    format: formatOptions(options),
    prefix,
    clock,
  }
}

export interface ResolvedBusOptions {
  readonly connection: ResolvedConnectionOptions
  readonly channel: string
  readonly sharded: boolean | undefined
  readonly heartbeat: number
}

export function resolveBusOptions(options: RedisBusOptions): ResolvedBusOptions {
  checkOptions(options, [...connectionOptionNames, 'channel', 'sharded', 'heartbeat'], 'RedisBus')
  const { channel = 'cache:bus', sharded, heartbeat = 5000 } = options
  nonEmptyString(channel, 'channel', 'RedisBus')
  if (!isWellFormed(channel)) throw invalidArgument('channel', channel, 'a string without lone surrogates', 'RedisBus')
  if (sharded !== undefined && typeof sharded !== 'boolean') {
    throw invalidArgument('sharded', sharded, 'true or false', 'RedisBus')
  }
  const connection = resolveConnectionOptions(options, 'RedisBus')
  return { connection, channel, sharded, heartbeat: bounded(heartbeat, 'heartbeat', 'RedisBus') }
}

export interface ResolvedTrackingOptions {
  readonly connection: ResolvedConnectionOptions
  readonly prefix: string
  readonly heartbeat: number
}

export function resolveTrackingOptions(options: RedisTrackingBusOptions): ResolvedTrackingOptions {
  checkOptions(options, [...connectionOptionNames, 'prefix', 'heartbeat'], 'RedisTrackingBus')
  const connection = resolveConnectionOptions(options, 'RedisTrackingBus')
  const prefix = resolvePrefix(options.prefix, 'RedisTrackingBus')
  return { connection, prefix, heartbeat: bounded(options.heartbeat ?? 5000, 'heartbeat', 'RedisTrackingBus') }
}

function resolvePrefix(prefix: string | undefined, operation: string): string {
  if (prefix === undefined) return 'cache:'
  if (typeof prefix === 'string' && isWellFormed(prefix)) return prefix
  throw invalidArgument('prefix', prefix, 'a string without lone surrogates', operation)
}

/** Checks what says where Redis is. `options` may hold other members: they are the caller's to check. */
export function resolveConnectionOptions(
  options: RedisConnectionOptions,
  operation: string,
): ResolvedConnectionOptions {
  const { url, cluster, client } = options
  const sources = [url, cluster, client].filter((source) => source !== undefined).length
  if (sources > 1 || (sources === 0 && options.options === undefined) || (client && options.options)) {
    throw new CacheError(
      'INVALID_ARGUMENT',
      `${operation}: give exactly one of 'url', 'cluster', 'client', or 'options' alone; 'options' may refine 'url' and 'cluster'`,
      { operation },
    )
  }
  if (url !== undefined) checkUrl(url, operation)
  if (cluster !== undefined) checkCluster(cluster, operation)
  if (client !== undefined) checkClient(client, operation)
  refuseReplicas(cluster?.options?.scaleReads ?? (client?.options as ClusterOptions | undefined)?.scaleReads, operation)
  refuseKeyPrefix(options.options?.keyPrefix ?? cluster?.options?.keyPrefix ?? client?.options?.keyPrefix, operation)
  return {
    source: options,
    timeout: bounded(options.timeout ?? 1000, 'timeout', operation),
    connectTimeout: bounded(options.connectTimeout ?? 500, 'connectTimeout', operation),
  }
}

function checkUrl(url: string, operation: string): void {
  const allowed = 'a URL that starts with redis:// or rediss://'
  nonEmptyString(url, 'url', operation)
  // A URL may hold a password: the message must not repeat it.
  if (!/^rediss?:\/\//.test(url)) throw invalidArgument('url', '(not shown)', allowed, operation)
}

function checkCluster(cluster: NonNullable<RedisConnectionOptions['cluster']>, operation: string): void {
  checkOptions(cluster, ['nodes', 'options'], operation)
  if (!Array.isArray(cluster.nodes) || cluster.nodes.length === 0) {
    throw invalidArgument('cluster.nodes', cluster.nodes, 'a list of at least one node', operation)
  }
}

/** By shape: the application may use another copy of ioredis. */
function checkClient(client: Redis | Cluster, operation: string): void {
  if (typeof client?.sendCommand !== 'function' || typeof client?.duplicate !== 'function') {
    throw invalidArgument('client', client, 'a Redis or Cluster client of ioredis', operation)
  }
}

/** ioredis would put it in front of some commands' keys and not of others (SCAN, scripts). */
function refuseKeyPrefix(keyPrefix: unknown, operation: string): void {
  if (keyPrefix === undefined || keyPrefix === '' || keyPrefix === null) return
  throw new CacheError(
    'INVALID_ARGUMENT',
    `${operation}: ioredis' keyPrefix is not supported; use the option 'prefix'`,
    { operation },
  )
}

/** A replica lags behind: what was deleted would come back. */
function refuseReplicas(scaleReads: unknown, operation: string): void {
  if (scaleReads === undefined || scaleReads === 'master') return
  throw invalidArgument('scaleReads', scaleReads, "'master'", operation)
}

function bounded(duration: Duration, name: string, operation: string): number {
  const ms = milliseconds(duration, name, operation)
  if (ms < 1 || ms > 2 ** 31 - 1) throw invalidArgument(name, duration, 'between 1 ms and 24 days', operation)
  return ms
}

function formatOptions(options: ItemFormatOptions): ItemFormatOptions {
  const { codec, compression, encryption, maxDecodedBytes } = options
  return {
    ...(codec === undefined ? {} : { codec }),
    ...(compression === undefined ? {} : { compression }),
    ...(encryption === undefined ? {} : { encryption }),
    ...(maxDecodedBytes === undefined ? {} : { maxDecodedBytes }),
  }
}
