import { existsSync } from 'node:fs'
import { type RedisOptions as ClientOptions, Redis } from 'ioredis'
import { expect, it, onTestFinished } from 'vitest'
import { type RedisOptions, type RedisServer, startRedis } from '../src/index.ts'

async function open(options: RedisOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options)
  onTestFinished(() => server.stop())
  return server
}

function connect(address: string, options: Omit<ClientOptions, 'replyMapping'> = {}): Redis {
  const client = new Redis(address, options)
  client.on('error', () => {})
  onTestFinished(() => client.disconnect())
  return client
}

function limited(url: string): Redis {
  return connect(url, { maxRetriesPerRequest: 0, enableReadyCheck: false, retryStrategy: null, commandTimeout: 1_000 })
}

it('a started server answers and uses its configuration; a stop ends the process and removes the folder', async () => {
  const server = await open({ config: { maxmemory: '5mb', 'maxmemory-policy': 'noeviction' } })
  expect(await connect(server.url).config('GET', 'maxmemory')).toEqual(['maxmemory', '5242880'])
  expect(() => process.kill(server.pid, 0)).not.toThrow()
  await server.stop()
  await server.stop()
  expect(() => process.kill(server.pid, 0)).toThrow('ESRCH')
  expect(existsSync(server.directory)).toBe(false)
})

it('two simultaneous servers have separate ports and data', async () => {
  const [one, two] = await Promise.all([open(), open()])
  expect(one.port).not.toBe(two.port)
  await connect(one.url).set('key', 'one')
  expect(await connect(two.url).get('key')).toBe(null)
})

it('a frozen server does not answer until it is thawed', async () => {
  const server = await open()
  const client = limited(server.url)
  expect(await client.ping()).toBe('PONG')
  await server.freeze()
  await expect(client.ping()).rejects.toThrow('Command timed out')
  await server.thaw()
  expect(await connect(server.url).ping()).toBe('PONG')
})

it('a frozen server can be stopped', async () => {
  const server = await open()
  await server.freeze()
  await server.stop()
  expect(() => process.kill(server.pid, 0)).toThrow('ESRCH')
})

it('a killed server refuses connections, and a restart starts a new process on the same port', async () => {
  const server = await open()
  const { pid } = server
  await server.kill()
  await expect(limited(server.url).ping()).rejects.toThrow()
  await server.restart()
  expect(server.pid).not.toBe(pid)
  expect(await connect(server.url).ping()).toBe('PONG')
})

it('a server with an append-only file keeps its data over a restart', async () => {
  const server = await open({ config: { appendonly: 'yes' } })
  await connect(server.url).set('key', 'kept')
  await server.restart()
  expect(await connect(server.url).get('key')).toBe('kept')
})

it('a server with a password and users refuses all other clients', async () => {
  const server = await open({ password: 'a b/c', users: ['reader on >secret ~app:* +@read +@connection'] })
  expect(await connect(server.url).ping()).toBe('PONG')
  await expect(limited(`redis://127.0.0.1:${server.port}`).get('app:1')).rejects.toThrow('NOAUTH')
  const reader = limited(`redis://reader:secret@127.0.0.1:${server.port}`)
  expect(await reader.get('app:1')).toBe(null)
  await expect(reader.set('app:1', 'x')).rejects.toThrow('NOPERM')
})

it('a TLS server is trusted by its certificate and by no other', async () => {
  const [server, other] = await Promise.all([open({ tls: true }), open({ tls: true })])
  const ca = server.certificate?.pem ?? ''
  expect(await connect(server.url, { tls: { ca } }).ping()).toBe('PONG')
  const wrong = other.certificate?.pem ?? ''
  const refused = connect(server.url, { tls: { ca: wrong }, retryStrategy: null, maxRetriesPerRequest: 0 })
  await expect(refused.ping()).rejects.toThrow()
})

it('a server listens on a Unix socket with `unixSocket`', async () => {
  const server = await open({ unixSocket: true })
  expect(await connect(server.unixSocket ?? '').ping()).toBe('PONG')
})

it('a failed start rejects with the end of the log', async () => {
  await expect(startRedis({ config: { 'no-such-directive': 1 } })).rejects.toThrow('no-such-directive')
})
