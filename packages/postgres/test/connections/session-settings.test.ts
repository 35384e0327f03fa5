import type {} from '@cache/workspace/postgres-setup'
import { expect, inject, it } from 'vitest'
import { resolveConnections } from '../../src/connections/connection-options.ts'
import { openSession } from '../../src/connections/open-session.ts'
import { statement } from '../../src/connections/statement.ts'

const names = ['default_transaction_isolation', 'enable_seqscan', 'jit', 'plan_cache_mode']

it('an own session has the settings that its short statements need', async () => {
  const session = openSession(resolveConnections({ url: inject('postgresUrl') }, 'new PostgresBackend'), () => {})
  const columns = names.map((name) => `current_setting('${name}')`).join(', ')
  const rows = await session.run(statement(`select ${columns}`, names.length), [], 'get', 30_000)
  await session.close()
  const settings = rows.map((row) => row.map(String))
  expect(settings).toEqual([['read committed', 'off', 'off', 'force_generic_plan']])
})
