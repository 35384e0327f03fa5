import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { expect, inject, it, vi } from 'vitest'
import { ownClient } from '../../src/connections/own-client.ts'
import { PreparedQuery } from '../../src/connections/prepared-query.ts'
import type { ResultRow } from '../../src/connections/session.ts'
import { bytesStatement, type Statement, statement } from '../../src/connections/statement.ts'

// The package uses parts of `pg` that its documentation does not mention. Where one of them has changed, the package falls
// back to slower ways without an error, or breaks only in rare cases. These tests fail instead.

const url = inject('postgresUrl')

interface Connection {
  readonly parsedStatements: Record<string, string | undefined>
  readonly submittedNamedStatements: Record<string, string | undefined>
  readonly stream: { write(bytes: Buffer): boolean }
}

function connectionOf(client: pg.Client): Connection {
  return client.connection as unknown as Connection
}

const OwnClient = ownClient({ connectTimeout: 30_000, settings: { application_name: 'internals' } })

function run(client: pg.Client, query: Statement, values: Buffer[]): Promise<ResultRow[]> {
  return new Promise((resolve, reject) => {
    const prepared = new PreparedQuery(query, values, 'test', (error, rows) =>
      error === undefined ? resolve(rows) : reject(error),
    )
    client.query(prepared as unknown as pg.Submittable)
  })
}

it.each([false, true])('an own client reads bytes and knows its session, with pipeline %j', async (pipeline) => {
  const client = new OwnClient({ connectionString: url, pipeline } as pg.ClientConfig)
  expect(client.givesRawRows).toBe(true)
  await client.connect()
  expect(client.isExclusive).toBe(true)
  const { raw } = bytesStatement(1, 0, '$1::bytea', (column) => `select ${column}`)
  const bytes = Buffer.from([0, 255, 128])
  expect(await run(client, raw as Statement, [bytes])).toEqual([[bytes]])
  await client.end()
})

it('`pg` keeps the names of prepared statements where the package reads and writes them', async () => {
  const client = new OwnClient({ connectionString: url })
  await client.connect()
  const connection = connectionOf(client)
  const query = statement('select $1::text', 1)
  const write = vi.spyOn(connection.stream, 'write')
  const first = run(client, query, [Buffer.from('a')])
  expect(connection.submittedNamedStatements[query.name]).toBe(query.text)
  expect(await first).toEqual([['a']])
  expect(connection.parsedStatements[query.name]).toBe(query.text)
  expect(connection.submittedNamedStatements[query.name]).toBe(undefined)
  const writes = write.mock.calls.length
  expect(await run(client, query, [Buffer.from('b')])).toEqual([['b']])
  expect(write.mock.calls.length).toBe(writes + 1)
  const damaged = statement('select $1::no_such_type', 1)
  await expect(run(client, damaged, [Buffer.from('c')])).rejects.toMatchObject({ code: '42704' })
  expect(connection.submittedNamedStatements[damaged.name]).toBe(undefined)
  expect(connection.parsedStatements[damaged.name]).toBe(undefined)
  await client.end()
})

it('a query of this package has every method that the client of `pg` calls, and passes its check of the class', () => {
  const prepared = new PreparedQuery(statement('select 1', 1), [], 'test', () => {})
  expect(prepared).toBeInstanceOf(pg.Query)
  const source = Object.getOwnPropertyNames(pg.Client.prototype)
    .map((name) => Object.getOwnPropertyDescriptor(pg.Client.prototype, name)?.value as unknown)
    .filter((method) => typeof method === 'function')
    .join('\n')
  const called = new Set([...source.matchAll(/uery\.(handle\w+|submit)\(/g)].map(([, name]) => name as string))
  expect(called.size).toBeGreaterThan(6)
  for (const name of called) expect([name, typeof Reflect.get(prepared, name)]).toEqual([name, 'function'])
})

it('a client has the socket that the package destroys and detaches, and a pool has its methods', () => {
  const client = new pg.Client()
  const { stream } = client.connection as unknown as { readonly stream: object }
  for (const name of ['destroy', 'ref', 'unref', 'write', 'cork', 'uncork']) {
    expect([name, typeof Reflect.get(stream, name)]).toEqual([name, 'function'])
  }
  expect(typeof Reflect.get(client, 'unref')).toBe('function')
  expect('processID' in client).toBe(true)
  const pool = new pg.Pool({ max: 3 })
  expect(pool.options.max).toBe(3)
  for (const name of ['connect', 'on', 'off', 'setMaxListeners', 'getMaxListeners']) {
    expect([name, typeof Reflect.get(pool, name)]).toEqual([name, 'function'])
  }
})
