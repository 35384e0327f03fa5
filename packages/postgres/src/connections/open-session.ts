import { firstLockTimeout, momentaryLock } from '../timeouts/write-timeouts.ts'
import { clientConfig } from './client-config.ts'
import { ClientSession } from './client-session.ts'
import type { ResolvedConnections } from './connection-options.ts'
import { ownClient } from './own-client.ts'
import { OwnSession } from './own-session.ts'
import { PoolSession } from './pool-session.ts'
import type { Session } from './session.ts'

/**
 * A plan made while the table is empty scans the table. A prepared statement keeps its plan until the next ANALYZE,
 * however fast the table grows. Every statement here can use an index, so scans are turned off. One generic plan then
 * serves all calls, and no call is planned anew.
 *
 * The planner adds a very high cost to a scan that is turned off and yet needed, for example in the migration. Such a cost
 * would have the server compile the statement (`jit`), which takes about 170 ms and never pays for statements this short.
 *
 * Every statement is a transaction of its own and locks its rows itself. A stricter isolation level would protect nothing
 * more, and would refuse concurrent writes to one key.
 */
function settings(lockTimeout: number): Readonly<Record<string, string>> {
  return {
    default_transaction_isolation: 'read committed',
    enable_seqscan: 'off',
    jit: 'off',
    plan_cache_mode: 'force_generic_plan',
    lock_timeout: `${lockTimeout}ms`,
  }
}

/** Enough statements to keep the connection busy; further ones would only wait in the server's socket. */
const statementsPerPipeline = 64

/** The session that the options describe. */
export function openSession(options: ResolvedConnections, onError: (error: Error) => void): Session {
  const { pool, client, prepare, pipeline } = options
  const longest = firstLockTimeout(options.lockTimeout)
  // Statements of other batches follow on a connection that pipelines, and would wait too.
  const lockTimeout = pipeline ? Math.min(longest, momentaryLock) : longest
  if (pool !== undefined) return new PoolSession({ pool, prepare, lockTimeout, onError })
  if (client !== undefined) return new ClientSession(client, { prepare, lockTimeout: `${lockTimeout}ms` })
  const { connectTimeout, maxConnections } = options
  const Client = ownClient({ connectTimeout, ...(prepare ? { settings: settings(lockTimeout) } : {}) })
  return new OwnSession({
    open: () => new Client({ ...clientConfig(options), pipeline }),
    maxConnections,
    perConnection: pipeline ? statementsPerPipeline : 1,
    prepare,
    lockTimeout,
    onError,
  })
}
