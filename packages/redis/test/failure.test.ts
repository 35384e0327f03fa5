import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type BackendEvent, cacheErrorCode, type Item } from '@cache/core/backend'
import { startRedis, tcpProxy, waitUntil } from '@cache/workspace'
import type {} from '@cache/workspace/redis-setup'
import { describe, expect, inject, it } from 'vitest'
import type { RedisBackend } from '../src/index.ts'
import { closeAfterTest, openBackend, openRedis, ownPrefix } from './resources.ts'

const url = inject('redisUrl')

function item(key: string, value: unknown, version = 'v1'): Item {
  return { key, value, version, createdAt: 1 }
}

/** A call of every operation. */
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

/** The code that a call rejects with, or `undefined`, and the time that it took. */
async function outcome(call: () => Promise<unknown>): Promise<{ code: string | undefined; ms: number }> {
  const start = performance.now()
  const error = await call().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return { code: error === undefined ? undefined : cacheErrorCode(error), ms: performance.now() - start }
}

async function waitUntilWorking(backend: RedisBackend): Promise<void> {
  await waitUntil('the backend to work again', async () => {
    await backend.set(item('works', true))
    return (await backend.get('works'))?.value === true
  })
}

describe('a killed server', () => {
  it('makes every operation reject with UNAVAILABLE at once, and serves the same backend after a restart', async () => {
    const server = closeAfterTest(await startRedis())
    const backend = openBackend({ url: server.url, timeout: 500 })
    await waitUntilWorking(backend)
    await server.kill()
    await waitUntil('the end of the connection', async () => (await outcome(() => backend.get('k'))).code !== undefined)
    for (const [name, call] of Object.entries(operations(backend))) {
      const { code, ms } = await outcome(call)
      expect([name, code]).toEqual([name, 'UNAVAILABLE'])
      expect(ms).toBeLessThan(100)
    }
    await server.restart()
    await waitUntilWorking(backend)
  })

  it('makes calls that wait for a reply reject with UNAVAILABLE', async () => {
    const proxy = closeAfterTest(await tcpProxy(url))
    const backend = openBackend({ url: proxy.url, prefix: ownPrefix() })
    await waitUntilWorking(backend)
    proxy.swallowReplies()
    const waiting = Object.entries(operations(backend)).map(async ([name, call]) => [name, (await outcome(call)).code])
    await waitUntil('replies to be lost', () => proxy.swallowed > 0)
    proxy.drop()
    for (const [name, code] of await Promise.all(waiting)) expect([name, code]).toEqual([name, 'UNAVAILABLE'])
  })
})

describe('a server with an append-only file', () => {
  it('keeps every acknowledged write when it is killed under load', async () => {
    const server = closeAfterTest(await startRedis({ config: { appendonly: 'yes', appendfsync: 'always' } }))
    const backend = openBackend({ url: server.url, timeout: 1000 })
    await waitUntilWorking(backend)
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
    await waitUntilWorking(backend)
    for (const [key, count] of acknowledged) {
      const found = (await backend.get(key))?.value as number
      // The server may also have carried out the write in flight.
      expect([key, found === count || found === count + 1]).toEqual([key, true])
    }
  })
})

describe('an unreachable server', () => {
  it('delays the first call by the timeout at most, and emits the reason', async () => {
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
    await waitUntilWorking(backend)
  })
})

describe('a server without free connections', () => {
  it('makes calls reject with UNAVAILABLE within the timeout, and serves the same backend when a connection is free', async () => {
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
    await waitUntilWorking(backend)
  })
})

describe('a frozen server', () => {
  it('delays one call by the timeout, and later calls reject at once until it continues', async () => {
    const server = closeAfterTest(await startRedis())
    const backend = openBackend({ url: server.url, timeout: 200, connectTimeout: 200 })
    await waitUntilWorking(backend)
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
    await waitUntilWorking(backend)
  })

  it('delays close by the timeout at most', async () => {
    const server = closeAfterTest(await startRedis())
    const backend = openBackend({ url: server.url, timeout: 200 })
    await waitUntilWorking(backend)
    await server.freeze()
    const pending = outcome(() => backend.get('k'))
    const { ms } = await outcome(() => backend.close())
    expect(ms).toBeLessThan(500)
    expect((await pending).code).toBe('TIMEOUT')
    await server.thaw()
  })
})

