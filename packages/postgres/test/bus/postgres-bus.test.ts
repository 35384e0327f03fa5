import { type BusMessage, cacheErrorCode } from '@cache/core/backend'
import { startPgBouncer, tcpProxy, waitUntil } from '@cache/workspace'
import type {} from '@cache/workspace/postgres-setup'
import pg from 'pg'
import { expect, inject, it } from 'vitest'
import { NotificationReader, toPayloads } from '../../src/bus/notification.ts'
import { PostgresBus } from '../../src/index.ts'
import { generousLimits } from '../generous-limits.ts'
import { tableName } from '../table-name.ts'

const url = inject('postgresUrl')

interface Recorder {
  readonly received: BusMessage[]
  readonly reports: string[]
  readonly listener: Parameters<PostgresBus['subscribe']>[0]
}

function recorder(): Recorder {
  const received: BusMessage[] = []
  const reports: string[] = []
  return {
    received,
    reports,
    listener: {
      message: (message) => received.push(message),
      connected: () => reports.push('connected'),
      disconnected: () => reports.push('disconnected'),
      error: (error) => reports.push(`error ${cacheErrorCode(error)}`),
    },
  }
}

const kinds: readonly BusMessage[] = [
  { kind: 'set', source: 'a', keys: ['k', 'é \u0000 \ud800 😀 "\\'], versions: ['v1', 'v2'] },
  { kind: 'delete', source: 'a', keys: [''] },
  { kind: 'clear', source: 'a', prefix: '%_*' },
  { kind: 'foreign', source: 'a' },
  { kind: 'foreign', source: 'a', keys: ['x'] },
]

it('messages of every kind arrive unchanged and in order at every listener', async () => {
  const channel = tableName()
  const buses = [
    new PostgresBus({ url, channel, ...generousLimits }),
    new PostgresBus({ url, channel, ...generousLimits }),
  ]
  const recorders = buses.map(() => recorder())
  for (const [n, bus] of buses.entries()) await bus.subscribe((recorders[n] as Recorder).listener)
  await Promise.all(kinds.map((message) => buses[0]?.publish(message)))
  await waitUntil('all messages', async () => recorders.every(({ received }) => received.length === kinds.length))
  for (const { received } of recorders) expect(received).toEqual(kinds)
  for (const bus of buses) await bus.close()
})

it('long messages of two concurrent senders are split and joined again', async () => {
  const channel = tableName()
  const buses = [
    new PostgresBus({ url, channel, ...generousLimits }),
    new PostgresBus({ url, channel, ...generousLimits }),
  ]
  const { received, reports, listener } = recorder()
  await buses[0]?.subscribe(listener)
  const long = (source: string): BusMessage => ({
    kind: 'delete',
    source,
    keys: Array.from({ length: 3000 }, (_, n) => `${source} é ${n} ${'x'.repeat(n === 7 ? 10_000 : 20)}`),
  })
  await Promise.all(buses.flatMap((bus, n) => [bus.publish(long(`${n}`)), bus.publish(long(`${n}+`))]))
  await waitUntil('both messages', async () => received.length === 4)
  const bySource = (a: BusMessage, b: BusMessage): number => a.source.localeCompare(b.source)
  expect(received.sort(bySource)).toEqual(['0', '0+', '1', '1+'].map(long).sort(bySource))
  expect(reports).toEqual([])
  for (const bus of buses) await bus.close()
})

it('messages of one tick travel in one statement, in their order', async () => {
  const channel = tableName()
  const pool = new pg.Pool({ connectionString: url })
  let statements = 0
  pool.on('acquire', () => {
    statements += 1
  })
  const sender = new PostgresBus({ pool, channel, ...generousLimits })
  const bus = new PostgresBus({ url, channel, ...generousLimits })
  const { received, listener } = recorder()
  await bus.subscribe(listener)
  const keys = Array.from({ length: 50 }, (_, n) => `${n}`)
  await Promise.all(keys.map((key) => sender.publish({ kind: 'delete', source: 's', keys: [key] })))
  await waitUntil('fifty messages', async () => received.length === 50)
  expect(received.map((message) => ('keys' in message ? message.keys?.[0] : ''))).toEqual(keys)
  expect(statements).toBe(1)
  await sender.close()
  await bus.close()
  await pool.end()
})

it('a bus receives the messages of its own channel only (RACES R15)', async () => {
  const name = tableName()
  const buses = ['', '"', 'É', ' a', '  a', '\n'].map(
    (end) => new PostgresBus({ url, channel: name + end, ...generousLimits }),
  )
  const recorders = buses.map(() => recorder())
  for (const [n, bus] of buses.entries()) await bus.subscribe((recorders[n] as Recorder).listener)
  for (const [n, bus] of buses.entries()) await bus.publish({ kind: 'foreign', source: `${n}` })
  await waitUntil('one message each', async () => recorders.every(({ received }) => received.length > 0))
  expect(recorders.map(({ received }) => received.map(({ source }) => source))).toEqual(buses.map((_, n) => [`${n}`]))
  for (const bus of buses) await bus.close()
})

