import { type ItemFormatOptions, itemFormatOptionNames } from '@cache/codecs'
import {
  type Clock,
  checkClock,
  checkOptions,
  type Duration,
  invalidArgument,
  isWellFormed,
  nonEmptyString,
  timerDelay,
} from '@cache/core/backend'
import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis'
import { checkSource } from './check-source.ts'

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
  /** The number of the database that the options name. */
  readonly database: number
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
  checkNames(options, backendOptionNames, 'RedisBackend')
  const prefix = resolvePrefix(options.prefix, 'RedisBackend')
  return {
    connection: resolveConnectionOptions(options, 'RedisBackend'),
    format: formatOptions(options),
    prefix,
    clock: checkClock(options.clock, 'RedisBackend'),
  }
}

export interface ResolvedBusOptions {
  readonly connection: ResolvedConnectionOptions
  readonly channel: string
  readonly sharded: boolean | undefined
  readonly heartbeat: number
}

export function resolveBusOptions(options: RedisBusOptions): ResolvedBusOptions {
  checkNames(options, [...connectionOptionNames, 'channel', 'sharded', 'heartbeat'], 'RedisBus')
  const { channel = 'cache:bus', sharded, heartbeat = 5000 } = options
  nonEmptyString(channel, 'channel', 'RedisBus')
  if (!isWellFormed(channel)) throw invalidArgument('channel', channel, 'a string without lone surrogates', 'RedisBus')
  if (sharded !== undefined && typeof sharded !== 'boolean') {
    throw invalidArgument('sharded', sharded, 'true or false', 'RedisBus')
  }
  const connection = resolveConnectionOptions(options, 'RedisBus')
  return { connection, channel, sharded, heartbeat: timerDelay(heartbeat, 'heartbeat', 'RedisBus') }
}

export interface ResolvedTrackingOptions {
  readonly connection: ResolvedConnectionOptions
  readonly prefix: string
  readonly heartbeat: number
}

export function resolveTrackingOptions(options: RedisTrackingBusOptions): ResolvedTrackingOptions {
  checkNames(options, [...connectionOptionNames, 'prefix', 'heartbeat'], 'RedisTrackingBus')
  const connection = resolveConnectionOptions(options, 'RedisTrackingBus')
  const prefix = resolvePrefix(options.prefix, 'RedisTrackingBus')
  return { connection, prefix, heartbeat: timerDelay(options.heartbeat ?? 5000, 'heartbeat', 'RedisTrackingBus') }
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
  return {
    source: options,
    database: checkSource(options, operation),
    timeout: timerDelay(options.timeout ?? 1000, 'timeout', operation),
    connectTimeout: timerDelay(options.connectTimeout ?? 500, 'connectTimeout', operation),
  }
}

/** Checks the names of the options. Text in their place may be a URL with a password, which no message may repeat. */
function checkNames(options: unknown, known: readonly string[], operation: string): void {
  checkOptions(typeof options === 'string' ? '(not shown)' : options, known, operation)
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
