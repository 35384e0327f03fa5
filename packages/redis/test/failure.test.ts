import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type BackendEvent, cacheErrorCode, type Item } from '@cache/core/backend'
import { startRedis, tcpProxy, waitUntil } from '@cache/testing'
import type {} from '@cache/testing/redis-setup'
import { describe, expect, inject, it } from 'vitest'
import type { RedisBackend } from '../src/index.ts'
import { closeAfterTest, openBackend, openRedis, ownPrefix } from './resources.ts'

const url = inject('redisUrl')

function item(key: string, value: unknown, version = 'v1'): Item {
  return { key, value, version, createdAt: 1 }
}

/** Every operation, as a call that may reject. */
function operations(backend: RedisBackend): Readonly<Record<string, () => Promise<unknown>>> {
  return {
    get: () => backend.get('k'),
    set: () => backend.set(item('k', 1)),
    delete: () => backend.delete('k'),
    clear: () => backend.clear(),
    getMany: () => backend.getMany(['k', 'l']),
    setMany: () => backend.setMany([item('k', 1), item('l', 2)]),
    deleteMany: () => backend.deleteMany(['k', 'l']),
    compareAndSet: () => backend.compareAndSet('k', undefined, item('k', 1)),
    increment: () => backend.increment?.('n', 1) ?? Promise.resolve(),
    keys: async () => {
      for await (const _ of backend.keys()) return
    },
    stats: () => backend.stats(),
  }
}

/** The code that a call rejects with, or `undefined`, and how long it took. */
async function outcome(call: () => Promise<unknown>): Promise<{ code: string | undefined; ms: number }> {
  const start = performance.now()
  const error = await call().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return { code: error === undefined ? undefined : cacheErrorCode(error), ms: performance.now() - start }
}

async function works(backend: RedisBackend): Promise<void> {
  await waitUntil('the backend to work again', async () => {
    await backend.set(item('works', true))
    return (await backend.get('works'))?.value === true
  })
}

describe('A server that was killed', () => {
  it('is reported as UNAVAILABLE at once by every operation, and works again on the same backend when it is back', async () => {
    const server = closeAfterTest(await startRedis())
    const backend = openBackend({ url: server.url, timeout: 500 })
    await works(backend)
    await server.kill()
    await waitUntil('the end of the connection', async () => (await outcome(() => backend.get('k'))).code !== undefined)
    for (const [name, call] of Object.entries(operations(backend))) {
      const { code, ms } = await outcome(call)
      expect([name, code]).toEqual([name, 'UNAVAILABLE'])
      expect(ms).toBeLessThan(100)
    }
    await server.restart()
    await works(backend)
  })

  it('is reported as UNAVAILABLE to whoever waits for a reply', async () => {
    const proxy = closeAfterTest(await tcpProxy(url))
    const backend = openBackend({ url: proxy.url, prefix: ownPrefix() })
    await works(backend)
    proxy.swallowReplies()
    const waiting = Object.entries(operations(backend)).map(async ([name, call]) => [name, (await outcome(call)).code])
    await waitUntil('replies to be lost', () => proxy.swallowed > 0)
    proxy.drop()
    for (const [name, code] of await Promise.all(waiting)) expect([name, code]).toEqual([name, 'UNAVAILABLE'])
  })
})

describe('A server that writes everything down', () => {
  it('has lost nothing that was acknowledged when it is killed under load', async () => {
    const server = closeAfterTest(await startRedis({ config: { appendonly: 'yes', appendfsync: 'always' } }))
    const backend = openBackend({ url: server.url, timeout: 1000 })
    await works(backend)
    const acknowledged = new Map<string, number>()
    let isOver = false
    const worker = async (key: string): Promise<void> => {
      for (let count = 1; !isOver; count++) {
        const isDone = await backend.set(item(key, count, `v${count}`)).then(
          () => true,
          () => false,
        )
        if (!isDone) return
        acknowledged.set(key, count)
      }
    }
    const workers = Array.from({ length: 60 }, (_, index) => worker(`k${index}`))
    await waitUntil('load', () => acknowledged.size === 60 && [...acknowledged.values()].every((count) => count > 5))
    await server.kill()
    await Promise.all(workers)
    isOver = true
    await server.restart()
    await works(backend)
    for (const [key, count] of acknowledged) {
      const found = (await backend.get(key))?.value as number
      // The one that was under way may have been carried out as well.
      expect([key, found === count || found === count + 1]).toEqual([key, true])
    }
  })
})