it('a listener learns when its connection is lost and when it is back (RACES R14)', async () => {
  const channel = tableName()
  await using proxy = await tcpProxy(url)
  const bus = new PostgresBus({ url: proxy.url, channel, ...generousLimits })
  const sender = new PostgresBus({ url, channel, ...generousLimits })
  const { received, reports, listener } = recorder()
  await bus.subscribe(listener)
  proxy.drop()
  await waitUntil('the return', async () => reports.length === 2)
  expect(reports).toEqual(['disconnected', 'connected'])
  await sender.publish({ kind: 'foreign', source: 'again' })
  await waitUntil('a message', async () => received.length === 1)
  await bus.close()
  await sender.close()
})

it('a heartbeat detects a silently dead connection without any message', async () => {
  const channel = tableName()
  await using proxy = await tcpProxy(url)
  const bus = new PostgresBus({ url: proxy.url, channel, heartbeat: 20, timeout: 3000, connectTimeout: '30s' })
  const { reports, listener } = recorder()
  await bus.subscribe(listener)
  proxy.swallowReplies()
  await waitUntil('the loss', async () => reports.length === 1)
  expect(reports).toEqual(['disconnected'])
  proxy.heal()
  await waitUntil('the return', async () => reports.length === 2)
  await bus.close()
})

it('an unreadable notification causes an error and a foreign change of all keys', async () => {
  const channel = tableName()
  const bus = new PostgresBus({ url, channel, ...generousLimits })
  const { received, reports, listener } = recorder()
  await bus.subscribe(listener)
  const admin = new pg.Client(url)
  await admin.connect()
  const payloads = ['', 'hello', 'm{"v":1,"kind":"set"}', 'm{"v":2,"kind":"foreign","source":"x"}', 'px/1/2:a', 'm[']
  for (const payload of payloads) await admin.query('select pg_notify($1, $2)', [channel, payload])
  await waitUntil('all of them', async () => received.length === payloads.length)
  expect(received).toEqual(payloads.map(() => ({ kind: 'foreign', source: 'unreadable' })))
  expect(reports).toEqual(payloads.map(() => 'error DAMAGED'))
  await admin.end()
  await bus.close()
})

it('parts are joined only in their order, and the number of incomplete messages is bounded', () => {
  const message: BusMessage = { kind: 'delete', source: 's', keys: ['x'.repeat(20_000)] }
  const [first, second, third] = toPayloads(message, 'sender') as [string, string, string]
  const reader = new NotificationReader()
  expect([first, second, third].map((part) => reader.read(part))).toEqual(['incomplete', 'incomplete', message])
  expect([first, third, second].map((part) => reader.read(part))).toEqual(['incomplete', 'unreadable', 'unreadable'])
  for (let n = 0; n < 100; n += 1) expect(reader.read(`p${n}/0/2:x`)).toBe('incomplete')
  // The oldest message is discarded, and its changes are lost.
  expect(reader.read('p100/0/2:x')).toBe('unreadable')
  expect(reader.read('p100/1/2:x')).toBe('unreadable')
  expect(reader.read('p0/1/2:x')).toBe('unreadable')
  expect(reader.read('px/0/9999:x')).toBe('unreadable')
})

it('parts outside a message, and more characters than four messages have, are discarded', () => {
  const reader = new NotificationReader()
  for (const payload of ['pa/0/0:x', 'pa/1/0:x', 'pb/1/1:x', 'pc/5/2:x'])
    expect(reader.read(payload)).toBe('unreadable')
  const text = 'x'.repeat(7000)
  const begin = (id: string): unknown[] => {
    const received = new Set<unknown>()
    for (let part = 0; part < 1999; part += 1) received.add(reader.read(`p${id}/${part}/2000:${text}`))
    return [...received]
  }
  for (const id of ['a', 'b', 'c', 'd']) expect(begin(id)).toEqual(['incomplete'])
  expect(begin('e')).toContain('unreadable')
  expect(reader.read(`pa/1999/2000:${text}`)).toBe('unreadable')
})

it('`subscribe` detects a pooler that swallows notifications, and publishing through it works', async () => {
  const channel = tableName()
  await using bouncer = await startPgBouncer(url)
  const pooled = new PostgresBus({ url: bouncer.url, channel, timeout: 3000, connectTimeout: '30s' })
  const refused = await pooled.subscribe(recorder().listener).catch((error: unknown) => error as Error)
  expect(cacheErrorCode(refused)).toBe('UNSUPPORTED')
  expect((refused as Error).message).toMatch(/a pooler in transaction mode swallows them/)
  const direct = new PostgresBus({ url, channel, ...generousLimits })
  const { received, listener } = recorder()
  await direct.subscribe(listener)
  await pooled.publish({ kind: 'foreign', source: 'pooled' })
  await waitUntil('the message', async () => received.length === 1)
  await pooled.close()
  await direct.close()
})

