import { CacheError } from '@cache/core/backend'
import { Cluster, type ClusterNode, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import type { ResolvedConnectionOptions } from '../options.ts'
import { Secrets } from './secrets.ts'

export type RedisClient = Redis | Cluster

/** The longest pause in milliseconds before the next attempt to connect. The pauses are 50, 100, 150 ms and so on. */
const longestPause = 1000

function pauseBefore(attempt: number): number {
  return Math.min(attempt * 50, longestPause)
}

/** Opens a client that this package owns. It connects with the first command. Throws `INVALID_ARGUMENT`. */
export function openClient(options: ResolvedConnectionOptions): RedisClient {
  try {
    return open(options)
  } catch (error) {
    const { url, options: given, cluster } = options.source
    const reason = error instanceof Error ? error.message : String(error)
    const message = `ioredis refuses the options of the connection: ${new Secrets([url, given, cluster]).hide(reason)}`
    // Without the cause: errors of the URL parser contain the URL with its password.
    throw new CacheError('INVALID_ARGUMENT', message, { operation: 'connect', backend: 'redis' })
  }
}

function open({ source, connectTimeout }: ResolvedConnectionOptions): RedisClient {
  const { url, options, cluster } = source
  if (cluster !== undefined) return openCluster(cluster.nodes, cluster.options, nodeOptions(options, connectTimeout))
  const own: RedisOptions = {
    ...nodeOptions(options, connectTimeout),
    retryStrategy: options?.retryStrategy ?? pauseBefore,
  }
  // The overloads of ioredis differ by `replyMapping`, which this package does not set.
  const plain = own as RedisOptions & { replyMapping: 'legacy' }
  return url === undefined ? new Redis(plain) : new Redis(url, plain)
}

function openCluster(
  nodes: readonly ClusterNode[],
  options: ClusterOptions | undefined,
  redisOptions: RedisOptions,
): Cluster {
  return new Cluster([...nodes], {
    clusterRetryStrategy: pauseBefore,
    ...options,
    // Commands wait here while the client looks up the topology. Their own timeout limits the wait.
    enableOfflineQueue: true,
    lazyConnect: true,
    redisOptions: { ...options?.redisOptions, ...redisOptions } as RedisOptions & { replyMapping: 'legacy' },
  })
}

/**
 * The options of one node. Those that limit failures come last: no call waits for an outage, and no command is resent.
 */
function nodeOptions(options: RedisOptions | undefined, connectTimeout: number): RedisOptions {
  const given: RedisOptions = { ...options }
  // `CommandTimeouts` replaces these: the timeouts of ioredis do not allow for a busy event loop.
  delete given.commandTimeout
  delete given.socketTimeout
  return {
    ...(given.sentinels ? { reconnectOnError: leaveReplicas } : {}),
    connectTimeout,
    ...given,
    enableOfflineQueue: true,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    lazyConnect: true,
  }
}

/**
 * Reconnects after `READONLY`: a demoted master stays connected and refuses writes, and the sentinels know the new one.
 */
function leaveReplicas(error: Error): 1 | false {
  return error.message.startsWith('READONLY') ? 1 : false
}
