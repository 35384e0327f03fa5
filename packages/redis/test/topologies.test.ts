import { cacheErrorCode } from '@cache/core/backend'
import { startRedis, startRedisSentinel, waitUntil } from '@cache/workspace'
import { describe, expect, it } from 'vitest'
import { RedisBus, RedisTrackingBus } from '../src/index.ts'
import { RecordingListener } from './bus/recording-listener.ts'
import { expectToServe, item } from './expect-to-serve.ts'
import { Load } from './load.ts'
import { closeAfterTest, openBackend, openRedis } from './resources.ts'
import { rights } from './rights.ts'

describe('a server with TLS', () => {
  it('serves clients that trust its certificate, and other clients refuse it', async () => {
    const server = closeAfterTest(await startRedis({ tls: true }))
    const ca = server.certificate?.pem ?? ''
    await expectToServe(openBackend({ url: server.url, options: { tls: { ca } } }))
    await expectToServe(openBackend({ options: { host: server.host, port: server.port, tls: { ca } } }))
    const distrustful = openBackend({ url: server.url })
    const error: unknown = await distrustful.get('k').catch((reason: unknown) => reason)
    expect(cacheErrorCode(error)).toBe('UNAVAILABLE')
    expect(String(error)).toMatch(/certificate/)
    const other = closeAfterTest(await startRedis({ tls: true }))
    const wrong = other.certificate?.pem ?? ''
    const mistaken = openBackend({ url: server.url, options: { tls: { ca: wrong } } })
    await expect(mistaken.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})

describe('a server with users', () => {
  it('serves a user with only the rights that the README lists, and refuses others', async () => {
    const users = [`cache on >s3cret:/@ ${rights}`, 'reader on >only ~cache:* +@read +@connection +info']
    const server = closeAfterTest(await startRedis({ password: 'default', users }))
    const at = (user: string, password: string): string =>
      `redis://${user}:${encodeURIComponent(password)}@${server.host}:${server.port}`
    await expectToServe(openBackend({ url: at('cache', 's3cret:/@') }))
    await expectToServe(
      openBackend({ options: { host: server.host, port: server.port, username: 'cache', password: 's3cret:/@' } }),
    )
    const wrong = openBackend({ url: at('cache', 'wrong') })
    const refusal: unknown = await wrong.get('k').catch((reason: unknown) => reason)
    expect(cacheErrorCode(refusal)).toBe('UNAVAILABLE')
    expect(String(refusal)).toMatch(/WRONGPASS/)
    const reader = openBackend({ url: at('reader', 'only') })
    expect(await reader.get('k')).toBe(undefined)
    await expect(reader.set(item('k', 1))).rejects.toMatchObject({ code: 'BACKEND_FAILURE', operation: 'set' })
  })
})

describe('a user of a bus', () => {
  it('needs only the rights that the README lists', async () => {
    const users = [
      `publisher on >secret resetchannels &cache:bus +@connection +info +publish +subscribe`,
      `tracker on >secret resetchannels &__redis__:invalidate ~cache:* +@connection +info +subscribe`,
    ]
    const server = closeAfterTest(await startRedis({ users }))
    const at = (user: string): string => `redis://${user}:secret@${server.host}:${server.port}`
    // Rights are the subject here: a slow machine must not look like a refusal.
    const bus = closeAfterTest(new RedisBus({ url: at('publisher'), timeout: '15s' }))
    const tracking = closeAfterTest(new RedisTrackingBus({ url: at('tracker'), timeout: '15s' }))
    const listener = new RecordingListener()
    await bus.subscribe(listener)
    await tracking.subscribe(listener)
    await bus.publish({ kind: 'clear', source: 's', prefix: '' })
    await waitUntil('the message', () => listener.messages.length === 1)
    await openRedis(server.url).set('cache:k', 1)
    await waitUntil('the announcement', () => listener.messages.length === 2)
  })
})

describe('a Unix socket', () => {
  it('connects to the server, also for an injected client', async () => {
    const server = closeAfterTest(await startRedis({ unixSocket: true }))
    const path = server.unixSocket ?? ''
    await expectToServe(openBackend({ options: { path } }))
    await expectToServe(openBackend({ client: openRedis(path) }))
  })
})

describe('a database number', () => {
  it('selects its own data, by URL and by options', async () => {
    const server = closeAfterTest(await startRedis())
    const first = openBackend({ url: server.url })
    const second = openBackend({ url: `${server.url}/2` })
    const same = openBackend({ url: server.url, options: { db: 2 } })
    await first.set(item('k', 'in 0'))
    await second.set(item('k', 'in 2'))
    expect((await first.get('k'))?.value).toBe('in 0')
    expect((await same.get('k'))?.value).toBe('in 2')
    await second.clear()
    expect((await first.get('k'))?.value).toBe('in 0')
  })
})

describe('Sentinel', () => {
  it('leads to the new master after a failover under load', { timeout: 60_000 }, async () => {
    const sentinel = closeAfterTest(await startRedisSentinel({ replicas: 1 }))
    const sentinels = sentinel.sentinels.map(({ host, port }) => ({ host, port }))
    const backend = openBackend({ options: { sentinels, name: sentinel.name }, timeout: 1000 })
    await expectToServe(backend)
    const load = new Load(backend, 10)
    await waitUntil('load', () => load.written.size > 50)
    const master = await sentinel.failOver()
    const before = load.written.size
    await waitUntil('writes on the new master', async () => {
      await backend.set(item('after', 'failover'))
      return (await openRedis(master.url).exists('cache:after')) === 1 && load.written.size >= before
    })
    await load.stop()
    expect(load.wrong).toBe(0)
    expect([...load.errors.keys()].filter((code) => code !== 'UNAVAILABLE' && code !== 'TIMEOUT')).toEqual([])
    expect(load.longest).toBeLessThan(1500)
    await backend.clear()
    await expectToServe(backend)
  })
})
