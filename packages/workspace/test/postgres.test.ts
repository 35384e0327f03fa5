import { existsSync } from 'node:fs'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { type PostgresOptions, type PostgresServer, startPgBouncer, startPostgres } from '../src/index.ts'

async function open(options: PostgresOptions = {}): Promise<PostgresServer> {
  const server = await startPostgres(options)
  onTestFinished(() => server.stop())
  return server
}

async function connect(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config)
  client.on('error', () => {})
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

async function value(client: pg.Client, sql: string): Promise<unknown> {
  const result = await client.query({ text: sql, rowMode: 'array' })
  return result.rows[0]?.[0]
}

it('a started server answers and uses its configuration; a stop ends the process and removes the folder', async () => {
  const server = await open({ config: { max_connections: 12, application_name: "it's" } })
  const client = await connect({ connectionString: server.url })
  expect(await value(client, 'show max_connections')).toBe('12')
  expect(await value(client, 'show fsync')).toBe('off')
  await server.stop()
  expect(() => process.kill(server.pid, 0)).toThrow('ESRCH')
  expect(existsSync(server.directory)).toBe(false)
})

it('a durable server syncs its commits to the disk', async () => {
  const server = await open({ durable: true })
  const client = await connect({ connectionString: server.url })
  expect(await value(client, 'show fsync')).toBe('on')
  expect(await value(client, 'show full_page_writes')).toBe('on')
})

it('a restarted server has every commit that it acknowledged before it was killed', async () => {
  const server = await open()
  const before = await connect({ connectionString: server.url })
  await before.query('create table t (n int)')
  await before.query('insert into t values (42)')
  await server.kill()
  await expect(connect({ connectionString: server.url })).rejects.toThrow('ECONNREFUSED')
  await server.restart()
  const after = await connect({ connectionString: server.url })
  expect(await value(after, 'select n from t')).toBe(42)
})

it('a frozen server does not answer on open connections either, until it is thawed', async () => {
  const server = await open()
  const client = await connect({ connectionString: server.url, query_timeout: 1_000 })
  expect(await value(client, 'select 1')).toBe(1)
  await server.freeze()
  await expect(value(client, 'select 2')).rejects.toThrow('timeout')
  await server.thaw()
  expect(await value(await connect({ connectionString: server.url }), 'select 3')).toBe(3)
})

it('a TLS server is trusted by its certificate and by no other', async () => {
  const [server, other] = await Promise.all([open({ tls: true }), open({ tls: true })])
  const ca = server.certificate?.pem ?? ''
  const client = await connect({ connectionString: server.url, ssl: { ca } })
  expect(await value(client, 'select ssl from pg_stat_ssl where pid = pg_backend_pid()')).toBe(true)
  const wrong = other.certificate?.pem ?? ''
  await expect(connect({ connectionString: server.url, ssl: { ca: wrong } })).rejects.toThrow('self-signed')
})

it('PgBouncer in transaction mode gives one server connection to many clients in turn', async () => {
  const server = await open()
  const bouncer = await startPgBouncer(server.url, { poolMode: 'transaction', poolSize: 1 })
  onTestFinished(() => bouncer.stop())
  const [one, two] = await Promise.all([
    connect({ connectionString: bouncer.url }),
    connect({ connectionString: bouncer.url }),
  ])
  const pid = await value(one, 'select pg_backend_pid()')
  expect(typeof pid).toBe('number')
  expect(await value(two, 'select pg_backend_pid()')).toBe(pid)
})
