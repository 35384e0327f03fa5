import { startRedis, startRedisCluster, tcpProxy, waitUntil } from '@cache/workspace'
import type {} from '@cache/workspace/redis-setup'
import { Cluster, Redis } from 'ioredis'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { RedisBackend, RedisTrackingBus, type RedisTrackingBusOptions } from '../../src/index.ts'
import { RecordingListener } from './recording-listener.ts'

const url = inject('redisUrl')
const ends: (() => unknown)[] = []
let count = 0

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

function bus(options: RedisTrackingBusOptions): RedisTrackingBus {
  const made = new RedisTrackingBus(options)
  ends.push(() => made.close())
  return made
}

function redis(at = url): Redis {
  const client = new Redis(at)
  ends.push(() => client.disconnect())
  return client
}

function ownPrefix(): string {
  return `tracking-test:${process.pid}:${++count}:`
}

/** All keys that the listener received. */
function keys(listener: RecordingListener): string[] {
  return listener.messages.flatMap((message) => (message.kind === 'foreign' ? (message.keys ?? ['(any)']) : []))
}

async function waitForKey(listener: RecordingListener, key: string): Promise<void> {
  await waitUntil(`the announcement of ${key}`, () => keys(listener).includes(key))
}

describe('RedisTrackingBus', () => {
  it('announces each write, delete and expiry under its prefix, by any program, and no other change', async () => {
    const prefix = ownPrefix()
    const listener = new RecordingListener()
    await bus({ url, prefix }).subscribe(listener)
    const foreign = redis()
    await foreign.set(`other:${prefix}a`, 'not ours')
    await foreign.set(`${prefix}set`, 'by another program')
    await waitForKey(listener, 'set')
    await foreign.del(`${prefix}set`)
    await foreign.incr(`${prefix}counter`)
    await waitForKey(listener, 'counter')
    await foreign.set(`${prefix}short`, 'life', 'PX', 30)
    await waitUntil('the expiry', () => keys(listener).filter((key) => key === 'short').length >= 2)
    expect([...new Set(keys(listener))].sort()).toEqual(['counter', 'set', 'short'])
  })

  it('announces the writes of a backend by the keys of the cache, also with lone surrogates', async () => {
    const prefix = ownPrefix()
    const listener = new RecordingListener()
    const client = redis()
    const tracking = bus({ client, prefix })
    await tracking.subscribe(listener)
    const backend = new RedisBackend({ client, prefix })
    for (const key of ['plain', '', 'nul \u0000', 'lone \ud800', 'é']) {
      await backend.set({ key, value: 1, version: 'v', createdAt: 1 })
      await waitForKey(listener, key)
    }
    await tracking.close()
    expect(await client.ping()).toBe('PONG')
  })

  it('announces a flushed database as a change of every key', async () => {
    const server = await startRedis()
    ends.push(() => server.stop())
    const listener = new RecordingListener()
    await bus({ url: server.url }).subscribe(listener)
    await redis(server.url).flushall()
    await waitUntil('the announcement', () => listener.messages.length > 0)
    expect(listener.messages[0]).toEqual({ kind: 'foreign', source: 'redis' })
  })

  it('R14: reports a cut connection, and announces changes again after the recovery', async () => {
    const proxy = await tcpProxy(url)
    ends.push(() => proxy.stop())
    const prefix = ownPrefix()
    const listener = new RecordingListener()
    await bus({ url: proxy.url, prefix }).subscribe(listener)
    const foreign = redis()
    proxy.cut()
    await waitUntil('the listener to be informed', () => listener.states.length === 1)
    await foreign.set(`${prefix}missed`, '1')
    proxy.heal()
    await waitUntil('the connection to be back', () => listener.states.length === 2)
    await foreign.set(`${prefix}after`, '1')
    await waitForKey(listener, 'after')
    expect(listener.states).toEqual(['disconnected', 'connected'])
    expect(keys(listener)).toEqual(['after'])
  })

  it('detects a silently dead connection by its heartbeat', async () => {
    const proxy = await tcpProxy(url)
    ends.push(() => proxy.stop())
    const listener = new RecordingListener()
    await bus({ url: proxy.url, prefix: ownPrefix(), heartbeat: 50, timeout: 100 }).subscribe(listener)
    proxy.swallowReplies()
    await waitUntil('the listener to be informed', () => listener.states.length === 1)
  })

  it('announces changes again after a restart of the server', async () => {
    const server = await startRedis()
    ends.push(() => server.stop())
    const listener = new RecordingListener()
    await bus({ url: server.url }).subscribe(listener)
    await server.kill()
    await waitUntil('the listener to be informed', () => listener.states.length === 1)
    await server.restart()
    await waitUntil('the connection to be back', () => listener.states.length === 2)
    await redis(server.url).set('cache:k', '1')
    await waitForKey(listener, 'k')
  })

  it('announces the changes of every master of a Cluster, and of the replica that takes over', {
    timeout: 60_000,
  }, async () => {
    const cluster = await startRedisCluster({ masters: 3, replicas: 1 })
    ends.push(() => cluster.stop())
    const nodes = cluster.nodes.map(({ host, port }) => ({ host, port }))
    const listener = new RecordingListener()
    await bus({ cluster: { nodes }, timeout: 2000, heartbeat: 200 }).subscribe(listener)
    const foreign = new Cluster(nodes)
    ends.push(() => foreign.disconnect())
    // Enough keys that every master has some.
    const all = Array.from({ length: 30 }, (_, index) => `key ${index}`)
    for (const key of all) await foreign.set(`cache:${key}`, '1')
    for (const key of all) await waitForKey(listener, key)

    await cluster.failOver(0)
    await waitUntil('the listener to be informed of both', () => listener.states.length >= 2, { timeout: 20_000 })
    await waitUntil('the end of the changes', () => listener.states.at(-1) === 'connected')
    listener.messages.length = 0
    for (const key of all) await foreign.set(`cache:${key}`, '2')
    for (const key of all) await waitForKey(listener, key)
  })
})
