import { type BusMessage, cacheErrorCode } from '@cache/core/backend'
import { startRedisCluster, tcpProxy, waitUntil } from '@cache/workspace'
import type {} from '@cache/workspace/redis-setup'
import { Command, Redis } from 'ioredis'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { deliverMessage } from '../../src/bus/deliver-message.ts'
import { RedisBus, type RedisBusOptions } from '../../src/index.ts'
import { RecordingListener } from './recording-listener.ts'

const url = inject('redisUrl')
const ends: (() => unknown)[] = []
let count = 0

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

function bus(options: Partial<RedisBusOptions> = {}): RedisBus {
  const made = new RedisBus({ ...(options.client || options.cluster ? {} : { url }), ...options })
  ends.push(() => made.close())
  return made
}

function channel(): string {
  return `bus-test:${process.pid}:${++count}`
}

const messages: readonly BusMessage[] = [
  { kind: 'set', source: 'a', keys: ['k', ''], versions: ['1', '2'] },
  { kind: 'delete', source: 'a', keys: ['nul \u0000', 'lone \ud800', '__proto__'] },
  { kind: 'clear', source: 'b', prefix: 'glob*' },
  { kind: 'foreign', source: 'b' },
  { kind: 'foreign', source: 'b', keys: ['k'] },
]

async function waitForMessages(listener: RecordingListener, many: number): Promise<void> {
  await waitUntil(`${many} messages`, () => listener.messages.length >= many)
}