describe('A server that was never there', () => {
  it('costs the first call no more than the timeout, and tells the listeners why', async () => {
    const proxy = closeAfterTest(await tcpProxy(url))
    proxy.cut()
    const backend = openBackend({ url: proxy.url, timeout: 500 })
    const events: BackendEvent[] = []
    backend.listen((event) => events.push(event))
    const { code, ms } = await outcome(() => backend.get('k'))
    expect(code).toBe('UNAVAILABLE')
    expect(ms).toBeLessThan(700)
    await waitUntil('an event', () => events.length > 0)
    expect(events[0]).toMatchObject({ type: 'error', error: { code: 'UNAVAILABLE', operation: 'connect' } })
    proxy.heal()
    await works(backend)
  })
})

describe('A server without connections left', () => {
  it('is reported as UNAVAILABLE within the timeout, and works on the same backend when one is free again', async () => {
    const server = closeAfterTest(await startRedis({ config: { maxclients: 5 } }))
    const others = Array.from({ length: 5 }, () => openRedis(server.url))
    await Promise.all(others.map((other) => other.ping()))
    const backend = openBackend({ url: server.url, timeout: 500 })
    for (const [name, call] of Object.entries(operations(backend))) {
      const { code, ms } = await outcome(call)
      expect([name, code]).toEqual([name, 'UNAVAILABLE'])
      expect(ms).toBeLessThan(1000)
    }
    for (const other of others) other.disconnect()
    await works(backend)
  })
})

describe('A frozen server', () => {
  it('costs the timeout once; then every operation fails at once, until it runs again', async () => {
    const server = closeAfterTest(await startRedis())
    const backend = openBackend({ url: server.url, timeout: 200, connectTimeout: 200 })
    await works(backend)
    await server.freeze()
    const first = await outcome(() => backend.get('k'))
    expect(first.code).toBe('TIMEOUT')
    expect(first.ms).toBeGreaterThanOrEqual(199)
    expect(first.ms).toBeLessThan(400)
    await waitUntil('the connection to be given up', async () => (await outcome(() => backend.get('k'))).ms < 50)
    for (const [name, call] of Object.entries(operations(backend))) {
      const { code, ms } = await outcome(call)
      expect([name, code]).toEqual([name, 'UNAVAILABLE'])
      expect(ms).toBeLessThan(50)
    }
    await server.thaw()
    await works(backend)
  })

  it('does not hold up close', async () => {
    const server = closeAfterTest(await startRedis())
    const backend = openBackend({ url: server.url, timeout: 200 })
    await works(backend)
    await server.freeze()
    const pending = outcome(() => backend.get('k'))
    const { ms } = await outcome(() => backend.close())
    expect(ms).toBeLessThan(500)
    expect((await pending).code).toBe('TIMEOUT')
    await server.thaw()
  })
})

describe('A slow connection', () => {
  it('is waited for within the timeout, and reported as TIMEOUT beyond it', async () => {
    const proxy = closeAfterTest(await tcpProxy(url))
    const backend = openBackend({ url: proxy.url, prefix: ownPrefix(), timeout: 400, connectTimeout: 2000 })
    await works(backend)
    proxy.delay(100)
    const slow = await outcome(() => backend.get('k'))
    expect(slow.code).toBe(undefined)
    expect(slow.ms).toBeGreaterThanOrEqual(99)
    proxy.delay(5000)
    const late = await outcome(() => backend.get('k'))
    expect(late.code).toBe('TIMEOUT')
    expect(late.ms).toBeLessThan(700)
    proxy.heal()
    await works(backend)
  })
})