it('an injected pool serves both directions and still works after `close`', async () => {
  const pool = new pg.Pool({ connectionString: url })
  const bus = new PostgresBus({ pool, channel: tableName(), ...generousLimits })
  const { received, listener } = recorder()
  const stop = await bus.subscribe(listener)
  await bus.publish({ kind: 'foreign', source: 's' })
  await waitUntil('the message', async () => received.length === 1)
  await stop()
  await bus.close()
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  expect(pool.waitingCount).toBe(0)
  await pool.end()
})

it('a closed bus refuses calls and emits nothing', async () => {
  const bus = new PostgresBus({ url, channel: tableName(), ...generousLimits })
  const { reports, listener } = recorder()
  await bus.subscribe(listener)
  await bus.close()
  await bus.close()
  for (const call of [bus.publish({ kind: 'foreign', source: 's' }), bus.subscribe(listener)]) {
    expect(await call.catch((error: unknown) => cacheErrorCode(error))).toBe('CLOSED')
  }
  expect(reports).toEqual([])
})

it('publishing and subscribing reject in time while the server cannot be reached', async () => {
  await using proxy = await tcpProxy(url)
  const bus = new PostgresBus({ url: proxy.url, channel: tableName(), timeout: 200, connectTimeout: 100 })
  for (const trouble of ['cut', 'swallowReplies'] as const) {
    proxy[trouble]()
    const began = performance.now()
    for (const call of [
      () => bus.publish({ kind: 'foreign', source: 's' }),
      () => bus.subscribe(recorder().listener),
    ]) {
      const code = await call().then(
        () => 'resolved',
        (error: unknown) => cacheErrorCode(error),
      )
      expect(['UNAVAILABLE', 'TIMEOUT']).toContain(code)
    }
    expect(performance.now() - began).toBeLessThan(1500)
    proxy.heal()
  }
  // Each try has only the short limits.
  await waitUntil('the bus to work again', () => bus.publish({ kind: 'foreign', source: 's' }).then(() => true))
  await bus.close()
})

it('messages of a transaction arrive in order with its commit, and never after a rollback', async () => {
  const channel = tableName()
  const [sender, receiver] = [
    new PostgresBus({ url, channel, ...generousLimits }),
    new PostgresBus({ url, channel, ...generousLimits }),
  ]
  const { received, listener } = recorder()
  await receiver.subscribe(listener)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const long: BusMessage = { kind: 'delete', source: 'long', keys: Array.from({ length: 2000 }, (_, n) => `é ${n}`) }
  for (const end of ['rollback', 'commit']) {
    await client.query('begin')
    const inside = sender.inTransaction(client)
    await inside.publish({ kind: 'delete', source: end, keys: ['a'] })
    await Promise.all([inside.publish(long), inside.publish({ kind: 'delete', source: end, keys: ['b'] })])
    // A message published outside the transaction now arrives before its messages.
    await sender.publish({ kind: 'delete', source: 'outside', keys: [end] })
    await waitUntil('the message from outside', () => received.length > 0)
    expect(received.splice(0)).toEqual([{ kind: 'delete', source: 'outside', keys: [end] }])
    await client.query(end)
  }
  await waitUntil('the last message', () => received.length === 3)
  expect(received).toEqual([
    { kind: 'delete', source: 'commit', keys: ['a'] },
    long,
    { kind: 'delete', source: 'commit', keys: ['b'] },
  ])
  await client.end()
  await sender.close()
  await receiver.close()
})

it('`inTransaction` refuses a failed transaction, a closed bus, and a value that is no client', async () => {
  const bus = new PostgresBus({ url, channel: tableName(), ...generousLimits })
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('begin')
  await client.query('select 1/0').catch(() => {})
  const inside = bus.inTransaction(client)
  const message: BusMessage = { kind: 'delete', source: 'a', keys: ['a'] }
  expect(await inside.publish(message).catch((error: unknown) => cacheErrorCode(error))).toBe('BACKEND_FAILURE')
  await client.query('rollback')
  expect(() => bus.inTransaction({} as pg.ClientBase)).toThrow('client must be a client of pg')
  const pool = new pg.Pool({ connectionString: inject('postgresUrl') })
  expect(() => bus.inTransaction(pool as unknown as pg.ClientBase)).toThrow('client must be a client of pg')
  await bus.close()
  expect(await inside.publish(message).catch((error: unknown) => cacheErrorCode(error))).toBe('CLOSED')
  expect(() => bus.inTransaction(client)).toThrow("inTransaction: the bus 'postgres' was closed")
  await client.end()
})
