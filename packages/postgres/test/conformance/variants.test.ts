import { conformance, throughTwoHandles } from '@cache/core/conformance'
import type {} from '@cache/workspace/postgres-setup'
import { describe, inject, it } from 'vitest'
import { postgresHarness } from './postgres-harness.ts'

const url = inject('postgresUrl')

conformance(
  postgresHarness({ name: 'postgres, pipelined, under a prefix', url, options: { pipeline: true, prefix: 'app' } }),
  { describe, it },
)

conformance(
  postgresHarness({
    name: 'postgres, unlogged, encrypted and compressed',
    url,
    withClock: true,
    options: {
      unlogged: true,
      encryption: { keys: [new Uint8Array(32).fill(7)] },
      compression: { algorithm: 'gzip' },
    },
  }),
  { describe, it },
)

conformance(throughTwoHandles(postgresHarness({ name: 'postgres through two handles', url, withClock: true })), {
  describe,
  it,
})
