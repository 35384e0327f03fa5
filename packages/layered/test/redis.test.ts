import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Cache } from '@cache/core'
import { createVersion, type Item } from '@cache/core/backend'
import { MemoryBackend } from '@cache/memory'
import { RedisBackend, RedisBus, RedisTrackingBus } from '@cache/redis'
import { type RedisServer, startRedis, tcpProxy, waitUntil } from '@cache/workspace'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { LayeredBackend, type LayeredOptions } from '../src/index.ts'

const ends: (() => unknown)[] = []
let server: RedisServer
let count = 0

beforeAll(async () => {
  server = await startRedis()
}, 120_000)

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

afterAll(async () => {
  await server.stop()
})

function ownPrefix(): string {
  count += 1
  return `layered:${process.pid}:${count}:`
}

/** Another process with near layer, Redis and bus. */
class Other {
  readonly #child: ChildProcess
  #ids = 0

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(prefix: string): Promise<Other> {
    const script = new URL('./redis-node.ts', import.meta.url)
    const child = fork(script, [server.url, prefix], { execArgv: [] })
    ends.push(async () => {
      const gone = once(child, 'exit')
      if (child.connected) child.disconnect()
      expect(await gone, 'a process whose cache is closed ends by itself').toEqual([0, null])
    })
    const exit = once(child, 'exit').then(([code]) => {
      throw new Error(`the process ended with ${code} before it was ready`)
    })
    await Promise.race([once(child, 'message'), exit])
    exit.catch(() => {})
    return new Other(child)
  }

