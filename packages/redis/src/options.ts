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

/** The address of Redis: exactly one of `url`, `cluster`, `client`, or `options` alone. */
export interface RedisConnectionOptions {
  /** `redis://user:password@host:port/db`, or `rediss://` for TLS. */
  readonly url?: string | undefined
  /**
   * Options of ioredis: `host`, `port`, `path` (a Unix socket), `username`, `password`, `db`, `tls`, `sentinels`,
   * `name`. They stand alone, or refine `url` or `cluster`. This package sets the options that limit failures.
   */
  readonly options?: RedisOptions | undefined
  /** The first nodes of a Redis Cluster to contact, and options of the `Cluster` of ioredis. */
  readonly cluster?: { readonly nodes: readonly ClusterNode[]; readonly options?: ClusterOptions } | undefined
  /** A client of the application, which this package never closes. */
  readonly client?: Redis | Cluster | undefined
  /** The longest time that a command may take. Default 1 s. */
  readonly timeout?: Duration | undefined
  /** The longest time to connect, for connections that this package opens. Default 500 ms. */
  readonly connectTimeout?: Duration | undefined
}

export interface RedisBackendOptions extends RedisConnectionOptions, ItemFormatOptions {
  /** The beginning of every key in Redis. Backends with different prefixes may share a server. Default `cache:`. */
  readonly prefix?: string | undefined
  /**
   * The clock that gives an item its lifetime when it is written. From then on the clock of Redis counts. Default: the
   * clock of this machine.
   */
  readonly clock?: Clock | undefined
}

export interface RedisBusOptions extends RedisConnectionOptions {
  /** The name of the channel. Buses on one channel receive each other's messages. Default `cache:bus`. */
  readonly channel?: string | undefined
  /** Whether to use sharded publish and subscribe (Redis 7). Default: true on a Cluster. */
  readonly sharded?: boolean | undefined
  /** The interval of the PINGs that detect a dead connection. Default 5 s. */
  readonly heartbeat?: Duration | undefined
}

export interface RedisTrackingBusOptions extends RedisConnectionOptions {
  /** The prefix of the backend whose keys Redis announces. Default `cache:`. */
  readonly prefix?: string | undefined
  /** The interval of the PINGs that detect a dead connection. Default 5 s. */
  readonly heartbeat?: Duration | undefined
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

/** Checks the options of a connection. The caller checks the other members of `options`. */
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
  // A URL may contain a password, which the message must not repeat.
  if (!/^rediss?:\/\//.test(url)) throw invalidArgument('url', '(not shown)', allowed, operation)
}

function checkCluster(cluster: NonNullable<RedisConnectionOptions['cluster']>, operation: string): void {
  checkOptions(cluster, ['nodes', 'options'], operation)
  if (!Array.isArray(cluster.nodes) || cluster.nodes.length === 0) {
    throw invalidArgument('cluster.nodes', cluster.nodes, 'a list of at least one node', operation)
  }
}

/** Checks the shape, because the application may use another copy of ioredis. */
function checkClient(client: Redis | Cluster, operation: string): void {
  if (typeof client?.sendCommand !== 'function' || typeof client?.duplicate !== 'function') {
    throw invalidArgument('client', client, 'a Redis or Cluster client of ioredis', operation)
  }
}

/** ioredis puts its `keyPrefix` before the keys of some commands only, and not in SCAN and scripts. */
function refuseKeyPrefix(keyPrefix: unknown, operation: string): void {
  if (keyPrefix === undefined || keyPrefix === '' || keyPrefix === null) return
  throw new CacheError(
    'INVALID_ARGUMENT',
    `${operation}: ioredis' keyPrefix is not supported; use the option 'prefix'`,
    { operation },
  )
}

/** A replica lags behind its master, so a deleted item would come back. */
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
