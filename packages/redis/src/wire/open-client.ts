import { Cluster, type ClusterNode, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import type { ResolvedConnectionOptions } from '../options.ts'

export type RedisClient = Redis | Cluster

/** A connection that was lost is tried again after 50, 100, 150 ms and so on, and at the latest after this. */
const longestPause = 1000

function pause(times: number): number {
  return Math.min(times * 50, longestPause)
}

/** A client of our own. It connects with the first command. */
export function openClient({ source, connectTimeout }: ResolvedConnectionOptions): RedisClient {
  const { url, options, cluster } = source
  if (cluster !== undefined) return openCluster(cluster.nodes, cluster.options, nodeOptions(options, connectTimeout))
  const own: RedisOptions = { ...nodeOptions(options, connectTimeout), retryStrategy: options?.retryStrategy ?? pause }
  // The overloads of ioredis tell reply mappings apart, which are not used here.
  const plain = own as RedisOptions & { replyMapping: 'legacy' }
  return url === undefined ? new Redis(plain) : new Redis(url, plain)
}

function openCluster(
  nodes: readonly ClusterNode[],
  options: ClusterOptions | undefined,
  redisOptions: RedisOptions,
): Cluster {
  return new Cluster([...nodes], {
    clusterRetryStrategy: pause,
    ...options,
    // Commands wait here while the topology is looked up; their deadline bounds it.
    enableOfflineQueue: true,
    lazyConnect: true,
    redisOptions: { ...options?.redisOptions, ...redisOptions } as RedisOptions & { replyMapping: 'legacy' },
  })
}

/** The settings that bound failures come last: an outage must never be waited out, and nothing sent twice. */
function nodeOptions(options: RedisOptions | undefined, connectTimeout: number): RedisOptions {
  const given: RedisOptions = { ...options }
  // This package keeps timeouts of its own: ioredis' do not allow for a busy event loop.
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

/** A master that was demoted stays connected and refuses writes: the sentinels know the new one. */
function leaveReplicas(error: Error): 1 | false {
  return error.message.startsWith('READONLY') ? 1 : false
}
