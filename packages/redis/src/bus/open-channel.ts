import { CacheError, decodeBusMessage, type SourceEvents } from '@cache/core/backend'
import { type Cluster, Command, type Redis, type RedisOptions } from 'ioredis'
import { nodeName } from '../cluster/cluster-nodes.ts'
import { Connection } from '../connection.ts'
import type { ResolvedConnectionOptions } from '../options.ts'
import { openClient } from '../wire/open-client.ts'
import { startHeartbeat } from './start-heartbeat.ts'

export interface ChannelSourceOptions {
  readonly connection: ResolvedConnectionOptions
  readonly channel: string
  /** Sharded pub/sub of Redis 7: the channel lives on the node of its slot. */
  readonly sharded: boolean
  readonly heartbeat: number
  /** The connection that publishes: on a Cluster it knows the nodes. */
  readonly publisher: Connection
}

/** Listens to one channel on a connection of its own, which ends with the first trouble: `BusSubscription` opens the next. */
export async function openChannel(options: ChannelSourceOptions, events: SourceEvents): Promise<() => Promise<void>> {
  const { channel, sharded } = options
  const client = await subscriberClient(options)
  const connection = new Connection(options.connection, () => {}, client)
  const name = Buffer.from(channel, 'utf8')
  // Other channels may reach the same connection where it is shared (RACES R15).
  client.on(sharded ? 'smessageBuffer' : 'messageBuffer', (from: Buffer, payload: Buffer) => {
    if (from.equals(name)) deliver(payload, events)
  })
  client.on('close', () => events.lost())
  // The slot of the channel moved to another node.
  client.on('moved', () => events.lost())
  try {
    await connection.send(sharded ? 'ssubscribe' : 'subscribe', [channel])
  } catch (error) {
    await connection.close()
    throw error
  }
  const stopHeartbeat = startHeartbeat(connection, options.heartbeat, () => events.lost())
  return async () => {
    stopHeartbeat()
    await connection.close()
  }
}

/** No message of a cache is as long. */
const mostBytes = 64 * 1024 * 1024

/** A message that cannot be read was meant for us all the same: anything may have changed. */
export function deliver(payload: Buffer, events: SourceEvents): void {
  // A longer payload may not fit into a string, and reading it would take many times as much memory.
  const message = payload.length > mostBytes ? undefined : decodeBusMessage(payload.toString('utf8'))
  if (message !== undefined) {
    events.message(message)
    return
  }
  events.error(
    new CacheError('DAMAGED', 'A message on the channel could not be read', {
      operation: 'subscribe',
      backend: 'redis',
    }),
  )
  events.message({ kind: 'foreign', source: 'unreadable' })
}

/** It never comes back by itself, so that nothing is missed unnoticed. */
const single: RedisOptions = {
  retryStrategy: () => null,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: true,
  maxRetriesPerRequest: 0,
  lazyConnect: true,
}

async function subscriberClient({ connection, channel, publisher }: ChannelSourceOptions): Promise<Redis> {
  if (publisher.isCluster) {
    const node = await nodeOfSlot(publisher, channel)
    return node.duplicate({ ...single, connectTimeout: connection.connectTimeout })
  }
  const { client } = connection.source
  if (client !== undefined) {
    return (client as Redis).duplicate({ ...single, connectTimeout: connection.connectTimeout })
  }
  const { options } = connection.source
  return openClient({ ...connection, source: { ...connection.source, options: { ...options, ...single } } }) as Redis
}

/** The master that has the slot of a key or channel. */
async function nodeOfSlot(publisher: Connection, key: string): Promise<Redis> {
  // Asked anew: the slot may have moved since the client last looked.
  const masters = (await publisher.masters()) as readonly Redis[]
  const slot = new Command('get', [key]).getSlot()
  const owner = (publisher.client as Cluster).slots[slot]?.[0]
  const node = masters.find((master) => nodeName(master) === owner)
  return node ?? (masters[0] as Redis)
}
