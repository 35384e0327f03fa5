import type { SourceEvents } from '@cache/core/backend'
import type { Redis, RedisOptions } from 'ioredis'
import { nodeName } from '../cluster/cluster-nodes.ts'
import { Connection } from '../connection.ts'
import type { ResolvedConnectionOptions } from '../options.ts'
import type { BackendKeys } from '../wire/backend-keys.ts'
import { openClient } from '../wire/open-client.ts'
import { startHeartbeat } from './start-heartbeat.ts'

export interface TrackingSourceOptions {
  readonly connection: ResolvedConnectionOptions
  readonly keys: BackendKeys
  readonly heartbeat: number
  /** On a Cluster it knows the masters. */
  readonly finder: Connection
}

const channel = '__redis__:invalidate'
const source = 'redis'

/**
 * Has every master tell of changed keys. It is one source: when one master is lost, or another appears, all are closed and
 * opened anew, because from then on something may be missed.
 */
export async function openTracking(options: TrackingSourceOptions, events: SourceEvents): Promise<() => Promise<void>> {
  const masters = await options.finder.masters()
  const opened = await Promise.allSettled(masters.map((master) => trackOne(options, master, events)))
  const closers = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const stopWatching = watchMasters(options, masters, events)
  const close = async (): Promise<void> => {
    stopWatching()
    await Promise.all(closers.map((one) => one()))
  }
  const failure = opened.find((one) => one.status === 'rejected')
  if (failure === undefined) return close
  await close()
  throw failure.reason
}

/** A master that joined, or a replica that took over, is not tracked yet. */
function watchMasters(
  { finder, heartbeat }: TrackingSourceOptions,
  masters: readonly (Redis | undefined)[],
  events: SourceEvents,
): () => void {
  if (!finder.isCluster) return () => {}
  const before = names(masters)
  const look = (): void => {
    finder.masters().then(
      (now) => {
        if (names(now) !== before) events.lost()
      },
      () => events.lost(),
    )
  }
  const timer = setInterval(look, heartbeat)
  timer.unref()
  return () => clearInterval(timer)
}

function names(masters: readonly (Redis | undefined)[]): string {
  return masters
    .map((master) => (master === undefined ? '' : nodeName(master)))
    .sort()
    .join(' ')
}

/** RESP2: the form in which announcements come as messages of a channel, which ioredis hands out. */
const single: RedisOptions = {
  protocol: 2,
  retryStrategy: () => null,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: true,
  maxRetriesPerRequest: 0,
  lazyConnect: true,
}

async function trackOne(
  options: TrackingSourceOptions,
  master: Redis | undefined,
  events: SourceEvents,
): Promise<() => Promise<void>> {
  const client = trackingClient(options, master)
  const connection = new Connection(options.connection, () => {}, client)
  client.on('messageBuffer', (from: Buffer, payload: unknown) => {
    if (from.toString('latin1') === channel) deliver(payload, options.keys, events)
  })
  client.on('close', () => events.lost())
  try {
    const id = Number(await connection.send('client', ['id']))
    // The announcements for this connection go to this connection: it does nothing else.
    const prefix = Buffer.from(options.keys.prefix, 'utf8')
    await connection.send('client', ['tracking', 'on', 'redirect', id, 'bcast', 'prefix', prefix])
    await connection.send('subscribe', [channel])
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

function trackingClient({ connection }: TrackingSourceOptions, master: Redis | undefined): Redis {
  const { client, options } = connection.source
  const own: RedisOptions = { ...single, connectTimeout: connection.connectTimeout }
  if (master !== undefined) return master.duplicate(own)
  if (client !== undefined) return (client as Redis).duplicate(own)
  return openClient({ ...connection, source: { ...connection.source, options: { ...options, ...single } } }) as Redis
}

/** `null`: the whole database was flushed. */
function deliver(payload: unknown, keys: BackendKeys, events: SourceEvents): void {
  if (!Array.isArray(payload)) {
    events.message({ kind: 'foreign', source })
    return
  }
  const changed: string[] = []
  for (const backendKey of payload) {
    const key = Buffer.isBuffer(backendKey) ? keys.toKey(backendKey) : undefined
    if (key !== undefined) changed.push(key)
  }
  if (changed.length > 0) events.message({ kind: 'foreign', source, keys: changed })
}
