import pg from 'pg'
import { ClientSession } from './client-session.ts'
import { gracefulClient } from './graceful-client.ts'
import type { ResolvedConnections } from './options.ts'
import { PipelineSession } from './pipeline-session.ts'
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
  const { pool, client, prepare } = options
  if (pool !== undefined) return new PoolSession({ pool, owned: false, prepare, onError })
  if (client !== undefined) return new ClientSession(client, prepare)
  return options.pipeline ? openPipeline(options, onError) : openPool(options, onError)
}

function openPool(options: ResolvedConnections, onError: (error: Error) => void): Session {
  const { prepare, config, connectTimeout, timeout, maxConnections } = options
  const pool = new pg.Pool({
    // A cache that has nothing to do does not keep the process alive.
    allowExitOnIdle: true,
    keepAlive: true,
    ...config,
    max: maxConnections,
    // Those who gave up waiting leave the pool's queue.
    connectionTimeoutMillis: 2 * (connectTimeout + timeout),
    Client: clientClass(options),
  })
  return new PoolSession({ pool, owned: true, prepare, onError })
}

function openPipeline(options: ResolvedConnections, onError: (error: Error) => void): Session {
  const { prepare, config, maxConnections } = options
  const Client = clientClass(options)
  return new PipelineSession({
    open: () => new Client({ keepAlive: true, ...config, pipeline: true }),
    size: maxConnections,
    prepare,
    onError,
  })
}

function clientClass({ connectTimeout, prepare }: ResolvedConnections): ReturnType<typeof gracefulClient> {
  return gracefulClient({ connectTimeout, settings: prepare ? settings : undefined })
}
