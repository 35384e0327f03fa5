import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { cacheErrorCode } from '@cache/core/backend'
import { startPostgres, tcpProxy, waitUntil } from '@cache/workspace'
import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { postgresError } from '../src/errors.ts'
import { PostgresBackend, type PostgresBackendOptions, PostgresBus } from '../src/index.ts'
import { generousLimits } from './generous-limits.ts'
import { item } from './items.ts'
import { tableName } from './table-name.ts'

const server = await startPostgres()
afterAll(() => server.stop())

const secret = 'hunter2secret'

/** Everything that a log could print of a value. */
function printed(value: unknown): string {
  const all = inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true })
  return `${all}\n${String(value)}\n${JSON.stringify(value)}\n${value instanceof Error ? value.stack : ''}`
}

function thrown(make: () => unknown): unknown {
  try {
    make()
  } catch (error) {
    return error
  }
  throw new Error('it was not refused')
}

describe.each<[string, (options: never) => unknown]>([
  ['PostgresBackend', (options) => new PostgresBackend(options)],
  ['PostgresBus', (options) => new PostgresBus(options)],
])('the constructor of %s', (_, make) => {
  it.each<[string, unknown]>([
    ['another scheme', `mysql://app:${secret}@host/db`],
    ['no scheme', `app:${secret}@host/db`],
    ['a port that is no number', `postgres://app:${secret}`],
    ['a port out of range', `postgres://app:${secret}@host:99999/db`],
    ['a port of zero', `postgres://app:${secret}@host:0/db`],
    ['a slash in the password', `postgres://app:/${secret}@host/db`],
    ['a slash in the password after a number', `postgres://app:12/${secret}@host/db`],
    ['a question mark in the password', `postgres://app:12?${secret}@host/db`],
    ['a number sign in the password', `postgres://app:12#${secret}@host/db`],
    ['a damaged escape', `postgres://app:%ff${secret}@host/db`],
    ['a host with a blank', `postgres://app:${secret}@ho st/db`],
    ['an open bracket', `postgres://app:${secret}@[::1/db`],
    ['a parameter `port` that is no number', `postgres://app:${secret}@host/db?port=abc`],
    ['a URL object', new URL(`postgres://app:${secret}@host/db`)],
    ['a list of URLs', [`postgres://app:${secret}@host/db`]],
    ['an empty text', ''],
  ])('refuses a URL with %s, and its message has no part of it', (_what, url) => {
    const error = thrown(() => make({ url } as never))
    expect(cacheErrorCode(error)).toBe('INVALID_ARGUMENT')
    expect((error as Error).message).toMatch(/url/i)
    expect(printed(error)).not.toContain(secret)
  })

  it.each<[string, unknown]>([
    ['a URL as options', `postgres://app:${secret}@host/db`],
    ['a URL as pool', { pool: `postgres://app:${secret}@host/db` }],
    ['a URL as options of the client', { options: `postgres://app:${secret}@host/db` }],
    ['a list as options of the client', { options: [secret] }],
    ['an unreadable connection string', { options: { connectionString: `postgres://app:/${secret}@host/db` } }],
    ['a connection string that is no text', { options: { connectionString: [secret] } }],
    ['a password that is no text', { options: { password: [secret] } }],
    ['a port in place of the password', { options: { port: secret } }],
  ])('refuses %s without a secret in the message', (_what, options) => {
    const error = thrown(() => make(options as never))
    expect(cacheErrorCode(error)).toBe('INVALID_ARGUMENT')
    expect(printed(error)).not.toContain(secret)
  })

  it.each([
    `postgres://app:${encodeURIComponent(`/?#@%${secret}`)}@host:5432/db`,
    `postgresql://app@host/db?sslmode=verify-full&application_name=me@home`,
    'postgres:///db?host=/var/run/postgresql',
    'postgres://%2Fvar%2Frun/db',
    'postgres://[::1]:5433/db',
    'postgres://host',
    'postgres://app:p@ss@host/db',
    `postgres://host/db?sslmode=verify-full&sslrootcert=/does/not/exist.pem`,
    `postgres://host/db?uselibpqcompat=true&sslmode=verify-ca&sslrootcert=/does/not/exist.pem`,
  ])('accepts %s', (url) => {
    expect(printed(make({ url } as never))).not.toContain(secret)
  })
})

it.each<[string, unknown]>([
  ['a text', secret],
  ['a text as keys', { keys: secret }],
  ['a text as key', { keys: [secret] }],
])('%s as encryption is refused, and the message does not repeat it', (_, encryption) => {
  const error = thrown(() => new PostgresBackend({ url: server.url, encryption } as never))
  expect(cacheErrorCode(error)).toBe('INVALID_ARGUMENT')
  expect(printed(error)).not.toContain(secret)
})

const key = Buffer.from('hunter2secret-hunter2secret-1234')

