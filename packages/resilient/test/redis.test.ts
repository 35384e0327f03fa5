import { createVersion, type Duration, type Item } from '@cache/core/backend'
import { MemoryBackend } from '@cache/memory'
import { RedisBackend } from '@cache/redis'
import { type RedisServer, startRedis, waitUntil } from '@cache/workspace'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { failover, ResilientBackend } from '../src/index.ts'

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

/** By default, the timeout of the guard around it is shorter and decides about each call. */
function redis(timeout: Duration = '30s'): RedisBackend {
  count += 1
  const backend = new RedisBackend({ url: server.url, prefix: `resilient:${process.pid}:${count}:`, timeout })
  ends.push(() => backend.close())
  return backend
}

function item(key: string, value: unknown): Item {
  return { key, value, version: createVersion(), createdAt: Date.now() }
}

/** The code that the call rejects with. */
function codeOf(call: Promise<unknown>): Promise<string | undefined> {
  return call.then(
    () => undefined,
    (error) => error.code as string,
  )
}

describe('a ResilientBackend on Redis', () => {
  it('R41: a frozen server costs its time limit, then nothing, and works again when it is thawed', {
    timeout: 60_000,
  }, async () => {
    const backend = new ResilientBackend({
      backend: redis(),
      timeout: '2s',
      retry: false,
      breaker: { failures: 2, probeAfter: '1s' },
    })
    await backend.set(item('k', 1))
    await server.freeze()
    expect(await codeOf(backend.get('k'))).toBe('TIMEOUT')
    expect(await codeOf(backend.get('k'))).toBe('TIMEOUT')
    expect(await codeOf(backend.get('k'))).toBe('CIRCUIT_OPEN')
    await server.thaw()
    await waitUntil('a probe closes the circuit', async () => (await backend.get('k'))?.value === 1)
    expect(backend.circuit).toBe('closed')
  })

  it('R41: reads ride over a server that is killed and started again', { timeout: 60_000 }, async () => {
    const retry = { retries: 10_000, delay: 20, maxDelay: 50 }
    const backend = new ResilientBackend({ backend: redis(), breaker: false, retry, timeout: '30s' })
    const counter = new ResilientBackend({ backend: redis(500), breaker: false, retry, timeout: '30s' })
    await backend.set(item('k', 1))
    await server.kill()
    const reading = backend.get('k')
    // Settled before the server is back: a count is not retried.
    expect(await codeOf(counter.increment?.('n', 1) ?? Promise.resolve())).toMatch(/^(UNAVAILABLE|TIMEOUT)$/)
    await server.restart()
    // The server keeps nothing, so that the answer came from the one that was started.
    expect(await reading).toBe(undefined)
    expect(await counter.get('n')).toBe(undefined)
  })
})

describe('failover from Redis to memory', () => {
  it('a delete while Redis is frozen is not undone when Redis is back with all that it held', {
    timeout: 60_000,
  }, async () => {
    const primary = redis()
    const guarded = new ResilientBackend({
      backend: primary,
      timeout: '2s',
      retry: false,
      breaker: { failures: 1, probeAfter: 50 },
    })
    const backend = failover([guarded, new MemoryBackend({ maxEntries: 1000 })], { probeEvery: 50 })
    const kept = item('kept', 1)
    await backend.setMany([kept, item('deleted', 1), item('changed', 1)])
    await server.freeze()
    expect(await backend.delete('deleted')).toBe(false)
    expect(backend.active).toBe('secondary')
    await backend.set(item('changed', 2))
    expect((await backend.get('changed'))?.value).toBe(2)
    await server.thaw()
    await waitUntil('Redis serves again', async () => {
      await backend.get('kept')
      return backend.active === 'primary'
    })
    expect(await backend.get('kept')).toEqual(kept)
    expect(await backend.get('deleted')).toBe(undefined)
    expect(await backend.get('changed')).toBe(undefined)
    expect(await primary.get('changed')).toBe(undefined)
  })
})
