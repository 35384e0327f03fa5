import type { CacheBackend } from '@cache/core/backend'
import { BreakpointBackend } from '@cache/core/conformance'
import { describe, expect, it } from 'vitest'
import { InProcessBus, LayeredBackend } from '../src/index.ts'
import { Rig, settled } from './rig.ts'

describe('LayeredBackend', () => {
  it('has compareAndSet, increment and keys only where the last layer has them', () => {
    const rig = new Rig()
    const four: CacheBackend = {
      name: 'four',
      get: async () => undefined,
      set: async () => {},
      delete: async () => false,
      clear: async () => {},
    }
    const without = new LayeredBackend({ layers: [rig.memory(), four] })
    expect([without.compareAndSet, without.increment, without.keys]).toEqual([undefined, undefined, undefined])
    const having = new LayeredBackend({ layers: [four, rig.memory()] })
    expect([typeof having.compareAndSet, typeof having.increment, typeof having.keys]).toEqual([
      'function',
      'function',
      'function',
    ])
  })

  it('works over a last layer that has the four required members alone', async () => {
    const rig = new Rig()
    const { sync } = rig.memory()
    const four: CacheBackend = {
      name: 'four',
      get: async (key) => sync.get(key),
      set: async (item) => sync.set(item),
      delete: async (key) => sync.delete(key),
      clear: async (prefix) => sync.clear(prefix),
    }
    const near = rig.memory()
    const cache = new LayeredBackend({ layers: [near, four], clock: rig.clock })
    const items = [rig.item('a', 1), rig.item('b', 2)]
    await cache.setMany(items)
    near.sync.clear()
    expect(await cache.getMany(['b', 'x', 'a', 'b'])).toEqual([items[1], undefined, items[0], items[1]])
    expect(await cache.deleteMany(['a', 'x', 'a'])).toBe(1)
    expect(await cache.stats()).toEqual({
      layers: [
        { name: 'memory', reads: 0, items: 1, evictions: 0, expired: 0 },
        { name: 'four', reads: 3 },
      ],
      pendingDeletes: 0,
    })
    expect(await cache.getMany([])).toEqual([])
    await cache.setMany([])
    expect(await cache.deleteMany([])).toBe(0)
  })

  it('counts what each layer answered', async () => {
    const rig = new Rig()
    const { cache } = await rig.node(rig.far())
    await rig.store.set(rig.item('k', 1))
    await cache.get('k')
    await cache.get('k')
    cache.near.get('k')
    await cache.getMany(['k', 'x'])
    const { layers, items } = await cache.stats()
    expect(items).toBe(1)
    expect(layers.map(({ name, reads }) => [name, reads])).toEqual([
      ['memory', 3],
      ['far', 2],
    ])
  })

  it('R41: a near layer that fails costs a far read, is told, and is never believed about what it may have missed', async () => {
    const rig = new Rig()
    const far = rig.far()
    const near = new BreakpointBackend(rig.memory(), 'near')
    const cache = new LayeredBackend({ layers: [near, far], clock: rig.clock })
    const errors: unknown[] = []
    cache.listen((event) => errors.push(event))
    await cache.set(rig.item('k', 'old'))
    near.broken = true
    expect((await cache.get('k'))?.value).toBe('old')
    expect((await cache.getMany(['k']))[0]?.value).toBe('old')
    await cache.set(rig.item('k', 'new'))
    expect(await cache.delete('x')).toBe(false)
    near.broken = false
    expect((await near.inner.get('k'))?.value).toBe('old')
    expect((await cache.get('k'))?.value).toBe('new')
    expect((await near.inner.get('k'))?.value).toBe('new')
    expect(errors.length).toBeGreaterThan(3)
    expect(errors[0]).toMatchObject({ type: 'error', error: { code: 'UNAVAILABLE', backend: 'near', key: 'k' } })
  })

  it('R41: near copies are served while the last layer is down', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far)
    await cache.set(rig.item('k', 1))
    far.broken = true
    expect(cache.near.get('k')?.value).toBe(1)
    expect((await cache.get('k'))?.value).toBe(1)
    await expect(cache.get('x')).rejects.toMatchObject({ code: 'UNAVAILABLE', backend: 'far' })
  })

  it('passes on what the last layer tells, and of the near layers errors only', async () => {
    const rig = new Rig()
    const told: string[] = []
    const speaking = (name: string): CacheBackend => {
      const backend = rig.memory()
      return {
        name,
        get: (key) => backend.get(key),
        set: (item) => backend.set(item),
        delete: (key) => backend.delete(key),
        clear: (prefix) => backend.clear(prefix),
        listen: (listener) => {
          listener({ type: 'evict', key: name, reason: 'entries' })
          return () => told.push(`${name} stopped`)
        },
      }
    }
    const cache = new LayeredBackend({ layers: [speaking('near'), speaking('far')] })
    const stop = cache.listen((event) => told.push(event.type === 'evict' ? event.key : event.type))
    expect(told).toEqual(['far'])
    stop()
    stop()
    expect(told).toEqual(['far', 'far stopped', 'near stopped'])
    cache.listen((event) => told.push(event.type), ['busMessage'])
    expect(told).toHaveLength(4)
  })

  it('R36: close with closeParts false leaves the layers, the bus and other layered backends on them working', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, near } = await rig.node(far, { closeParts: false })
    const other = (await rig.node(far)).cache
    await cache.close()
    expect(far.calls).toEqual([])
    expect(rig.bus.closed).toBe(false)
    expect(rig.bus.subscribers).toBe(1)
    await other.set(rig.item('k', 1))
    expect((await other.get('k'))?.value).toBe(1)
    await near.set(rig.item('k', 1))
    expect(cache.near.get('k')).toBe(undefined)
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'CLOSED', operation: 'get', key: 'k' })
  })

  it('R36: close closes the near layer and leaves the last layer and the bus to the other layered backend on them', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, near } = await rig.node(far)
    const other = (await rig.node(far)).cache
    await cache.close()
    expect(far.calls).toEqual([])
    expect(rig.bus.closed).toBe(false)
    await expect(near.get('k')).rejects.toMatchObject({ code: 'CLOSED' })
    await other.set(rig.item('k', 1))
    expect((await other.get('k'))?.value).toBe(1)
    await other.close()
    expect(far.calls).toEqual(['set k', 'close'])
    expect(rig.bus.closed).toBe(true)
  })

  it('close closes the layers and the bus too', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far)
    await cache.close()
    await cache.close()
    expect(far.calls).toEqual(['close'])
    expect(rig.bus.closed).toBe(true)
    await expect(rig.store.get('k')).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('R33: close waits for work in flight and leaves no timer', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far)
    const held = far.holdBefore('set')
    const setting = cache.set(rig.item('k', 1))
    await held.reached
    let closed = false
    const closing = cache.close().then(() => {
      closed = true
    })
    await settled()
    expect(closed).toBe(false)
    held.open()
    await setting
    await closing
    expect(rig.clock.timers).toBe(0)
  })

  it('R33: a subscription that comes late after close is ended', async () => {
    const rig = new Rig()
    const near = rig.memory()
    const cache = new LayeredBackend({ layers: [near, rig.far()], bus: rig.bus, clock: rig.clock })
    await cache.close()
    expect(rig.bus.subscribers).toBe(0)
  })

  it('R16: the clocks of two machines may differ by minutes without a copy being kept or dropped by mistake', async () => {
    const rig = new Rig()
    const early = { now: () => rig.clock.now() - 600_000 }
    const one = (await rig.node(rig.far())).cache
    const two = (await rig.node(rig.far(), { clock: early })).cache
    await two.set({ ...rig.item('k', 'by two'), createdAt: early.now() })
    expect((await one.get('k'))?.value).toBe('by two')
    await one.set(rig.item('k', 'by one'))
    expect((await two.get('k'))?.value).toBe('by one')
    await two.set({ ...rig.item('k', 'by two again'), createdAt: early.now() })
    expect((await one.get('k'))?.value).toBe('by two again')
  })

  it('R17: write, delete, write within one millisecond leaves the second write readable everywhere', async () => {
    const rig = new Rig()
    const one = (await rig.node(rig.far())).cache
    const two = (await rig.node(rig.far())).cache
    await one.set(rig.item('k', 1))
    await two.get('k')
    await one.delete('k')
    await one.set(rig.item('k', 2))
    for (const node of [one, two]) expect((await node.get('k'))?.value).toBe(2)
  })

  it('R15: two layered backends on buses of their own do not hear each other', async () => {
    const rig = new Rig()
    const [busOne, busTwo] = [new InProcessBus(), new InProcessBus()]
    const one = new LayeredBackend({ layers: [rig.memory(), rig.far()], bus: busOne, clock: rig.clock })
    const two = new LayeredBackend({ layers: [rig.memory(), rig.far()], bus: busTwo, clock: rig.clock })
    await settled()
    const heard: unknown[] = []
    two.listen((event) => heard.push(event))
    await one.set(rig.item('k', 1))
    expect(heard).toEqual([])
  })
})

