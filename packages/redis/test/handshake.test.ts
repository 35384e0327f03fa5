import { type BackendEvent, type CacheError, cacheErrorCode } from '@cache/core/backend'
import { startRedis, startRedisSentinel, waitUntil } from '@cache/workspace'
import type { RedisOptions } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { RedisBackend, type RedisBackendOptions, RedisBus, RedisTrackingBus } from '../src/index.ts'
import { RecordingListener } from './bus/recording-listener.ts'
import { expectToServe, item } from './expect-to-serve.ts'
import { startManglingProxy } from './mangling-proxy.ts'
import { closeAfterTest, openBackend, openRedis } from './resources.ts'
import { rights } from './rights.ts'

/** A slow machine must not look like a refusal. */
const patient = { timeout: '15s', connectTimeout: '15s' } as const

async function failureOf(call: Promise<unknown>): Promise<CacheError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(cacheErrorCode(error)).toBe('UNAVAILABLE')
  return error as CacheError
}

/** Expects that no operation is served, each for this reason. */
async function expectToServeNothing(backend: RedisBackend, reason: RegExp): Promise<void> {
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    get: () => backend.get('k'),
    gets: () => Promise.all([backend.get('j'), backend.get('k'), backend.get('l')]),
    getMany: () => backend.getMany(['k', 'l']),
    set: () => backend.set(item('k', 1)),
    setMany: () => backend.setMany([item('k', 1), item('l', 1)]),
    delete: () => backend.delete('k'),
    compareAndSet: () => backend.compareAndSet('k', undefined, item('k', 1)),
    increment: () => backend.increment?.('n', 1) ?? Promise.resolve(),
    clear: () => backend.clear(),
    stats: () => backend.stats(),
    keys: async () => {
      for await (const _ of backend.keys()) return
    },
  }
  for (const [name, call] of Object.entries(calls)) {
    expect([name, (await failureOf(call())).message]).toEqual([name, expect.stringMatching(reason)])
  }
}

async function expectSilentBuses(options: { url: string; options?: RedisOptions }, reason: RegExp): Promise<void> {
  const bus = closeAfterTest(new RedisBus({ ...options, ...patient }))
  const tracking = closeAfterTest(new RedisTrackingBus({ ...options, ...patient }))
  const listener = new RecordingListener()
  for (const call of [
    () => bus.subscribe(listener),
    () => tracking.subscribe(listener),
    () => bus.publish({ kind: 'clear', source: 's', prefix: '' }),
  ]) {
    expect((await failureOf(call())).message).toMatch(reason)
  }
}

describe('a database that the server does not have', () => {
  it('serves nothing, by URL and by options, and database 0 stays unchanged', async () => {
    const server = closeAfterTest(await startRedis())
    const redis = openRedis(server.url)
    await redis.set('cache:k', 'of another application')
    const reason = /refused SELECT 99: ERR DB index is out of range/
    for (const options of [
      { url: `${server.url}/99` },
      { url: server.url, options: { db: 99 } },
      { options: { host: server.host, port: server.port, db: 99 } },
      { options: { host: server.host, port: server.port, db: 99, enableReadyCheck: false } },
      { options: { host: server.host, port: server.port, db: 99, protocol: 2 as const } },
    ]) {
      const backend = openBackend({ ...options, ...patient })
      await expectToServeNothing(backend, reason)
    }
    expect(await redis.keys('*')).toEqual(['cache:k'])
  })

  it('is reported by an event with the reason', async () => {
    const server = closeAfterTest(await startRedis())
    const backend = openBackend({ url: `${server.url}/99`, ...patient })
    const events: BackendEvent[] = []
    backend.listen((event) => events.push(event))
    await failureOf(backend.get('k'))
    expect(events.map((event) => event.type === 'error' && event.error)).toContainEqual(
      expect.objectContaining({ code: 'UNAVAILABLE', message: expect.stringMatching(/refused SELECT 99/) }),
    )
  })

  it('carries no bus', async () => {
    const server = closeAfterTest(await startRedis())
    await expectSilentBuses({ url: `${server.url}/99` }, /refused SELECT 99/)
  })

  it('serves nothing through an injected client either, which stays open', async () => {
    const server = closeAfterTest(await startRedis())
    for (const options of [{}, { protocol: 2 as const }, { enableReadyCheck: false }]) {
      const client = openRedis(`${server.url}/99`, options)
      const backend = openBackend({ client, ...patient })
      await expectToServeNothing(backend, /refused SELECT 99/)
      expect(client.status).toBe('ready')
    }
    expect(await openRedis(server.url).dbsize()).toBe(0)
  })

  it('serves nothing behind Sentinel', async () => {
    const group = closeAfterTest(await startRedisSentinel())
    const sentinels = group.sentinels.map(({ host, port }) => ({ host, port }))
    const backend = openBackend({ options: { sentinels, name: group.name, db: 99 }, ...patient })
    expect((await failureOf(backend.set(item('k', 1)))).message).toMatch(/refused SELECT 99/)
    expect((await failureOf(backend.get('k'))).message).toMatch(/refused SELECT 99/)
  })
})

