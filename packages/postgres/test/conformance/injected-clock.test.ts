import { conformance } from '@cache/core/conformance'
import { startPostgres } from '@cache/workspace'
import { afterAll, describe, it } from 'vitest'
import { postgresHarness } from './postgres-harness.ts'

// A server of its own, because some rules restart it.
const server = await startPostgres({ durable: true })
afterAll(() => server.stop())

conformance(
  postgresHarness({
    name: 'postgres with an injected clock',
    url: server.url,
    withClock: true,
    restart: () => server.restart(),
  }),
  { describe, it },
)
