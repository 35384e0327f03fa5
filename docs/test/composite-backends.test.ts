import { Cache, type CacheBackend } from '@cache/core'
import type { Bus } from '@cache/core/backend'
import { BreakpointBackend } from '@cache/core/conformance'
import { InProcessBus, LayeredBackend } from '@cache/layered'
import { MemoryBackend } from '@cache/memory'
import { failover, ResilientBackend } from '@cache/resilient'
import { ShardedBackend } from '@cache/sharded'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

type Composite = CacheBackend & { close(): Promise<void> }
type Build = (part: CacheBackend) => Composite

function memory(): MemoryBackend {
  return new MemoryBackend({ maxEntries: 100 })
}

/** Every place that takes a backend. */
const composites: Readonly<Record<string, Build>> = {
  'the last layer of a layered backend': (part) => new LayeredBackend({ layers: [memory(), part] }),
  'the near layer of a layered backend': (part) => new LayeredBackend({ layers: [part, memory()] }),
  'a shard of a sharded backend': (part) => new ShardedBackend({ shards: { part, other: memory() } }),
  'the backend of a resilient backend': (part) => new ResilientBackend({ backend: part, timeout: '1h' }),
  'the primary of a failover backend': (part) => failover([part, memory()]),
  'the secondary of a failover backend': (part) => failover([memory(), part]),
}

const cache = new Cache({ backend: memory() })
const { get, set, clear } = memory()

describe.each(Object.entries(composites))('%s', (_, build) => {
  it.each([
    ['undefined', undefined],
    ['null', null],
    ['a name', 'memory'],
    ['a function', memory],
    ['a class', MemoryBackend],
    ['a Map', new Map()],
    ['a Set', new Set()],
    ['a promise of a backend', Promise.resolve(memory())],
    ['a cache', cache],
    ['a namespace of a cache', cache.namespace('users')],
    ['an array of backends', [memory()]],
    ['an object without delete', { name: 'partial', get, set, clear }],
    ['a backend without a name', { get, set, clear, delete: async () => true }],
    ['a backend with an empty name', { name: '', get, set, clear, delete: async () => true }],
  ])('refuses %s', (__, part) => {
    const make = (): Composite => build(part as never)
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    expect(make).toThrow(/must be a/)
  })
})

describe('a close with a part that hangs', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  })

  afterEach(() => {
    vi.useRealTimers()
  })

  /** Settles the close after 10 seconds, and not before. */
  async function rejectsInTime(closing: Promise<void>): Promise<void> {
    let isSettled = false
    const outcome = closing.then(
      () => undefined,
      (error: unknown) => error,
    )
    void outcome.then(() => {
      isSettled = true
    })
    await vi.advanceTimersByTimeAsync(4999)
    expect(isSettled).toBe(false)
    await vi.advanceTimersByTimeAsync(5001)
    expect(isSettled).toBe(true)
    expect(await outcome).toMatchObject({ code: 'TIMEOUT', operation: 'close' })
    expect(vi.getTimerCount()).toBe(0)
  }

  const never = (): Promise<never> => new Promise(() => {})

  describe.each(Object.entries(composites))('%s', (_, build) => {
    it('rejects in time if the close of the part hangs, after the other parts have closed', async () => {
      const part = memory()
      part.close = never
      const composite = build(part)
      await rejectsInTime(composite.close())
    })
  })

  // No call reaches a secondary before its primary has failed.
  const reached = Object.entries(composites).filter(([name]) => !name.startsWith('the secondary'))

  describe.each(reached)('%s', (_, build) => {
    it('is closed although a call in flight hangs', async () => {
      const part = new BreakpointBackend(memory())
      const held = part.holdBefore('clear')
      const composite = build(part)
      void composite.clear()
      await held.reached
      const closing = composite.close().catch((error: unknown) => error)
      await vi.advanceTimersByTimeAsync(4999)
      expect(part.calls).toEqual(['clear '])
      await vi.advanceTimersByTimeAsync(1)
      expect(part.calls).toEqual(['clear ', 'close'])
      expect(await closing).toMatchObject({ code: 'TIMEOUT', operation: 'close' })
    })
  })

  it('a layered backend closes its layers although its bus hangs', async () => {
    const buses: Bus[] = [
      { name: 'slow', publish: never, subscribe: never, close: async () => {} },
      { name: 'slow', publish: async () => {}, subscribe: async () => never, close: async () => {} },
      { name: 'slow', publish: async () => {}, subscribe: async () => async () => {}, close: never },
    ]
    for (const bus of buses) {
      const far = memory()
      const backend = new LayeredBackend({ layers: [memory(), far], bus })
      await vi.advanceTimersByTimeAsync(0)
      await rejectsInTime(backend.close())
      await expect(far.get('k')).rejects.toMatchObject({ code: 'CLOSED' })
    }
  })

  it('a layered backend reports the deletes that its recovery queue has not done', async () => {
    const far = memory()
    far.delete = async () => {
      throw new Error('the disk is full')
    }
    const backend = new LayeredBackend({ layers: [memory(), far], bus: new InProcessBus(), recovery: {} })
    await backend.delete('k')
    far.delete = never
    const messages: string[] = []
    backend.listen((event) => {
      if (event.type === 'error') messages.push(event.error.message)
    })
    await rejectsInTime(backend.close())
    expect(messages).toEqual([expect.stringContaining('1 deletes of the recovery queue were not done')])
  })
})