describe('a user without the right to a step of the handshake', () => {
  const withRights = (more: string): string => `limited on >secret ${rights} ${more}`

  it('is served nothing where SELECT is refused, also on a bus', async () => {
    const server = closeAfterTest(await startRedis({ users: [withRights('allchannels +publish +subscribe -select')] }))
    const url = `redis://limited:secret@${server.host}:${server.port}`
    await expectToServe(openBackend({ url, ...patient }))
    const reason = /refused SELECT 1: NOPERM/
    await expectToServeNothing(openBackend({ url: `${url}/1`, ...patient }), reason)
    await expectSilentBuses({ url: `${url}/1` }, reason)
    expect(await openRedis(server.url).dbsize()).toBe(0)
  })

  it('is served nothing after a reconnect without the right, and is served again with it', async () => {
    const server = closeAfterTest(await startRedis({ users: [withRights('')] }))
    const admin = openRedis(server.url)
    const backend = openBackend({ url: `redis://limited:secret@${server.host}:${server.port}/1`, ...patient })
    await backend.set(item('k', 'in database 1'))
    await admin.call('ACL', 'SETUSER', 'limited', '-select')
    await admin.client('KILL', 'USER', 'limited')
    await waitUntil('the end of the connection', () =>
      backend.get('k').then(
        () => false,
        () => true,
      ),
    )
    await waitUntil('the refusal', async () => /refused SELECT 1/.test((await failureOf(backend.get('k'))).message))
    await expectToServeNothing(backend, /refused SELECT 1: NOPERM/)
    expect(await admin.dbsize()).toBe(0)
    await admin.call('ACL', 'SETUSER', 'limited', '+select')
    await waitUntil('the backend to work again', async () => (await backend.get('k'))?.value === 'in database 1')
  })

  it('is served nothing after a reconnect of an injected client without the right', async () => {
    const server = closeAfterTest(await startRedis({ users: [withRights('')] }))
    const admin = openRedis(server.url)
    const client = openRedis(`redis://limited:secret@${server.host}:${server.port}/1`)
    const backend = openBackend({ client, ...patient })
    await backend.set(item('k', 'in database 1'))
    await admin.call('ACL', 'SETUSER', 'limited', '-select')
    const refused = new Promise((resolve) => client.once('close', () => client.once('ready', resolve)))
    await admin.client('KILL', 'USER', 'limited')
    await refused
    await expectToServeNothing(backend, /refused SELECT 1: NOPERM/)
    expect(await admin.dbsize()).toBe(0)
  })

  it('is served nothing where the name or the mode that the options ask for is refused', async () => {
    const server = closeAfterTest(await startRedis({ users: [withRights('-client')] }))
    const at = { host: server.host, port: server.port, username: 'limited', password: 'secret' }
    await expectToServe(openBackend({ options: at, ...patient }))
    const named = openBackend({ options: { ...at, connectionName: 'mine' }, ...patient })
    await expectToServeNothing(named, /refused CLIENT SETNAME: NOPERM/)
    const reading = openBackend({ options: { ...at, readOnly: true }, ...patient })
    await expectToServeNothing(reading, /refused READONLY: ERR This instance has cluster support disabled/)
  })

  it('is served nothing where AUTH is refused, although the server has no password', async () => {
    const server = closeAfterTest(await startRedis())
    const options = { host: server.host, port: server.port, password: 'hunter2', protocol: 2 as const }
    await expectToServeNothing(openBackend({ options, ...patient }), /refused AUTH: ERR AUTH <password> called without/)
  })
})

