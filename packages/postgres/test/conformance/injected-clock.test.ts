import { conformance } from '@cache/core/conformance'
import { startPostgres } from '@cache/testing'
import { afterAll, describe, it } from 'vitest'
import { postgresHarness } from './postgres-harness.ts'

// A server of its own, which the rules that ask for it restart.
const server = await startPostgres({ durable: true })
afterAll(() => server.stop())

conformance(
  postgresHarness({
    name: 'postgres by a clock that was handed in',
    url: server.url,
    withClock: true,
    restart: () => server.restart(),
  }),
  { describe, it },
)
