import type { SourceEvents } from '@cache/core/backend'
import { type Cluster, Command, type Redis } from 'ioredis'
import { nodeName } from '../cluster/cluster-nodes.ts'
import { Connection } from '../connection.ts'
import type { ResolvedConnectionOptions } from '../options.ts'
import { isCount } from '../wire/reply-shapes.ts'
import { deliverMessage } from './deliver-message.ts'
import { openSubscriber } from './open-subscriber.ts'
import { startHeartbeat } from './start-heartbeat.ts'

export interface ChannelOptions {
  readonly connection: ResolvedConnectionOptions
  readonly channel: string
  /** Whether to use the sharded publish and subscribe of Redis 7. The node of its slot then holds the channel. */
  readonly sharded: boolean
  readonly heartbeat: number
  /** The connection that publishes. On a Cluster it knows the nodes. */
  readonly publisher: Pick<Connection, 'client' | 'isCluster' | 'masters'>
}

/**
 * Receives the messages of one channel on its own connection. The first failure ends that connection, and
 * `BusSubscription` opens the next one.
 */
export async function openChannel(options: ChannelOptions, events: SourceEvents): Promise<() => Promise<void>> {
  const { channel, sharded, publisher } = options
  const node = publisher.isCluster ? await nodeOfSlot(publisher, channel) : undefined
  const client = openSubscriber(options.connection, node)
  const connection = new Connection(options.connection, () => {}, client)
  const name = Buffer.from(channel, 'utf8')
  // A shared connection also receives the messages of other channels (RACES R15).
  client.on(sharded ? 'smessageBuffer' : 'messageBuffer', (from: Buffer, payload: Buffer) => {
    if (from.equals(name)) deliverMessage(payload, events)
  })
  client.on('close', () => events.lost())
  // The slot of the channel moved to another node.
  client.on('moved', () => events.lost())
  try {
    await connection.send(sharded ? 'ssubscribe' : 'subscribe', [channel], { shape: isCount })
  } catch (error) {
    await connection.close()
    throw connection.reasonOf(error)
  }
  const stopHeartbeat = startHeartbeat(connection, options.heartbeat, () => events.lost())
  return async () => {
    stopHeartbeat()
    await connection.close()
  }
}

/** The master that holds the slot of a channel. */
async function nodeOfSlot(publisher: ChannelOptions['publisher'], channel: string): Promise<Redis> {
  // A new look-up: the slot may have moved since the last look-up of the client.
  const masters = (await publisher.masters()) as readonly Redis[]
  const slot = new Command('get', [channel]).getSlot()
  const owner = (publisher.client as Cluster).slots[slot]?.[0]
  const node = masters.find((master) => nodeName(master) === owner)
  return node ?? (masters[0] as Redis)
}