/** A server that accepts connections and never replies, or ends them. */
async function silentServer(ends: boolean): Promise<{ readonly port: number; close(): void }> {
  const listener = createServer((socket) => {
    socket.on('error', () => {})
    if (ends) socket.end()
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return { port: (listener.address() as AddressInfo).port, close: () => listener.close() }
}

it('no failure to connect, and neither a backend nor a bus, shows the password or the encryption keys', async () => {
  const [ending, silent] = [await silentServer(true), await silentServer(false)]
  const folder = await mkdtemp(join(tmpdir(), 'cache-secrets-'))
  const damaged = join(folder, 'key.pem')
  await writeFile(damaged, `-----BEGIN PRIVATE KEY-----\n${secret}\n`)
  const user = `app:${secret}`
  const sources: PostgresBackendOptions[] = [
    { url: `postgres://${user}@127.0.0.1:1/db` },
    { url: `postgres://${user}@localhost:1/db` },
    { url: `postgres://${user}@127.0.0.1:${ending.port}/db` },
    { url: `postgres://${user}@127.0.0.1:${silent.port}/db` },
    { url: `postgres://${user}@no-such-host.invalid/db` },
    { url: `postgres://${user}@127.0.0.1/db?sslmode=verify-full&sslrootcert=/does/not/exist.pem` },
    { url: `postgres://${user}@127.0.0.1/db?sslmode=verify-full&sslkey=${damaged}&sslcert=${damaged}` },
    { url: server.url.replace(/\/\/[^@/]*@?/, `//no_such_role:${secret}@`) },
    { options: { host: '127.0.0.1', port: 1, password: secret, ssl: { key: secret, passphrase: secret } } },
    { options: { host: '/no/such/folder', password: secret } },
    { options: { host: '127.0.0.1', port: 1, password: () => secret } },
    { options: { connectionString: `postgres://${user}@127.0.0.1:1/db` } },
    { pool: new pg.Pool({ connectionString: `postgres://${user}@127.0.0.1:1/db`, password: secret }) },
    { pool: new pg.Pool({ connectionString: `postgres://app:/${secret}@host/db` }) },
  ]
  for (const source of sources) {
    const limits = { timeout: 500, connectTimeout: 300 }
    const backend = new PostgresBackend({ ...source, ...limits, encryption: { keys: [key] } })
    const bus = new PostgresBus({ ...source, ...limits })
    const seen: unknown[] = [backend, bus]
    backend.listen((event) => seen.push(event))
    const listener = { message() {}, connected() {}, disconnected() {}, error: (error: Error) => seen.push(error) }
    for (const call of [
      () => backend.get('k'),
      () => backend.set(item('k', 1)),
      () => backend.stats(),
      () => bus.publish({ kind: 'foreign', source: 's' }),
      () => bus.subscribe(listener),
    ]) {
      const error = await call().then(
        () => 'resolved',
        (reason: unknown) => reason,
      )
      expect(['UNAVAILABLE', 'TIMEOUT', 'BACKEND_FAILURE']).toContain(cacheErrorCode(error))
      seen.push(error)
    }
    for (const one of seen) {
      expect(printed(one)).not.toContain(secret)
      expect(printed(one)).not.toContain(key.toString('hex'))
    }
    await bus.close()
    await backend.close()
  }
  ending.close()
  silent.close()
  await rm(folder, { recursive: true })
})

it('the event of a lost connection of a pool has no client, whose parameters hold the password', async () => {
  await using proxy = await tcpProxy(server.url)
  const url = new URL(proxy.url)
  url.password = secret
  const pool = new pg.Pool({ connectionString: url.href, password: secret })
  const backend = new PostgresBackend({ pool, table: tableName(), ...generousLimits })
  const events: unknown[] = []
  backend.listen((event) => events.push(event))
  await backend.set(item('k', 1))
  proxy.drop()
  await waitUntil('the event', () => events.length > 0)
  expect(printed(events)).not.toContain(secret)
  expect(events).toMatchObject([{ type: 'error', error: { code: 'UNAVAILABLE' } }])
  await backend.close()
  await pool.end()
})

it('a certificate whose file disappears fails later calls and never ends the process', async () => {
  await using proxy = await tcpProxy(server.url)
  const folder = await mkdtemp(join(tmpdir(), 'cache-secrets-'))
  const file = join(folder, 'ca.pem')
  await writeFile(file, '')
  const backend = new PostgresBackend({
    url: `${proxy.url}?sslrootcert=${encodeURIComponent(file)}`,
    options: { ssl: false },
    table: tableName(),
    ...generousLimits,
    maxConnections: 1,
  })
  await backend.set(item('k', 1))
  await rm(folder, { recursive: true })
  proxy.drop()
  await waitUntil('the connection to be lost', () => proxy.connections === 0)
  const outcomes = await Promise.all([0, 1].map(() => backend.get('k').catch(cacheErrorCode)))
  expect(outcomes).toEqual(['UNAVAILABLE', 'UNAVAILABLE'])
  await backend.close()
})

it.each<[string, unknown]>([
  ['a client', Object.assign(new Error('lost'), { client: { password: secret } })],
  [
    'a URL',
    Object.assign(new TypeError('Invalid URL'), { code: 'ERR_INVALID_URL', input: `postgres://a:${secret}@h` }),
  ],
  ['a URL in the message', new Error(`Invalid URL: postgres://a:${secret}@h/db`)],
  ['a URL of another scheme in the message', new Error(`cannot reach https://a:${secret}@h/db`)],
  ['a symbol', Object.assign(new Error('lost'), { [Symbol('client')]: { password: secret } })],
  ['a cause with a client', new Error('lost', { cause: Object.assign(new Error('x'), { client: { secret } }) })],
  ['errors with clients', new AggregateError([Object.assign(new Error('x'), { client: { secret } })], 'all')],
  ['an object', { password: secret }],
  ['a function', Object.assign(() => 1, { password: secret })],
])('an error of the driver with %s is passed on without it', (_, error) => {
  expect(printed(postgresError(error, 'get'))).not.toContain(secret)
})

it('a cause keeps its class and the members that describe the failure', () => {
  const error = Object.assign(new RangeError('lost'), { code: '53200', severity: 'ERROR', client: { secret } })
  const { code, cause } = postgresError(error, 'get')
  expect(code).toBe('OUT_OF_MEMORY')
  expect(cause).toBeInstanceOf(RangeError)
  expect(cause).toMatchObject({ message: 'lost', code: '53200', severity: 'ERROR', stack: error.stack })
})
