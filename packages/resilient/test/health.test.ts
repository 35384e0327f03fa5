import { Cache, type Health } from '@cache/core'
import { createMovableClock } from '@cache/core/conformance'
import { MemoryBackend } from '@cache/memory'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { failover, ResilientBackend, type ResilientOptions } from '../src/index.ts'
import { BreakableBackend } from './breakable-backend.ts'

/** cockatiel reads the machine's clock and timers: they stand still and are moved; everything else runs. */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

function breakable(name: string): BreakableBackend {
  return new BreakableBackend(new MemoryBackend({ maxEntries: 1000 }), name)
}

function resilient(options: Partial<ResilientOptions> = {}): { store: BreakableBackend; cache: Cache } {
  const store = breakable('store')
  const backend = new ResilientBackend({ backend: store, retry: false, ...options })
  return { store, cache: new Cache({ backend }) }
}

function summary({ status, reasons }: Health): readonly string[] {
  return [status, ...reasons.map(({ kind, part }) => `${kind} ${part}`)]
}

async function settled(): Promise<void> {
  for (let round = 0; round < 3; round += 1) await new Promise((resolve) => setImmediate(resolve))
}

describe('the health of a resilient cache', () => {
  it('is down with an open circuit, and health checks alone close the circuit when the store is back', async () => {
    const { store, cache } = resilient({ breaker: { failures: 2, probeAfter: '5s' } })
    expect(summary(await cache.health())).toEqual(['ok'])
    store.failure = 'UNAVAILABLE'
    expect(summary(await cache.health())).toEqual(['down', 'store resilient / store'])
    expect(summary(await cache.health())).toEqual(['down', 'store resilient / store', 'circuit resilient / circuit'])
    store.failure = undefined
    expect(summary(await cache.health())).toEqual(['down', 'circuit resilient / circuit'])
    vi.setSystemTime(Date.now() + 5001)
    expect(summary(await cache.health())).toEqual(['ok'])
  })

  it('is degraded while the bulkhead is full, with the number of waiting calls', async () => {
    const { store, cache } = resilient({ bulkhead: { concurrent: 2, queue: 3 } })
    const held = [store.hold('set'), store.hold('set')]
    const writes = [1, 2, 3, 4, 5].map((value) => cache.set(`k${value}`, value))
    await settled()
    const checking = cache.health()
    await settled()
    vi.advanceTimersByTime(900)
    const { status, parts } = await checking
    expect(status).toBe('degraded')
    expect(parts[0]?.parts).toContainEqual({
      kind: 'queue',
      name: 'bulkhead',
      status: 'degraded',
      message: 'all places are taken: further calls are refused',
      pending: 3,
      limit: 3,
    })
    for (const { open } of held) open()
    await Promise.all(writes)
  })
})

describe('the health of a cache with failover', () => {
  it('is degraded while the secondary serves, down without both, and ok after the return of the primary', async () => {
    const clock = createMovableClock()
    const [primary, secondary] = [breakable('primary'), breakable('secondary')]
    const cache = new Cache({ backend: failover([primary, secondary], { clock }) })
    expect(summary(await cache.health())).toEqual(['ok'])
    primary.failure = 'UNAVAILABLE'
    const recovery = 'recovery failover / changes since the take-over'
    expect(summary(await cache.health())).toEqual(['degraded', 'store failover / primary', recovery])
    await cache.set('k', 1)
    expect((await cache.health()).parts[0]?.parts?.[2]).toMatchObject({ pending: 1, status: 'degraded' })
    secondary.failure = 'TIMEOUT'
    expect((await cache.health()).status).toBe('down')
    primary.failure = undefined
    secondary.failure = undefined
    clock.advance(1000)
    await cache.health()
    await settled()
    expect(summary(await cache.health())).toEqual(['ok'])
  })
})
