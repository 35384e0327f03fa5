import { conformance } from '@cache/core/conformance'
import type {} from '@cache/workspace/postgres-setup'
import { describe, inject, it } from 'vitest'
import { postgresHarness } from './postgres-harness.ts'

conformance(postgresHarness({ name: "postgres with the server's clock", url: inject('postgresUrl') }), { describe, it })
