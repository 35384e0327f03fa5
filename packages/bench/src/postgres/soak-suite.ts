import { PostgresBackend } from '@cache/postgres'
import { startPostgres } from '@cache/workspace'
import type { Suite } from '../harness/suite.ts'
import type { Soaked } from '../server/soak.ts'
import { soakSuite } from '../server/soak-suite.ts'

/**
 * Few connections, so that the load itself can exhaust them. It writes through to the disk, so it keeps acknowledged
 * writes.
 */
function soaked(pipeline: boolean): Soaked {
  return {
    start: () => startPostgres({ durable: true, config: { max_connections: 25 } }),
    open: (url, timeout) => new PostgresBackend({ url, timeout, connectTimeout: timeout, pipeline }),
  }
}

export const suite: Suite = soakSuite('postgres-soak', { '@cache/postgres': soaked(false), pipelined: soaked(true) })
