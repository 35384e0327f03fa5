import { firstLockTimeout } from '../batching/locked-rows.ts'
import type { ResolvedConnections } from '../options.ts'
import { clientConfig } from './client-config.ts'
import { ClientSession } from './client-session.ts'
import { gracefulClient } from './own-client.ts'
import { OwnSession } from './own-session.ts'
import { PoolSession } from './pool-session.ts'
import type { Session } from './session.ts'

/**
 * A plan that is made while the table is empty scans it, and a prepared statement keeps its plan until the next ANALYZE,
 * however fast the table grows meanwhile. Every statement here has an index to go by, so scans are ruled out, and with
 * them the planning of each call.
 */
function settings(lockTimeout: number): Readonly<Record<string, string>> {
  return {
    enable_seqscan: 'off',
    plan_cache_mode: 'force_generic_plan',
    lock_timeout: `${lockTimeout}ms`,
  }
}

/** Enough to fill the way to the server; more would only wait in its socket. */
const statementsPerPipeline = 64

/** The session that the options describe. */
export function openSession(options: ResolvedConnections, onError: (error: Error) => void): Session {
  const { pool, client, prepare } = options
  const lockTimeout = firstLockTimeout(options.lockTimeout)
  if (pool !== undefined) return new PoolSession({ pool, prepare, lockTimeout, onError })
  if (client !== undefined) return new ClientSession(client, { prepare, lockTimeout: `${lockTimeout}ms` })
  const { connectTimeout, maxConnections, pipeline } = options
  const Client = gracefulClient({ connectTimeout, ...(prepare ? { settings: settings(lockTimeout) } : {}) })
  return new OwnSession({
    open: () => new Client({ ...clientConfig(options), pipeline }),
    maxConnections,
    perConnection: pipeline ? statementsPerPipeline : 1,
    prepare,
    lockTimeout,
    onError,
  })
}