describe('a slow connection', () => {
  it('delays calls within the timeout, and makes them reject with TIMEOUT beyond it', async () => {
    const proxy = closeAfterTest(await tcpProxy(url))
    const backend = openBackend({ url: proxy.url, prefix: ownPrefix(), timeout: 400, connectTimeout: 2000 })
    await waitUntilWorking(backend)
    proxy.delay(100)
    const slow = await outcome(() => backend.get('k'))
    expect(slow.code).toBe(undefined)
    expect(slow.ms).toBeGreaterThanOrEqual(99)
    proxy.delay(5000)
    const late = await outcome(() => backend.get('k'))
    expect(late.code).toBe('TIMEOUT')
    expect(late.ms).toBeLessThan(700)
    proxy.heal()
    await waitUntilWorking(backend)
  })
})

describe('a lost reply', () => {
  it('never makes a counter count twice', async () => {
    const proxy = closeAfterTest(await tcpProxy(url))
    const prefix = ownPrefix()
    const backend = openBackend({ url: proxy.url, prefix, timeout: 200 })
    const behind = openRedis(url)
    await waitUntilWorking(backend)
    for (let round = 1; round <= 5; round++) {
      proxy.swallowReplies()
      expect((await outcome(() => backend.increment?.('n', 1) ?? Promise.resolve())).code).toBe('TIMEOUT')
      proxy.heal()
      await waitUntilWorking(backend)
      expect(await behind.get(`${prefix}n`)).toBe(String(round))
    }
  })

  it('never makes a counter count twice on an injected client that resends commands', async () => {
    const proxy = closeAfterTest(await tcpProxy(url))
    const prefix = ownPrefix()
    // By default ioredis sends unanswered commands again, and keeps commands until it has a connection.
    const client = openRedis(proxy.url)
    const backend = openBackend({ client, prefix, timeout: 200 })
    const behind = openRedis(url)
    await waitUntilWorking(backend)
    for (let round = 1; round <= 5; round++) {
      proxy.swallowReplies()
      const calls = ['n', 'm'].map((key) => outcome(() => backend.increment?.(key, 1) ?? Promise.resolve()))
      expect((await Promise.all(calls)).map(({ code }) => code)).toEqual(['TIMEOUT', 'TIMEOUT'])
      proxy.heal()
      await waitUntilWorking(backend)
      expect(await behind.mget(`${prefix}n`, `${prefix}m`)).toEqual([String(round), String(round)])
    }
    expect(await client.ping()).toBe('PONG')
  })

  it('makes its command reject with UNAVAILABLE when the connection ends, and run once', async () => {
    const proxy = closeAfterTest(await tcpProxy(url))
    const prefix = ownPrefix()
    const client = openRedis(proxy.url)
    const backend = openBackend({ client, prefix, timeout: 2000 })
    await waitUntilWorking(backend)
    proxy.swallowReplies()
    const counting = outcome(() => backend.increment?.('n', 1) ?? Promise.resolve())
    await waitUntil('the reply to be lost', () => proxy.swallowed > 0)
    proxy.heal()
    expect((await counting).code).toBe('UNAVAILABLE')
    await waitUntilWorking(backend)
    expect(await openRedis(url).get(`${prefix}n`)).toBe('1')
  })
})

describe('a command that timed out before it had a connection', () => {
  it('never runs later', async () => {
    const proxy = closeAfterTest(await tcpProxy(url))
    const prefix = ownPrefix()
    const client = openRedis(proxy.url)
    const backend = openBackend({ client, prefix, timeout: 100 })
    await waitUntilWorking(backend)
    proxy.cut()
    await waitUntil('the end of the connection', () => client.status !== 'ready')
    // ioredis keeps these commands in its queue after their callers received errors.
    expect((await outcome(() => backend.increment?.('n', 1) ?? Promise.resolve())).code).toBe('UNAVAILABLE')
    expect((await outcome(() => backend.set(item('k', 'late')))).code).toBe('UNAVAILABLE')
    proxy.heal()
    await waitUntilWorking(backend)
    expect(await openRedis(url).mget(`${prefix}n`, `${prefix}k`)).toEqual([null, null])
  })
})

describe('a blocked event loop of this process', () => {
  it('never looks like a dead server, 20 times of 20', async () => {
    const backend = openBackend({ url, prefix: ownPrefix(), timeout: 50 })
    await waitUntilWorking(backend)
    await backend.set(item('k', 'value'))
    for (let round = 0; round < 20; round++) {
      const reading = backend.get('k')
      // The command has left by then. Its reply arrives during the block.
      await new Promise((resolve) => setImmediate(resolve))
      const end = performance.now() + 120
      while (performance.now() < end);
      expect((await reading)?.value).toBe('value')
    }
  })
})