describe('A reply that was lost on the way', () => {
  it('never makes a counter count twice', async () => {
    const proxy = closeAfterTest(await tcpProxy(url))
    const prefix = ownPrefix()
    const backend = openBackend({ url: proxy.url, prefix, timeout: 200 })
    const behind = openRedis(url)
    await works(backend)
    for (let round = 1; round <= 5; round++) {
      proxy.swallowReplies()
      expect((await outcome(() => backend.increment?.('n', 1) ?? Promise.resolve())).code).toBe('TIMEOUT')
      proxy.heal()
      await works(backend)
      expect(await behind.get(`${prefix}n`)).toBe(String(round))
    }
  })

  it('never makes a counter count twice on a client of the application that resends by itself', async () => {
    const proxy = closeAfterTest(await tcpProxy(url))
    const prefix = ownPrefix()
    // ioredis' defaults: unanswered commands are sent again, and commands wait for a connection.
    const client = openRedis(proxy.url)
    const backend = openBackend({ client, prefix, timeout: 200 })
    const behind = openRedis(url)
    await works(backend)
    for (let round = 1; round <= 5; round++) {
      proxy.swallowReplies()
      const calls = ['n', 'm'].map((key) => outcome(() => backend.increment?.(key, 1) ?? Promise.resolve()))
      expect((await Promise.all(calls)).map(({ code }) => code)).toEqual(['TIMEOUT', 'TIMEOUT'])
      proxy.heal()
      await works(backend)
      expect(await behind.mget(`${prefix}n`, `${prefix}m`)).toEqual([String(round), String(round)])
    }
    expect(await client.ping()).toBe('PONG')
  })

  it('is reported as UNAVAILABLE when the connection ends before the timeout, and not sent again', async () => {
    const proxy = closeAfterTest(await tcpProxy(url))
    const prefix = ownPrefix()
    const client = openRedis(proxy.url)
    const backend = openBackend({ client, prefix, timeout: 2000 })
    await works(backend)
    proxy.swallowReplies()
    const counting = outcome(() => backend.increment?.('n', 1) ?? Promise.resolve())
    await waitUntil('the reply to be lost', () => proxy.swallowed > 0)
    proxy.heal()
    expect((await counting).code).toBe('UNAVAILABLE')
    await works(backend)
    expect(await openRedis(url).get(`${prefix}n`)).toBe('1')
  })
})

describe('A command that waited for a connection in vain', () => {
  it('is not carried out once there is one', async () => {
    const proxy = closeAfterTest(await tcpProxy(url))
    const prefix = ownPrefix()
    const client = openRedis(proxy.url)
    const backend = openBackend({ client, prefix, timeout: 100 })
    await works(backend)
    proxy.cut()
    await waitUntil('the end of the connection', () => client.status !== 'ready')
    // ioredis keeps these for later; nobody waits for them any more.
    expect((await outcome(() => backend.increment?.('n', 1) ?? Promise.resolve())).code).toBe('UNAVAILABLE')
    expect((await outcome(() => backend.set(item('k', 'late')))).code).toBe('UNAVAILABLE')
    proxy.heal()
    await works(backend)
    expect(await openRedis(url).mget(`${prefix}n`, `${prefix}k`)).toEqual([null, null])
  })
})

describe('A block of our own event loop', () => {
  it('is not taken for a dead server, 20 times of 20', async () => {
    const backend = openBackend({ url, prefix: ownPrefix(), timeout: 50 })
    await works(backend)
    await backend.set(item('k', 'value'))
    for (let round = 0; round < 20; round++) {
      const reading = backend.get('k')
      // The command has left by then, and its reply comes while nothing is read.
      await new Promise((resolve) => setImmediate(resolve))
      const end = performance.now() + 120
      while (performance.now() < end);
      expect((await reading)?.value).toBe('value')
    }
  })
})

describe('A server without memory', () => {
  it('refuses writes with OUT_OF_MEMORY, alone and in batches, and serves reads and deletes', async () => {
    const server = closeAfterTest(await startRedis({ config: { 'maxmemory-policy': 'noeviction' } }))
    const admin = openRedis(server.url)
    const backend = openBackend({ url: server.url })
    await backend.set(item('before', 'here'))
    await backend.set(item('large', 'x'.repeat(100_000)))
    // Less than the server uses already.
    await admin.config('SET', 'maxmemory', '100kb')
    await expect(backend.set(item('k', 1))).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
      operation: 'set',
      backend: 'redis',
      key: 'k',
    })
    const many = Array.from({ length: 10 }, (_, index) => outcome(() => backend.set(item(`small ${index}`, index))))
    for (const { code } of await Promise.all(many)) expect(code).toBe('OUT_OF_MEMORY')
    const refused = {
      setMany: () => backend.setMany([item('a', 1), item('b', 2)]),
      compareAndSet: () => backend.compareAndSet('c', undefined, item('c', 1)),
      increment: () => backend.increment?.('d', 1) ?? Promise.resolve(),
    }
    for (const [name, call] of Object.entries(refused))
      expect([name, (await outcome(call)).code]).toEqual([name, 'OUT_OF_MEMORY'])
    expect((await backend.get('before'))?.value).toBe('here')
    expect(await backend.deleteMany(['large', 'large', 'gone'])).toBe(1)
    await admin.config('SET', 'maxmemory', '0')
    await works(backend)
  })

  it('that evicts breaks no promise: an item is whole or gone', async () => {
    const server = closeAfterTest(await startRedis({ config: { maxmemory: '3mb', 'maxmemory-policy': 'allkeys-lru' } }))
    const backend = openBackend({ url: server.url })
    const value = (index: number): string => `${index}:${'x'.repeat(10_000)}`
    for (let index = 0; index < 500; index++) await backend.set(item(`k${index}`, value(index), `v${index}`))
    const found = await backend.getMany(Array.from({ length: 500 }, (_, index) => `k${index}`))
    const kept = found.filter((one) => one !== undefined)
    expect(kept.length).toBeGreaterThan(0)
    expect(kept.length).toBeLessThan(500)
    for (const [index, one] of found.entries())
      if (one) expect(one).toEqual(item(`k${index}`, value(index), `v${index}`))
    // What was evicted counts as absent for compareAndSet.
    const gone = found.indexOf(undefined)
    expect(await backend.compareAndSet(`k${gone}`, `v${gone}`, item(`k${gone}`, 'next'))).toBe(false)
  })
})