describe('RedisBus', () => {
  it('delivers every kind of message unchanged and in order to every listener', async () => {
    const name = channel()
    const listeners = [new RecordingListener(), new RecordingListener(), new RecordingListener()]
    const [first, second] = [bus({ channel: name }), bus({ channel: name })]
    await first.subscribe(listeners[0] as RecordingListener)
    await second.subscribe(listeners[1] as RecordingListener)
    await second.subscribe(listeners[2] as RecordingListener)
    for (const message of messages) await first.publish(message)
    for (const listener of listeners) {
      await waitForMessages(listener, messages.length)
      expect(listener.messages).toEqual(messages)
      expect(listener.states).toEqual([])
    }
  })

  it('R15: receives messages of its own channel only, also on a shared client', async () => {
    const client = new Redis(url)
    ends.push(() => client.disconnect())
    const names = [channel(), channel()] as const
    const mine = bus({ client, channel: names[0] })
    const other = bus({ client, channel: names[1] })
    const [here, there] = [new RecordingListener(), new RecordingListener()]
    await mine.subscribe(here)
    await other.subscribe(there)
    await mine.publish({ kind: 'foreign', source: 'mine' })
    await other.publish({ kind: 'foreign', source: 'other' })
    await waitForMessages(here, 1)
    await waitForMessages(there, 1)
    expect(here.messages).toEqual([{ kind: 'foreign', source: 'mine' }])
    expect(there.messages).toEqual([{ kind: 'foreign', source: 'other' }])
  })

  it('R36: leaves an injected client open, and other buses on it working, after close', async () => {
    const client = new Redis(url)
    ends.push(() => client.disconnect())
    const name = channel()
    const [closed, open] = [bus({ client, channel: name }), bus({ client, channel: name })]
    const listener = new RecordingListener()
    await closed.subscribe(new RecordingListener())
    await open.subscribe(listener)
    await closed.close()
    await open.publish({ kind: 'foreign', source: 'open' })
    await waitForMessages(listener, 1)
    expect(await client.ping()).toBe('PONG')
    await expect(closed.publish({ kind: 'foreign', source: 'x' })).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(closed.subscribe(listener)).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('stops delivering to a removed listener, and continues with the others', async () => {
    const name = channel()
    const one = bus({ channel: name })
    const [left, stayed] = [new RecordingListener(), new RecordingListener()]
    const leave = await one.subscribe(left)
    await one.subscribe(stayed)
    await leave()
    await one.publish({ kind: 'foreign', source: 's' })
    await waitForMessages(stayed, 1)
    expect(left.messages).toEqual([])
  })

  it('subscribes again for a listener that follows the last removed one', async () => {
    const one = bus({ channel: channel() })
    const leave = await one.subscribe(new RecordingListener())
    await leave()
    const listener = new RecordingListener()
    await one.subscribe(listener)
    await one.publish({ kind: 'foreign', source: 's' })
    await waitForMessages(listener, 1)
  })

  it('R14: reports a cut connection at once, and its recovery', async () => {
    const proxy = await tcpProxy(url)
    ends.push(() => proxy.stop())
    const name = channel()
    const cut = bus({ url: proxy.url, channel: name })
    const publisher = bus({ channel: name })
    const listener = new RecordingListener()
    await cut.subscribe(listener)
    proxy.cut()
    await waitUntil('the listener to be informed', () => listener.states.length > 0)
    await publisher.publish({ kind: 'foreign', source: 'missed' })
    proxy.heal()
    await waitUntil('the connection to be back', () => listener.states.length > 1)
    await publisher.publish({ kind: 'foreign', source: 'after' })
    await waitForMessages(listener, 1)
    expect(listener.states).toEqual(['disconnected', 'connected'])
    expect(listener.messages).toEqual([{ kind: 'foreign', source: 'after' }])
  })

  it('detects a silently dead connection by its heartbeat', async () => {
    const proxy = await tcpProxy(url)
    ends.push(() => proxy.stop())
    const silent = bus({ url: proxy.url, channel: channel(), heartbeat: 50, timeout: 100 })
    const listener = new RecordingListener()
    await silent.subscribe(listener)
    proxy.swallowReplies()
    await waitUntil('the listener to be informed', () => listener.states.length > 0)
    proxy.heal()
    await waitUntil('the connection to be back', () => listener.states.length > 1)
    expect(listener.states).toEqual(['disconnected', 'connected'])
  })

  it('treats an unreadable message as a change of every key, and reports it', async () => {
    const name = channel()
    const one = bus({ channel: name })
    const listener = new RecordingListener()
    await one.subscribe(listener)
    const client = new Redis(url)
    ends.push(() => client.disconnect())
    const unreadable = ['', 'no JSON', '[]', '{"v":2,"kind":"set"}', '{"v":1,"kind":"set","source":"s","keys":["k"]}']
    for (const text of unreadable) await client.publish(name, text)
    await waitForMessages(listener, unreadable.length)
    expect(listener.messages).toEqual(unreadable.map(() => ({ kind: 'foreign', source: 'unreadable' })))
    expect(listener.errors.map(cacheErrorCode)).toEqual(unreadable.map(() => 'DAMAGED'))
  })

  it('rejects within its timeout without a server, and works as soon as the server is reachable', async () => {
    const proxy = await tcpProxy(url)
    ends.push(() => proxy.stop())
    proxy.cut()
    const one = bus({ url: proxy.url, channel: channel(), timeout: 500 })
    const listener = new RecordingListener()
    const start = performance.now()
    await expect(one.publish({ kind: 'foreign', source: 's' })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(one.subscribe(listener)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(performance.now() - start).toBeLessThan(1500)
    proxy.heal()
    await waitUntil('a subscription', async () => {
      await one.subscribe(listener)
      return true
    })
    await waitUntil('a message to leave', async () => {
      await one.publish({ kind: 'foreign', source: 's' })
      return true
    })
    await waitForMessages(listener, 1)
    expect(listener.states).toEqual([])
  })

  it('refuses options that are unknown or out of range', () => {
    const refused: unknown[] = [
      {},
      { url, client: {} },
      { url: 'http://host' },
      { url, channel: '' },
      { url, chanel: 'typo' },
      { url, sharded: 'yes' },
      { url, heartbeat: 0 },
    ]
    for (const options of refused) {
      expect(() => new RedisBus(options as RedisBusOptions)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      )
    }
  })

  it('treats a message of more than 64 MiB as unreadable', () => {
    const received: unknown[] = []
    const errors: unknown[] = []
    const events = {
      message: (message: BusMessage) => received.push(message),
      error: (error: Error) => errors.push(error),
      lost: () => {},
    }
    const payload = Buffer.alloc(64 * 1024 * 1024 + 1, ' ')
    payload.write(JSON.stringify({ v: 1, kind: 'foreign', source: 's' }))
    deliverMessage(payload.subarray(0, -1), events)
    deliverMessage(payload, events)
    expect(received).toEqual([
      { kind: 'foreign', source: 's' },
      { kind: 'foreign', source: 'unreadable' },
    ])
    expect(errors.map(cacheErrorCode)).toEqual(['DAMAGED'])
  })
})

describe('RedisBus on a Cluster', () => {
  it('follows its channel when the slot moves and when the node dies', { timeout: 60_000 }, async () => {
    const cluster = await startRedisCluster({ masters: 3, replicas: 1 })
    ends.push(() => cluster.stop())
    const nodes = cluster.nodes.map(({ host, port }) => ({ host, port }))
    const name = 'cluster-bus'
    const slot = new Command('get', [name]).getSlot()
    const one = bus({ cluster: { nodes }, channel: name, timeout: 2000, heartbeat: 200 })
    const two = bus({ cluster: { nodes }, channel: name, timeout: 2000, heartbeat: 200 })
    const listener = new RecordingListener()
    await one.subscribe(listener)
    await two.publish({ kind: 'foreign', source: 'before' })
    await waitForMessages(listener, 1)

    const from = await cluster.masterOf(slot)
    const to = cluster.nodes.slice(0, 3).find((node) => node !== from)
    if (to === undefined) throw new Error('the cluster has one master')
    await cluster.moveSlot(slot, to)
    await waitUntil('the subscription to move', () => listener.states.length >= 2, { timeout: 20_000 })
    await two.publish({ kind: 'foreign', source: 'moved' })
    await waitForMessages(listener, 2)

    await cluster.failOver(slot)
    await waitUntil('the subscription to fail over', () => listener.states.length >= 4, { timeout: 20_000 })
    await waitUntil('a message to arrive', async () => {
      await two.publish({ kind: 'foreign', source: 'failed over' })
      return listener.messages.length >= 3
    })
    expect(listener.states).toEqual(['disconnected', 'connected', 'disconnected', 'connected'])
    expect(listener.messages.slice(0, 3).map((message) => message.source)).toEqual(['before', 'moved', 'failed over'])
  })
})