describe('a server at its memory limit', () => {
  it('refuses single and batched writes with OUT_OF_MEMORY, and serves reads and deletes', async () => {
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
    await waitUntilWorking(backend)
  })

  it('evicts items whole, and compareAndSet treats them as absent', async () => {
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
    const gone = found.indexOf(undefined)
    expect(await backend.compareAndSet(`k${gone}`, `v${gone}`, item(`k${gone}`, 'next'))).toBe(false)
  })
})

describe('a master that refuses writes', () => {
  /** Expects READ_ONLY for single and batched writes and for each script, while reads work. */
  async function expectReadOnly(backend: RedisBackend): Promise<void> {
    for (const name of ['set', 'setMany', 'increment', 'compareAndSet'])
      expect([name, (await outcome(operations(backend)[name] as () => Promise<unknown>)).code]).toEqual([
        name,
        'READ_ONLY',
      ])
    const together = ['a', 'b', 'c'].map((key) => outcome(() => backend.set(item(key, 1))))
    for (const { code } of await Promise.all(together)) expect(code).toBe('READ_ONLY')
    expect(await backend.get('k')).toBe(undefined)
  }

  it('causes READ_ONLY while it cannot save', async () => {
    const server = closeAfterTest(await startRedis({ config: { save: '3600 100000' } }))
    const admin = openRedis(server.url)
    const backend = openBackend({ url: server.url })
    const [, directory] = (await admin.config('GET', 'dir')) as [string, string]
    // The server renames its finished file to this name, which a directory now has.
    await mkdir(join(directory, 'dump.rdb', 'taken'), { recursive: true })
    await admin.bgsave()
    await waitUntil('the save to fail', async () =>
      (await admin.info('persistence')).includes('rdb_last_bgsave_status:err'),
    )
    await expectReadOnly(backend)
    await rm(join(directory, 'dump.rdb'), { recursive: true })
    await admin.bgsave()
    await waitUntilWorking(backend)
  })

  it('causes READ_ONLY while it has too few replicas', async () => {
    const server = closeAfterTest(await startRedis({ config: { 'min-replicas-to-write': 1 } }))
    const backend = openBackend({ url: server.url })
    await expectReadOnly(backend)
    await openRedis(server.url).config('SET', 'min-replicas-to-write', 0)
    await waitUntilWorking(backend)
  })
})

describe('a server that a script of another program blocks', () => {
  it('makes calls reject with UNAVAILABLE, and serves the same backend after the script', async () => {
    const server = closeAfterTest(await startRedis({ config: { 'busy-reply-threshold': 50 } }))
    const backend = openBackend({ url: server.url, timeout: 1000 })
    await waitUntilWorking(backend)
    const hold = openRedis(server.url).eval('while true do end', 0).catch(String)
    await waitUntil('the server to be blocked', async () => (await outcome(() => backend.get('k'))).code !== undefined)
    for (const [name, call] of Object.entries(operations(backend)))
      expect([name, (await outcome(call)).code]).toEqual([name, 'UNAVAILABLE'])
    await openRedis(server.url, { enableReadyCheck: false }).script('KILL')
    await hold
    await waitUntilWorking(backend)
  })
})

describe('a replica', () => {
  it('refuses single and batched writes with READ_ONLY, and serves reads', async () => {
    const master = closeAfterTest(await startRedis({ config: { 'repl-diskless-sync-delay': 0 } }))
    const replica = closeAfterTest(await startRedis({ config: { replicaof: `127.0.0.1 ${master.port}` } }))
    await openBackend({ url: master.url }).set(item('k', 'copied'))
    const backend = openBackend({ url: replica.url })
    await waitUntil('the copy', async () => (await backend.get('k'))?.value === 'copied')
    for (const name of ['set', 'delete', 'clear', 'setMany', 'deleteMany', 'compareAndSet', 'increment']) {
      const call = operations(backend)[name] as () => Promise<unknown>
      // The key exists, so that compareAndSet would write.
      expect([
        name,
        (await outcome(name === 'compareAndSet' ? () => backend.compareAndSet('k', 'v1', undefined) : call)).code,
      ]).toEqual([name, 'READ_ONLY'])
    }
    const together = ['a', 'b', 'c'].map((key) => outcome(() => backend.set(item(key, 1))))
    for (const { code } of await Promise.all(together)) expect(code).toBe('READ_ONLY')
  })
})
