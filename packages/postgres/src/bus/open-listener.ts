import { randomBytes } from 'node:crypto'
import { CacheError, type SourceEvents } from '@cache/core/backend'
import type pg from 'pg'
import { clientConfig } from '../connections/client-config.ts'
import type { ResolvedConnections } from '../connections/connection-options.ts'
import { ownClient } from '../connections/own-client.ts'
import { query } from '../connections/query.ts'
import { quoteIdentifier } from '../connections/quoting.ts'
import type { Run } from '../connections/session.ts'
import { statement } from '../connections/statement.ts'
import { postgresError, timeoutError } from '../errors.ts'
import { startTimeout } from '../timeouts/start-timeout.ts'
import { NotificationReader } from './notification.ts'

export interface ListenOptions {
  readonly connections: ResolvedConnections
  readonly channel: string
  readonly heartbeat: number
  /** Sends the test notification over another connection. */
  readonly run: Run
}

interface ListeningClient {
  readonly client: pg.ClientBase
  close(): Promise<void>
}

const notify = statement('select pg_notify($1, $2)', 1)
const ping = statement("select 'alive'::text", 1)
/** The first character of a test notification, which is no message. */
const testMark = 't'

/**
 * Listens to one channel on a connection of its own. The first failure ends the connection, and `BusSubscription` opens
 * the next.
 */
export async function openListener(options: ListenOptions, events: SourceEvents): Promise<() => Promise<void>> {
  const { channel, connections } = options
  const { timeout } = connections
  const listening = await connect(connections)
  const { client } = listening
  const reader = new NotificationReader()
  const test = `${testMark}${randomBytes(12).toString('base64url')}`
  let onTest = (): void => {}
  const testArrived = new Promise<void>((resolve) => {
    onTest = resolve
  })
  // A client of the application's pool may listen to other channels too (RACES R15).
  client.on('notification', ({ channel: from, payload }: { readonly channel: string; readonly payload?: unknown }) => {
    if (from !== channel) return
    if (typeof payload !== 'string') {
      deliver('unreadable', events)
      return
    }
    if (payload[0] !== testMark) deliver(reader.read(payload), events)
    else if (payload === test) onTest()
  })
  client.on('error', () => events.lost())
  client.on('end', () => events.lost())
  try {
    await query(client, statement(`listen ${quoteIdentifier(channel)}`, 0), [], false, 'subscribe', timeout)
    await options.run(notify, [channel, test], 'subscribe', timeout)
    await withTimeout(timeout, testArrived)
  } catch (error) {
    await listening.close()
    throw postgresError(error, 'subscribe')
  }
  // A subscription alone must not keep the process alive.
  ;(client as { unref?(): void }).unref?.()
  const stopHeartbeat = startHeartbeat(client, options, events)
  return async () => {
    stopHeartbeat()
    await listening.close()
  }
}

/** An unreadable message may have announced any change, so it is delivered as a foreign change of all keys. */
function deliver(received: ReturnType<NotificationReader['read']>, events: SourceEvents): void {
  if (received === 'incomplete') return
  if (received !== 'unreadable') {
    events.message(received)
    return
  }
  events.error(new CacheError('DAMAGED', 'A notification could not be read', details('subscribe')))
  events.message({ kind: 'foreign', source: 'unreadable' })
}

/** A pooler that shares connections between transactions accepts LISTEN and delivers nothing. */
async function withTimeout(timeout: number, testArrived: Promise<void>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stopTimeout = startTimeout(timeout, () => {
      const message =
        'LISTEN was accepted, but a test notification did not arrive: a pooler in transaction mode swallows them. ' +
        'Give the bus a URL that leads to the server itself'
      reject(new CacheError('UNSUPPORTED', message, details('subscribe')))
    })
    void testArrived.then(() => {
      stopTimeout()
      resolve()
    })
  })
}

async function connect(connections: ResolvedConnections): Promise<ListeningClient> {
  const { pool, connectTimeout, timeout } = connections
  if (pool === undefined) {
    const Client = ownClient({ connectTimeout })
    const client = new Client(clientConfig(connections))
    await client.connect()
    return { client, close: () => end(client) }
  }
  const client = await new Promise<pg.PoolClient>((resolve, reject) => {
    let isLate = false
    const stopTimeout = startTimeout(timeout, () => {
      isLate = true
      reject(timeoutError('subscribe', timeout))
    })
    ;(pool as unknown as pg.Pool).connect((error, found) => {
      stopTimeout()
      if (error !== undefined || found === undefined) reject(error)
      else if (isLate) found.release()
      else resolve(found)
    })
  })
  // The pool closes this client instead of reusing it: it still listens, and may be broken.
  return { client, close: async () => client.release(true) }
}

/** Ends the connection without waiting for a server that may be frozen. */
async function end(client: pg.Client): Promise<void> {
  client.connection.stream.destroy()
  await client.end().catch(() => {})
}

/**
 * Sends a query at each heartbeat. A listener only receives, so without it a connection that was cut silently (a power
 * failure, a firewall) would look healthy forever.
 */
function startHeartbeat(client: pg.ClientBase, options: ListenOptions, events: SourceEvents): () => void {
  const { heartbeat, connections } = options
  let isWaiting = false
  const timer = setInterval(() => {
    if (isWaiting) return
    isWaiting = true
    query(client, ping, [], false, 'heartbeat', connections.timeout).then(
      () => {
        isWaiting = false
      },
      () => {
        clearInterval(timer)
        events.lost()
      },
    )
  }, heartbeat)
  timer.unref()
  return () => clearInterval(timer)
}

function details(method: string): { operation: string; backend: string } {
  return { operation: method, backend: 'postgres' }
}