describe('A master that refuses writes until it is well again', () => {
  /** Alone, in a script of many, and in each kind of script; reads go on. */
  async function refusesWrites(backend: RedisBackend): Promise<void> {
    for (const name of ['set', 'setMany', 'increment', 'compareAndSet'])
      expect([name, (await outcome(operations(backend)[name] as () => Promise<unknown>)).code]).toEqual([
        name,
        'READ_ONLY',
      ])
    const together = ['a', 'b', 'c'].map((key) => outcome(() => backend.set(item(key, 1))))
    for (const { code } of await Promise.all(together)) expect(code).toBe('READ_ONLY')
    expect(await backend.get('k')).toBe(undefined)
  }

  it('is named READ_ONLY when it cannot save', async () => {
    const server = closeAfterTest(await startRedis({ config: { save: '3600 100000' } }))
    const admin = openRedis(server.url)
    const backend = openBackend({ url: server.url })
    const [, directory] = (await admin.config('GET', 'dir')) as [string, string]
    // It writes beside this and then gives it the name, which is taken.
    await mkdir(join(directory, 'dump.rdb', 'taken'), { recursive: true })
    await admin.bgsave()
    await waitUntil('the save to fail', async () =>
      (await admin.info('persistence')).includes('rdb_last_bgsave_status:err'),
    )
    await refusesWrites(backend)
    await rm(join(directory, 'dump.rdb'), { recursive: true })
    await admin.bgsave()
    await works(backend)
  })

  it('is named READ_ONLY when too few replicas copy it', async () => {
    const server = closeAfterTest(await startRedis({ config: { 'min-replicas-to-write': 1 } }))
    const backend = openBackend({ url: server.url })
    await refusesWrites(backend)
    await openRedis(server.url).config('SET', 'min-replicas-to-write', 0)
    await works(backend)
  })
})

describe('A server that is held up by a script of somebody else', () => {
  it('is reported as UNAVAILABLE, and works again when the script was stopped', async () => {
    const server = closeAfterTest(await startRedis({ config: { 'busy-reply-threshold': 50 } }))
    const backend = openBackend({ url: server.url, timeout: 1000 })
    await works(backend)
    const hold = openRedis(server.url).eval('while true do end', 0).catch(String)
    await waitUntil('the server to be held up', async () => (await outcome(() => backend.get('k'))).code !== undefined)
    for (const [name, call] of Object.entries(operations(backend)))
      expect([name, (await outcome(call)).code]).toEqual([name, 'UNAVAILABLE'])
    await openRedis(server.url, { enableReadyCheck: false }).script('KILL')
    await hold
    await works(backend)
  })
})

describe('A server that is a replica', () => {
  it('refuses writes with READ_ONLY, alone and in batches, and serves reads', async () => {
    const master = closeAfterTest(await startRedis({ config: { 'repl-diskless-sync-delay': 0 } }))
    const replica = closeAfterTest(await startRedis({ config: { replicaof: `127.0.0.1 ${master.port}` } }))
    await openBackend({ url: master.url }).set(item('k', 'copied'))
    const backend = openBackend({ url: replica.url })
    await waitUntil('the copy', async () => (await backend.get('k'))?.value === 'copied')
    for (const name of ['set', 'delete', 'clear', 'setMany', 'deleteMany', 'compareAndSet', 'increment']) {
      const call = operations(backend)[name] as () => Promise<unknown>
      // A key that is there, so that there is something to write.
      expect([
        name,
        (await outcome(name === 'compareAndSet' ? () => backend.compareAndSet('k', 'v1', undefined) : call)).code,
      ]).toEqual([name, 'READ_ONLY'])
    }
    const together = ['a', 'b', 'c'].map((key) => outcome(() => backend.set(item(key, 1))))
    for (const { code } of await Promise.all(together)) expect(code).toBe('READ_ONLY')
  })
})
