import type { BackendEvent } from '@cache/core/backend'
import { waitUntil } from '@cache/workspace'
import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { afterAll, expect, inject, it } from 'vitest'
import { PostgresBackend } from '../../src/index.ts'
import { generousLimits } from '../generous-limits.ts'
import { item } from '../items.ts'
import { tableName } from '../table-name.ts'

const url = inject('postgresUrl')
const admin = new pg.Pool({ connectionString: url, max: 1 })
afterAll(() => admin.end())

it('a listener receives events of the types that it names, and without types of all', async () => {
  const table = tableName()
  const backend = new PostgresBackend({ url, table, maxEntries: 20, ...generousLimits })
  const seen = new Map<string, Set<string>>()
  const listenTo = (name: string, types?: readonly BackendEvent['type'][]): (() => void) => {
    const received = new Set<string>()
    seen.set(name, received)
    return backend.listen((event) => received.add(event.type), types)
  }
  listenTo('evict', ['evict'])
  listenTo('expire', ['expire'])
  listenTo('error', ['error'])
  listenTo('two', ['expire', 'error'])
  listenTo('none', [])
  listenTo('all')
  const stop = listenTo('stopped', ['evict', 'expire', 'error'])
  stop()
  await backend.set(item('damaged', 1))
  await admin.query(`update ${table} set value = ''`)
  expect(await backend.get('damaged')).toBe(undefined)
  await backend.set(item('old', 1, { expiresAt: Date.now() + 3_600_000 }))
  await admin.query(`update ${table} set expires_at = statement_timestamp() where key = 'old'`)
  expect(await backend.removeExpired()).toBe(1)
  for (let n = 0; n < 60; n += 1) await backend.set(item(`k${n}`, n))
  await waitUntil('an eviction', () => seen.get('all')?.has('evict'))
  await backend.close()
  expect(Object.fromEntries([...seen].map(([name, types]) => [name, [...types].sort()]))).toEqual({
    evict: ['evict'],
    expire: ['expire'],
    error: ['error'],
    two: ['error', 'expire'],
    none: [],
    all: ['error', 'evict', 'expire'],
    stopped: [],
  })
})