  async call(call: string, ...given: string[]): Promise<unknown> {
    this.#ids += 1
    const id = this.#ids
    this.#child.send({ id, call, with: given })
    for (;;) {
      const [message] = await once(this.#child, 'message')
      if (message.id !== id) continue
      if (message.error !== undefined) throw new Error(message.error)
      return message.answer
    }
  }
}

function layered(prefix: string, options: Partial<LayeredOptions> = {}): LayeredBackend {
  const backend = new LayeredBackend({
    layers: [new MemoryBackend({ maxEntries: 1000 }), new RedisBackend({ url: server.url, prefix, timeout: '3s' })],
    bus: new RedisBus({ url: server.url, channel: prefix, heartbeat: 200 }),
    ...options,
  })
  ends.push(() => backend.close())
  return backend
}

function item(key: string, value: unknown): Item {
  return { key, value, version: createVersion(), createdAt: Date.now() }
}

describe('two processes with near layers on one Redis', () => {
  it('a copy in one is gone when the other has changed its item', { timeout: 60_000 }, async () => {
    const prefix = ownPrefix()
    const [one, two] = await Promise.all([Other.start(prefix), Other.start(prefix)])
    await one.call('set', 'k', 'old')
    await waitUntil('the near layer of the second is trusted and has a copy', async () => {
      const { value, near } = (await two.call('get', 'k')) as { value: string; near: boolean }
      expect(value).toBe('old')
      return near
    })
    await one.call('set', 'k', 'new')
    await waitUntil('the second sees the new value', async () => {
      const { value } = (await two.call('get', 'k')) as { value: string }
      expect(['old', 'new']).toContain(value)
      return value === 'new'
    })
    await one.call('delete', 'k')
    await waitUntil('the second sees that it is gone', async () => {
      return ((await two.call('get', 'k')) as { value?: string }).value === undefined
    })
  })

  it('a tag that one invalidates takes the copies of the other', { timeout: 60_000 }, async () => {
    const prefix = ownPrefix()
    const [one, two] = await Promise.all([Other.start(prefix), Other.start(prefix)])
    await one.call('set', 'k', 'tagged', 't')
    await waitUntil('a copy in the second', async () => ((await two.call('get', 'k')) as { near: boolean }).near)
    await one.call('deleteByTag', 't')
    await waitUntil('the second sees that it is gone', async () => {
      return ((await two.call('get', 'k')) as { value?: string }).value === undefined
    })
  })
})

describe('a layered backend on Redis', () => {
  it('R14: bypasses its near layer while Redis is frozen and empties it afterwards', { timeout: 60_000 }, async () => {
    const backend = layered(ownPrefix(), { maxOutage: 0 })
    const stored = item('k', 1)
    const nearAgain = async (): Promise<boolean> => {
      await backend.get('k')
      return backend.near.get('k') !== undefined
    }
    await backend.set(stored)
    await waitUntil('the near layer is trusted', nearAgain)
    await server.freeze()
    await waitUntil('the subscription is found dead', () => backend.near.get('k') === undefined)
    await expect(backend.get('k')).rejects.toMatchObject({ code: expect.stringMatching(/^(TIMEOUT|UNAVAILABLE)$/) })
    await server.thaw()
    await waitUntil('the near layer is trusted again', nearAgain)
    expect(await backend.get('k')).toEqual(stored)
  })

  it('R14: near copies answer without loads while Redis and its bus are frozen or stopped', {
    timeout: 120_000,
  }, async () => {
    const backend = layered(ownPrefix())
    const cache = new Cache({ backend, ttl: '1h' })
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`)
    let loads = 0
    const loadAll = async (): Promise<unknown[]> => {
      const values: unknown[] = []
      for (const key of keys) {
        const load = async (): Promise<string> => {
          loads += 1
          return `${key} of load ${loads}`
        }
        values.push(await cache.getOrSet(key, load, { tags: ['t'] }))
      }
      return values
    }
    await cache.setMany(
      keys.map((key) => [key, key] as const),
      { tags: ['t'] },
    )
    await waitUntil('every key has a near copy', async () => {
      await loadAll()
      return keys.every((key) => backend.near.get(key) !== undefined)
    })
    for (const outage of ['frozen', 'stopped'] as const) {
      if (outage === 'frozen') await server.freeze()
      else await server.kill()
      await waitUntil('the loss of the bus is noticed', () => backend.near.get('k0') === undefined)
      expect(await loadAll()).toEqual(keys)
      expect(loads).toBe(0)
      if (outage === 'stopped') break
      await server.thaw()
      await waitUntil('every key has a near copy again', async () => {
        await loadAll()
        return keys.every((key) => backend.near.get(key) !== undefined)
      })
    }
    await server.restart()
    // The restarted Redis is empty, so old values do not answer any more.
    await waitUntil('Redis answers', async () => (await cache.get('k0')) === undefined)
    await waitUntil('every key is loaded anew', async () =>
      (await loadAll()).every((value) => !keys.includes(String(value))),
    )
  })

  it('R14: a killed Redis that comes back empty leaves no copy of what it held', { timeout: 60_000 }, async () => {
    const backend = layered(ownPrefix())
    await backend.set(item('k', 1))
    await waitUntil('the near layer is trusted', async () => {
      await backend.get('k')
      return backend.near.get('k') !== undefined
    })
    await server.kill()
    await waitUntil('the near layer is bypassed', () => backend.near.get('k') === undefined)
    await server.restart()
    await waitUntil('Redis answers', async () => {
      await backend.get('x')
      return true
    })
    expect(await backend.get('k')).toBe(undefined)
    const next = item('k', 2)
    await backend.set(next)
    await waitUntil('the near layer is trusted again', async () => {
      expect(await backend.get('k')).toEqual(next)
      return backend.near.get('k') !== undefined
    })
  })

  it('hears of writes by programs that know nothing of it, through RedisTrackingBus', { timeout: 60_000 }, async () => {
    const prefix = ownPrefix()
    const backend = new LayeredBackend({
      layers: [new MemoryBackend({ maxEntries: 1000 }), new RedisBackend({ url: server.url, prefix, timeout: '30s' })],
      bus: new RedisTrackingBus({ url: server.url, prefix }),
    })
    ends.push(() => backend.close())
    const other = new RedisBackend({ url: server.url, prefix, timeout: '30s' })
    ends.push(() => other.close())
    await backend.set(item('k', 'old'))
    await waitUntil('a near copy', async () => {
      await backend.get('k')
      return backend.near.get('k') !== undefined
    })
    const foreign = item('k', 'foreign')
    await other.set(foreign)
    await waitUntil('the foreign write is seen', async () => (await backend.get('k'))?.value === 'foreign')
    expect(await backend.get('k')).toEqual(foreign)
  })

  it('R14: bypasses its near layer while RedisTrackingBus is cut off, empties it, and hears again afterwards', {
    timeout: 60_000,
  }, async () => {
    const prefix = ownPrefix()
    const proxy = await tcpProxy(server.url)
    ends.push(() => proxy.stop())
    const backend = new LayeredBackend({
      layers: [new MemoryBackend({ maxEntries: 1000 }), new RedisBackend({ url: server.url, prefix, timeout: '30s' })],
      // Redis itself can be reached all the time.
      bus: new RedisTrackingBus({ url: proxy.url, prefix }),
    })
    ends.push(() => backend.close())
    const other = new RedisBackend({ url: server.url, prefix, timeout: '30s' })
    ends.push(() => other.close())
    const nearAgain = async (): Promise<boolean> => {
      await backend.get('k')
      return backend.near.get('k') !== undefined
    }
    await backend.set(item('k', 'old'))
    await waitUntil('a near copy', nearAgain)
    proxy.cut()
    await waitUntil('the near layer is bypassed', () => backend.near.get('k') === undefined)
    for (const value of ['missed', 'missed too']) {
      await other.set(item('k', value))
      expect((await backend.get('k'))?.value).toBe(value)
      expect(backend.near.get('k')).toBe(undefined)
    }
    proxy.heal()
    await waitUntil('the near layer is trusted again', nearAgain)
    expect((await backend.get('k'))?.value).toBe('missed too')
    await other.set(item('k', 'heard'))
    await waitUntil('the change is heard of', () => backend.near.get('k')?.value !== 'missed too')
    expect((await backend.get('k'))?.value).toBe('heard')
  })

  it('R11: a delete while Redis is down waits in the recovery queue and is done when it is back', {
    timeout: 60_000,
  }, async () => {
    const prefix = ownPrefix()
    const backend = new LayeredBackend({
      layers: [new MemoryBackend({ maxEntries: 1000 }), new RedisBackend({ url: server.url, prefix, timeout: '3s' })],
      recovery: { retryDelay: 20, maxRetryDelay: 100 },
    })
    ends.push(() => backend.close())
    const plain = new RedisBackend({ url: server.url, prefix, timeout: '30s' })
    ends.push(() => plain.close())
    await backend.set(item('k', 1))
    const states: string[] = []
    const drained = new Promise<void>((resolve) => {
      backend.listen((event) => {
        if (event.type !== 'recovery') return
        states.push(event.state)
        if (event.state === 'drained') resolve()
      })
    })
    await server.freeze()
    expect(await backend.delete('k')).toBe(true)
    expect(await backend.get('k')).toBe(undefined)
    await server.thaw()
    await drained
    expect(states).toEqual(['started', 'drained'])
    expect(await plain.get('k')).toBe(undefined)
  })
})
