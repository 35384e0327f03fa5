import { randomBytes } from 'node:crypto'
import { CacheError, type SourceEvents } from '@cache/core/backend'
import type pg from 'pg'
import { clientConfig } from '../connections/client-config.ts'
import { gracefulClient } from '../connections/own-client.ts'
import { query } from '../connections/query.ts'
import type { Session } from '../connections/session.ts'
import { quoteIdentifier, statement } from '../connections/statement.ts'
import { postgresError, timeoutError } from '../errors.ts'
import type { ResolvedConnections } from '../options.ts'
import { deadline } from '../timeouts/start-timeout.ts'
import { NotificationReader } from './notification.ts'

export interface ListenSourceOptions {
  readonly connections: ResolvedConnections
  readonly channel: string
  readonly heartbeat: number
  /** Another connection, over which the test notification goes. */
  readonly session: Session
}

interface Listener {
  readonly client: pg.ClientBase
  close(): Promise<void>
}

const notify = statement('select pg_notify($1, $2)')
const ping = statement('select 1')
/** The first character of a notification that only asks whether notifications arrive. */
const testMark = 't'

/** Listens to one channel on a connection of its own, which ends with the first trouble: `BusSubscription` opens the next. */
export async function openListener(options: ListenSourceOptions, events: SourceEvents): Promise<() => Promise<void>> {
  const { channel, connections } = options
  const { timeout } = connections
  const listener = await connect(connections)
  const { client } = listener
  const reader = new NotificationReader()
  const test = `${testMark}${randomBytes(12).toString('base64url')}`
  let hear = (): void => {}
  const heard = new Promise<void>((resolve) => {
    hear = resolve
  })
  // Other channels may reach the same connection (RACES R15).
  client.on('notification', ({ channel: from, payload = '' }) => {
    if (from !== channel) return
    if (payload[0] !== testMark) deliver(reader.read(payload), events)
    else if (payload === test) hear()
  })
  client.on('error', () => events.lost())
  client.on('end', () => events.lost())
  try {
    await query(client, statement(`listen ${quoteIdentifier(channel)}`), [], false, 'subscribe', timeout)
    await options.session.run(notify, [channel, test], 'subscribe', timeout)
    await within(timeout, heard)
  } catch (error) {
    await listener.close()
    throw postgresError(error, 'subscribe')
  }
  const stopHeartbeat = startHeartbeat(client, options, events)
  return async () => {
    stopHeartbeat()
    await listener.close()
  }
}

/** A message that cannot be read was meant for us all the same: anything may have changed. */
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
async function within(timeout: number, heard: Promise<void>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const end = deadline(timeout, () => {
      const message =
        'LISTEN was accepted, but a test notification did not arrive: a pooler in transaction mode swallows them. Give the bus a URL that leads to the server itself'
      reject(new CacheError('UNSUPPORTED', message, details('subscribe')))
    })
    void heard.then(() => {
      end()
      resolve()
    })
  })
}

async function connect(connections: ResolvedConnections): Promise<Listener> {
  const { pool, connectTimeout, timeout } = connections
  if (pool === undefined) {
    const Client = gracefulClient({ connectTimeout })
    const client = new Client(clientConfig(connections))
    await client.connect()
    return { client, close: () => end(client) }
  }
  const client = await new Promise<pg.PoolClient>((resolve, reject) => {
    let isLate = false
    const stop = deadline(timeout, () => {
      isLate = true
      reject(timeoutError('subscribe', timeout))
    })
    pool.connect((error, found) => {
      stop()
      if (error !== undefined || found === undefined) reject(error)
      else if (isLate) found.release()
      else resolve(found)
    })
  })
  // Not back to the pool: it still listens, and may be broken.
  return { client, close: async () => client.release(true) }
}

/** Ends the connection without waiting for a server that may be frozen. */
async function end(client: pg.Client): Promise<void> {
  client.connection.stream.destroy()
  await client.end().catch(() => {})
}

/**
 * Asks the server from time to time whether it is still there. A listener only listens, so that without this a connection
 * that was cut in silence (a power failure, a firewall) would look healthy for ever.
 */
function startHeartbeat(client: pg.ClientBase, options: ListenSourceOptions, events: SourceEvents): () => void {
  const { heartbeat, connections } = options
  let isAsking = false
  const timer = setInterval(() => {
    if (isAsking) return
    isAsking = true
    query(client, ping, [], false, 'heartbeat', connections.timeout).then(
      () => {
        isAsking = false
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

function details(operation: string): { operation: string; backend: string } {
  return { operation, backend: 'postgres' }
}