describe('a handshake', () => {
  it('whose SELECT has another reply than OK serves nothing', async () => {
    const server = closeAfterTest(await startRedis())
    const proxy = closeAfterTest(await startManglingProxy(server.url))
    for (const reply of [':1\r\n', '$-1\r\n', '*0\r\n', '+PONG\r\n']) {
      proxy.mangle = ([name]) => (name === 'select' ? reply : undefined)
      const backend = openBackend({ url: `${proxy.url}/1`, ...patient })
      expect((await failureOf(backend.get('k'))).message).toMatch(/refused SELECT 1/)
    }
  })

  it('with a server that knows no RESP3 is repeated with RESP2, and only the second one counts', async () => {
    const server = closeAfterTest(await startRedis({ password: 'hunter2' }))
    const proxy = closeAfterTest(await startManglingProxy(server.url))
    const refusals: Readonly<Record<string, string>> = {
      hello: "-ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' 'hunter2'\r\n",
      select: '-NOAUTH Authentication required.\r\n',
    }
    const left = new Map(Object.entries(refusals))
    proxy.mangle = ([name = '']) => {
      const reply = left.get(name)
      left.delete(name)
      return reply
    }
    const backend = openBackend({ url: `redis://:hunter2@127.0.0.1:${proxy.port}/1`, ...patient })
    await expectToServe(backend)
    expect(left.size).toBe(0)
    proxy.mangle = ([name = '']) => refusals[name]
    const refused = openBackend({ url: `redis://:hunter2@127.0.0.1:${proxy.port}/1`, ...patient })
    await expectToServeNothing(refused, /refused SELECT 1: NOAUTH/)
  })
})

describe('an option that names no database', () => {
  const url = 'redis://localhost'
  const refused: Readonly<Record<string, RedisBackendOptions>> = {
    'a word in the URL': { url: `${url}/abc` },
    'a negative number in the URL': { url: `${url}/-1` },
    'a fraction in the URL': { url: `${url}/1.5` },
    'two numbers in the URL': { url: `${url}/1/2` },
    'a number with a space in the URL': { url: `${url}/ 1` },
    'a number beyond all databases in the URL': { url: `${url}/99999999999` },
    'a word in the query of the URL': { url: `${url}?db=abc` },
    'a negative number in the query of the URL': { url: `${url}?db=-1` },
    'a word in the options': { options: { db: 'abc' as unknown as number } },
    'a text in the options': { options: { db: '1' as unknown as number } },
    'a negative number in the options': { options: { db: -1 } },
    'a fraction in the options': { url, options: { db: 1.5 } },
    'NaN in the options': { options: { db: Number.NaN } },
    'Infinity in the options': { options: { db: Number.POSITIVE_INFINITY } },
    'null in the options': { options: { db: null as unknown as number } },
    'a database of a Cluster': { cluster: { nodes: [{ host: 'h' }] }, options: { db: 1 } },
    'a database of all nodes of a Cluster': {
      cluster: { nodes: [{ host: 'h' }], options: { redisOptions: { db: 1 } } },
    },
    'a database of one node of a Cluster': { cluster: { nodes: ['redis://h:7000/1'] } },
  }
  for (const [name, options] of Object.entries(refused)) {
    it(`is refused before a connection opens: ${name}`, () => {
      const expected = expect.objectContaining({ name: 'CacheError', code: 'INVALID_ARGUMENT' })
      expect(() => new RedisBackend(options)).toThrow(expected)
      expect(() => new RedisBus(options)).toThrow(expected)
      expect(() => new RedisTrackingBus(options)).toThrow(expected)
    })
  }

  it('is not one of the usual forms', async () => {
    for (const options of [
      { url: `${url}/0` },
      { url: `${url}/` },
      { url: `${url}/15` },
      { url: `${url}?db=3&family=4` },
      { options: { db: 0 } },
      { cluster: { nodes: [7000, 'h:7001', 'redis://h:7002', { host: 'h', port: 7003 }] }, options: { db: 0 } },
    ]) {
      await openBackend(options).close()
    }
  })
})
