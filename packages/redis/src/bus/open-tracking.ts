import type { SourceEvents } from '@cache/core/backend'
import type { Redis } from 'ioredis'
import { nodeName } from '../cluster/cluster-nodes.ts'
import { Connection } from '../connection.ts'
import type { ResolvedConnectionOptions } from '../options.ts'
import type { BackendKeys } from '../wire/backend-keys.ts'
import { isCount, isOk } from '../wire/reply-shapes.ts'
import { openSubscriber } from './open-subscriber.ts'
import { startHeartbeat } from './start-heartbeat.ts'

export interface TrackingOptions {
  readonly connection: ResolvedConnectionOptions
  readonly keys: BackendKeys
  readonly heartbeat: number
  /** On a Cluster it knows the masters. */
  readonly finder: Pick<Connection, 'isCluster' | 'masters'>
}

const channel = '__redis__:invalidate'
const source = 'redis'

/**
 * Lets every master announce changed keys. All masters are one source: after the loss of a master, or with a new
 * master, every connection is closed and opened again, because announcements may be missed from then on.
 */
export async function openTracking(options: TrackingOptions, events: SourceEvents): Promise<() => Promise<void>> {
  const masters = await options.finder.masters()
  const opened = await Promise.allSettled(masters.map((master) => trackMaster(options, master, events)))
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
  { finder, heartbeat }: TrackingOptions,
  masters: readonly (Redis | undefined)[],
  events: SourceEvents,
): () => void {
  if (!finder.isCluster) return () => {}
  const before = names(masters)
  const check = (): void => {
    finder.masters().then(
      (now) => {
        if (names(now) !== before) events.lost()
      },
      () => events.lost(),
    )
  }
  const timer = setInterval(check, heartbeat)
  timer.unref()
  return () => clearInterval(timer)
}

function names(masters: readonly (Redis | undefined)[]): string {
  return masters
    .map((master) => (master === undefined ? '' : nodeName(master)))
    .sort()
    .join(' ')
}

async function trackMaster(
  options: TrackingOptions,
  master: Redis | undefined,
  events: SourceEvents,
): Promise<() => Promise<void>> {
  // With RESP2, announcements are messages of a channel, which ioredis passes on.
  const client = openSubscriber(options.connection, master, { protocol: 2 })
  const connection = new Connection(options.connection, () => {}, client)
  client.on('messageBuffer', (from: Buffer, payload: unknown) => {
    if (from.toString('latin1') === channel) deliver(payload, options.keys, events)
  })
  client.on('close', () => events.lost())
  try {
    const id = Number(await connection.send('client', ['id'], { shape: isCount }))
    // The connection receives its own announcements, because it has no other task.
    const prefix = Buffer.from(options.keys.prefix, 'utf8')
    await connection.send('client', ['tracking', 'on', 'redirect', id, 'bcast', 'prefix', prefix], {
      shape: isOk,
    })
    await connection.send('subscribe', [channel], { shape: isCount })
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

/** A payload of `null` announces that the whole database was flushed. */
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