describe('new LayeredBackend', () => {
  const rig = new Rig()
  const near = rig.memory()
  const far = rig.memory()

  it.each([
    ['options', undefined, /options must be an object, but was undefined/],
    ['layers', { layers: [near] }, /layers must be an array of two or more backends/],
    ['layers', { layers: [near, {}] }, /layers\[1] must be a backend, with get, set, delete, clear/],
    ['layers', { layers: [near, far, near] }, /layers must be an array without the same backend twice/],
    ['bus', { layers: [near, far], bus: {} }, /bus must be a bus, with publish, subscribe/],
    ['clock', { layers: [near, far], clock: 1 }, /clock must be a clock, with now, but was 1/],
    ['nearTtl', { layers: [near, far], nearTtl: 0 }, /nearTtl must be more than 0, but was 0/],
    ['nearTtl', { layers: [near, far], nearTtl: -1 }, /nearTtl must be milliseconds/],
    ['tagWindow', { layers: [near, far], tagWindow: Infinity }, /tagWindow must be between 0 ms and 2147483647 ms/],
    ['recovery', { layers: [near, far], recovery: { max: 1 } }, /recovery: unknown option 'max'/],
    ['recovery', { layers: [near, far], recovery: { maxPending: 0 } }, /recovery.maxPending must be a whole number/],
    [
      'recovery',
      { layers: [near, far], recovery: { retryDelay: 0 } },
      /recovery.retryDelay must be between 1 ms and 2147483647 ms/,
    ],
    ['recovery', { layers: [near, far], recovery: { retryDelay: '1m' } }, /recovery.maxRetryDelay must be recovery/],
    ['closeParts', { layers: [near, far], closeParts: 'yes' }, /closeParts must be true or false, but was 'yes'/],
    ['nearTTL', { layers: [near, far], nearTTL: 1 }, /unknown option 'nearTTL'; allowed are layers, bus/],
  ])('refuses a bad value of %s', (_, options, message) => {
    const make = (): LayeredBackend => new LayeredBackend(options as never)
    expect(make).toThrow(message)
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})
