import pg from 'pg'
import { ClientSession } from './client-session.ts'
import { gracefulClient } from './graceful-client.ts'
import type { ResolvedConnections } from './options.ts'
import { PoolSession } from './pool-session.ts'
import type { Session } from './session.ts'

/**
 * A plan that is made while the table is empty scans it, and a prepared statement keeps its plan until the next ANALYZE,
 * however fast the table grows meanwhile. Every statement here has an index to go by, so scans are ruled out, and with
 * them the planning of each call.
 */
const settings =
  "set enable_seqscan = off; set plan_cache_mode = force_generic_plan; set application_name = '@cache/postgres'"

/** The session that the options describe. */
export function openSession(options: ResolvedConnections, onError: (error: Error) => void): Session {
  const { pool, client, prepare, config, connectTimeout, timeout, maxConnections } = options
  if (pool !== undefined) return new PoolSession({ pool, owned: false, prepare, onError })
  if (client !== undefined) return new ClientSession(client, prepare)
  const own = new pg.Pool({
    // A cache that has nothing to do does not keep the process alive.
    allowExitOnIdle: true,
    keepAlive: true,
    ...config,
    max: maxConnections,
    // Those who gave up waiting leave the pool's queue.
    connectionTimeoutMillis: 2 * (connectTimeout + timeout),
    Client: gracefulClient({ connectTimeout, settings: prepare ? settings : undefined }),
  })
  return new PoolSession({ pool: own, owned: true, prepare, onError })
}
