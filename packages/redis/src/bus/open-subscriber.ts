import type { Redis, RedisOptions } from 'ioredis'
import type { ResolvedConnectionOptions } from '../options.ts'
import { openClient } from '../wire/open-client.ts'

/** The client never reconnects by itself: its bus must learn of each loss, because messages were missed. */
const subscriberOptions: RedisOptions = {
  retryStrategy: () => null,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: true,
  maxRetriesPerRequest: 0,
  lazyConnect: true,
}

/** Opens a client for one subscription: to `node` of a Cluster, or to the server of the connection. */
export function openSubscriber(
  connection: ResolvedConnectionOptions,
  node: Redis | undefined,
  options?: RedisOptions,
): Redis {
  const { source, connectTimeout } = connection
  const own: RedisOptions = { ...subscriberOptions, ...options }
  const known = node ?? (source.client as Redis | undefined)
  if (known !== undefined) return known.duplicate({ ...own, connectTimeout })
  return openClient({ ...connection, source: { ...source, options: { ...source.options, ...own } } }) as Redis
}
