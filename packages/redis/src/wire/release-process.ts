import type { Cluster, Redis } from 'ioredis'
import type { RedisClient } from './open-client.ts'

/** The timers and the subscriber of ioredis, which it does not export. */
interface Internals {
  readonly reconnectTimeout?: NodeJS.Timeout | null
  readonly slotsTimer?: NodeJS.Timeout | null
  readonly subscriber?: { getInstance?(): Redis | null }
}

/**
 * Lets the process end although this client is open: its sockets and timers no longer keep the process alive. Commands
 * without a reply do, by the timer of their timeout.
 */
export function releaseProcess(client: RedisClient): void {
  if (client.isCluster) releaseCluster(client as Cluster)
  else releaseServer(client as Redis)
}

function releaseServer(client: Redis): void {
  client.on('connect', () => client.stream.unref())
  client.on('reconnecting', () => (client as unknown as Internals).reconnectTimeout?.unref())
}

function releaseCluster(cluster: Cluster): void {
  const internals = cluster as unknown as Internals
  const known = new WeakSet<Redis>()
  // ioredis starts its timers and its own subscriber after these events.
  const release = (): void => {
    setImmediate(() => {
      internals.slotsTimer?.unref()
      internals.reconnectTimeout?.unref()
      const subscriber = internals.subscriber?.getInstance?.()
      if (!subscriber || known.has(subscriber)) return
      known.add(subscriber)
      releaseServer(subscriber)
      subscriber.stream?.unref()
    }).unref()
  }
  cluster.on('+node', (node: Redis) => {
    releaseServer(node)
    release()
  })
  for (const event of ['refresh', 'ready', 'reconnecting', '-node']) cluster.on(event, release)
}
