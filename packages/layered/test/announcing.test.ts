import { Cache } from '@cache/core'
import { BreakpointBackend } from '@cache/core/conformance'
import { describe, expect, it } from 'vitest'
import { LayeredBackend } from '../src/index.ts'
import { asyncNear, syncNear } from './harness.ts'
import { Rig, settled } from './rig.ts'

describe('announcements', () => {
  it('R10: a change is announced after the far write, and not before', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far)
    for (const [operation, change] of [
      ['set', () => cache.set(rig.item('k', 1))],
      ['delete', () => cache.delete('k')],
      ['clear', () => cache.clear('k')],
    ] as const) {
      const held = far.holdBefore(operation)
      const changing = change()
      await held.reached
      await settled()
      expect(rig.bus.published).toEqual([])
      held.open()
      await changing
      expect(rig.bus.published.splice(0).map(({ kind }) => kind)).toEqual([operation])
    }
  })

  it('R10: a far write that failed is not announced, rejects, and leaves no near copy', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, near } = await rig.node(far)
    const changes = {
      set: () => cache.set(rig.item('k', 2)),
      setMany: () => cache.setMany([rig.item('k', 2)]),
      delete: () => cache.delete('k'),
      deleteMany: () => cache.deleteMany(['k']),
      compareAndSet: () => cache.compareAndSet?.('k', undefined, rig.item('k', 2)),
      increment: () => cache.increment?.('k', 1),
      clear: () => cache.clear(),
    } as const
    for (const [operation, change] of Object.entries(changes)) {
      await cache.set(rig.item('k', 1))
      rig.bus.published.splice(0)
      far.failing.add(operation as keyof typeof changes)
      await expect(change()).rejects.toMatchObject({ code: 'UNAVAILABLE', backend: 'far' })
      far.failing.clear()
      expect(rig.bus.published).toEqual([])
      expect(near.sync.get('k')).toBe(undefined)
    }
  })

  it.each([
    ['at once', syncNear],
    ['later', asyncNear],
  ])(
    'R13 R41: no copy is served of a key whose change was announced while a near layer that answers %s failed',
    async (_, nearOf) => {
      const rig = new Rig()
      const store = { clock: rig.clock, nears: [] }
      const near = nearOf(store)
      const { cache: other } = await rig.node(rig.far())
      const cache = new LayeredBackend({ layers: [near, rig.far()], bus: rig.bus, clock: rig.clock })
      await settled()
      const [broken] = store.nears as BreakpointBackend[]
      if (broken === undefined) throw new Error('the near layer can be broken')
      await other.set(rig.item('k', 'old'))
      expect((await cache.get('k'))?.value).toBe('old')
      broken.broken = true
      await other.set(rig.item('k', 'new'))
      await settled()
      broken.broken = false
      expect((await cache.get('k'))?.value).toBe('new')
    },
  )

  it('R23: a background refresh tells the others, who serve what it loaded', async () => {
    const rig = new Rig()
    const open = async (): Promise<Cache> => {
      const { cache: backend } = await rig.node(rig.far())
      return new Cache({ backend, clock: rig.clock, ttl: '1m', staleFor: '1h' })
    }
    const [one, other] = [await open(), await open()]
    await one.set('k', 'old')
    expect(await other.get('k')).toBe('old')
    rig.clock.advance(60_000)
    rig.bus.published.splice(0)
    const loaded = new Promise((resolve) => one.on('load', resolve))
    expect(await one.getOrSet('k', async () => 'new')).toBe('old')
    await loaded
    expect(rig.bus.published.map(({ kind }) => kind)).toEqual(['set'])
    expect(await other.get('k')).toBe('new')
  })

  it('every kind of change tells the others, and what they held is not served again', async () => {
    const rig = new Rig()
    const writer = (await rig.node(rig.far())).cache
    const reader = (await rig.node(rig.far())).cache
    const hold = async (key: string, value: unknown): Promise<string> => {
      const item = rig.item(key, value)
      await writer.set(item)
      await reader.get(key)
      expect(reader.near.get(key)).toEqual(item)
      return item.version
    }
    await hold('k', 1)
    await writer.set(rig.item('k', 2))
    expect(reader.near.get('k')).toBe(undefined)
    expect((await reader.get('k'))?.value).toBe(2)

    const version = await hold('k', 1)
    await writer.compareAndSet?.('k', version, rig.item('k', 3))
    expect((await reader.get('k'))?.value).toBe(3)

    await hold('k', 1)
    await writer.increment?.('k', 4)
    expect((await reader.get('k'))?.value).toBe(5)

    await hold('k', 1)
    await writer.setMany([rig.item('k', 6)])
    expect((await reader.get('k'))?.value).toBe(6)

    await hold('k', 1)
    await writer.deleteMany(['k'])
    expect(await reader.get('k')).toBe(undefined)

    await hold('k', 1)
    await writer.clear('k')
    expect(await reader.get('k')).toBe(undefined)
  })

  it('R12: a node that hears its own message keeps its copy', async () => {
    const rig = new Rig()
    const { cache, events } = await rig.node(rig.far())
    const item = rig.item('k', 1)
    await cache.set(item)
    expect(rig.bus.published).toHaveLength(1)
    expect(cache.near.get('k')).toEqual(item)
    expect(events).toEqual([])
  })

  it('R13: a message from the past does not remove a newer item', async () => {
    const rig = new Rig()
    const other = (await rig.node(rig.far())).cache
    const far = rig.far()
    const { cache, near } = await rig.node(far)
    rig.bus.holding = true
    await other.set(rig.item('k', 'older'))
    await other.delete('k')
    const newer = rig.item('k', 'newer')
    await cache.set(newer)
    const old = rig.bus.held.slice(0, 2)
    for (const message of [...old, ...old].reverse()) rig.bus.deliver(message)
    expect(near.sync.get('k')).toEqual(newer)
    // Not served before the authority has confirmed it; then served near again.
    expect(cache.near.get('k')).toBe(undefined)
    far.calls.splice(0)
    expect(await cache.get('k')).toEqual(newer)
    expect(cache.near.get('k')).toEqual(newer)
    expect(await cache.get('k')).toEqual(newer)
    expect(far.calls).toEqual(['get k'])
  })

  it('a message that names the version of the copy leaves the copy', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far)
    const item = rig.item('k', 1)
    await rig.store.set(item)
    await cache.get('k')
    rig.bus.deliver({ kind: 'set', source: 'other', keys: ['k'], versions: [item.version] })
    expect(cache.near.get('k')).toEqual(item)
  })

  it('a doubtful copy whose confirmation was overtaken by another message stays doubtful', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far)
    const item = rig.item('k', 1)
    await cache.set(item)
    const message = { kind: 'delete', source: 'other', keys: ['k'] } as const
    rig.bus.deliver(message)
    const held = far.holdAfter('get')
    const reading = cache.get('k')
    await held.reached
    await rig.store.delete('k')
    rig.bus.deliver(message)
    held.open()
    await reading
    expect(cache.near.get('k')).toBe(undefined)
    expect(await cache.get('k')).toBe(undefined)
  })

  it('R13: a late message that agrees with the copy does not take back a doubt that a later change raised', async () => {
    const rig = new Rig()
    const near = new BreakpointBackend(rig.memory(), 'near')
    const cache = new LayeredBackend({ layers: [near, rig.far()], bus: rig.bus, clock: rig.clock })
    await settled()
    const item = rig.item('k', 1)
    await rig.store.set(item)
    expect(await cache.get('k')).toEqual(item)
    await rig.store.delete('k')
    rig.bus.deliver({ kind: 'delete', source: 'other', keys: ['k'] })
    await settled()
    rig.bus.deliver({ kind: 'set', source: 'other', keys: ['k'], versions: [item.version] })
    await settled()
    expect(await cache.get('k')).toBe(undefined)
  })

  it('a message while the own write is under way leaves no copy that may be older', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, near } = await rig.node(far)
    const other = (await rig.node(rig.far())).cache
    const held = far.holdAfter('set')
    const setting = cache.set(rig.item('k', 'mine'))
    await held.reached
    const theirs = rig.item('k', 'theirs')
    await other.set(theirs)
    held.open()
    await setting
    expect(near.sync.get('k')).toBe(undefined)
    expect(await cache.get('k')).toEqual(theirs)
  })

  it('a change by somebody outside puts the named keys in doubt, or without names everything', async () => {
    const rig = new Rig()
    const { cache } = await rig.node(rig.far())
    await cache.setMany([rig.item('a', 1), rig.item('b', 1)])
    await rig.store.set(rig.item('a', 2))
    rig.bus.deliver({ kind: 'foreign', source: 'outside', keys: ['a'] })
    expect(cache.near.get('a')).toBe(undefined)
    expect(cache.near.get('b')?.value).toBe(1)
    expect((await cache.get('a'))?.value).toBe(2)
    await rig.store.set(rig.item('b', 2))
    rig.bus.deliver({ kind: 'foreign', source: 'outside' })
    expect(cache.near.get('a')).toBe(undefined)
    expect((await cache.get('b'))?.value).toBe(2)
  })

  it('a near layer that takes its time is not served from while an announced change is on its way there', async () => {
    const rig = new Rig()
    const near = new BreakpointBackend(rig.memory(), 'near')
    const cache = new LayeredBackend({ layers: [near, rig.far()], bus: rig.bus, clock: rig.clock })
    await settled()
    const other = (await rig.node(rig.far())).cache
    for (const change of [() => other.delete('k'), () => other.clear('k')]) {
      const item = rig.item('k', 1)
      await cache.set(item)
      expect(await cache.get('k')).toEqual(item)
      const held = near.holdBefore('clear')
      await change()
      expect(await cache.get('k')).toBe(undefined)
      held.open()
      await settled()
    }
  })

  it('R14: while the subscriber is disconnected the near layer is bypassed, and it is empty when the connection is back', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, near } = await rig.node(far)
    const other = (await rig.node(rig.far())).cache
    await cache.set(rig.item('k', 'old'))
    rig.bus.disconnect(0)
    await other.set(rig.item('k', 'new'))
    expect(cache.near.get('k')).toBe(undefined)
    expect((await cache.get('k'))?.value).toBe('new')
    expect((await cache.getMany(['k']))[0]?.value).toBe('new')
    await other.set(rig.item('k', 'newest'))
    rig.bus.reconnect(0)
    expect(near.sync.get('k')).toBe(undefined)
    expect((await cache.get('k'))?.value).toBe('newest')
    expect(cache.near.get('k')?.value).toBe('newest')
  })

  it('R14: a read that began before the connection was lost is not promoted after it is back', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache, near } = await rig.node(far)
    await rig.store.set(rig.item('k', 'old'))
    const held = far.holdAfter('get')
    const reading = cache.get('k')
    await held.reached
    rig.bus.disconnect(0)
    await rig.store.set(rig.item('k', 'new'))
    rig.bus.reconnect(0)
    held.open()
    await reading
    expect(near.sync.get('k')).toBe(undefined)
  })

  it('R14: a near layer that takes its time to be cleared is trusted only when it is', async () => {
    const rig = new Rig()
    const far = rig.far()
    const near = new BreakpointBackend(rig.memory(), 'near')
    const cache = new LayeredBackend({ layers: [near, far], bus: rig.bus, clock: rig.clock })
    await settled()
    await cache.set(rig.item('k', 'old'))
    rig.bus.disconnect(0)
    await rig.store.set(rig.item('k', 'new'))
    const held = near.holdBefore('clear')
    rig.bus.reconnect(0)
    await held.reached
    expect((await cache.get('k'))?.value).toBe('new')
    held.open()
    await settled()
    expect((await cache.get('k'))?.value).toBe('new')
    expect((await cache.get('k'))?.value).toBe('new')
    expect(far.calls).toEqual(['set k', 'get k', 'get k'])
  })

  it('R14: a near layer that cannot be cleared stays bypassed until it can', async () => {
    const rig = new Rig()
    const near = new BreakpointBackend(rig.memory(), 'near')
    const cache = new LayeredBackend({ layers: [near, rig.far()], bus: rig.bus, clock: rig.clock })
    await settled()
    await cache.set(rig.item('k', 'old'))
    rig.bus.disconnect(0)
    await rig.store.set(rig.item('k', 'new'))
    near.failing.add('clear')
    rig.bus.reconnect(0)
    await settled()
    expect((await cache.get('k'))?.value).toBe('new')
    expect((await near.inner.get('k'))?.value).toBe('old')
    near.failing.clear()
    rig.clock.advance(100)
    await settled()
    expect(await near.inner.get('k')).toBe(undefined)
    await cache.get('k')
    expect((await near.inner.get('k'))?.value).toBe('new')
  })

  it('R14: a near write that was under way when the connection was lost does not outlast the clearing', async () => {
    const rig = new Rig()
    const near = new BreakpointBackend(rig.memory(), 'near')
    const cache = new LayeredBackend({ layers: [near, rig.far()], bus: rig.bus, clock: rig.clock })
    await settled()
    const held = near.holdBefore('set')
    const setting = cache.set(rig.item('k', 'old'))
    await held.reached
    rig.bus.disconnect(0)
    await rig.store.set(rig.item('k', 'new'))
    rig.bus.reconnect(0)
    await settled()
    held.open()
    await setting
    await settled()
    expect((await cache.get('k'))?.value).toBe('new')
  })

  it('R14: a connection that is lost again while the near layer is cleared leaves it bypassed', async () => {
    const rig = new Rig()
    const near = new BreakpointBackend(rig.memory(), 'near')
    const far = rig.far()
    const cache = new LayeredBackend({ layers: [near, far], bus: rig.bus, clock: rig.clock })
    await settled()
    rig.bus.disconnect(0)
    const held = near.holdBefore('clear')
    rig.bus.reconnect(0)
    await held.reached
    rig.bus.disconnect(0)
    held.open()
    await settled()
    await cache.set(rig.item('k', 1))
    await cache.get('k')
    expect(near.calls.filter((call) => call.endsWith('k'))).toEqual([])
    expect(far.calls).toEqual(['set k', 'get k'])
  })

  it('a copy that was put while the authority denied the old one stays', async () => {
    const rig = new Rig()
    const far = rig.far()
    const { cache } = await rig.node(far)
    await cache.set(rig.item('k', 'old'))
    await rig.store.delete('k')
    rig.bus.deliver({ kind: 'delete', source: 'other', keys: ['k'] })
    const held = far.holdAfter('get')
    const reading = cache.get('k')
    await held.reached
    const fresh = rig.item('k', 'new')
    await cache.set(fresh)
    held.open()
    expect(await reading).toBe(undefined)
    expect(cache.near.get('k')).toEqual(fresh)
  })

  it('R14: nothing near is trusted before the first subscription stands, and what was there before it is dropped', async () => {
    const rig = new Rig()
    const near = rig.memory()
    await near.set(rig.item('k', 'of an earlier run'))
    await rig.store.set(rig.item('k', 'now'))
    rig.bus.subscribing = 'fails'
    const cache = new LayeredBackend({ layers: [near, rig.far()], bus: rig.bus, clock: rig.clock })
    const errors: string[] = []
    cache.listen((event) => event.type === 'error' && errors.push(event.error.code))
    await settled()
    expect(errors).toEqual(['UNAVAILABLE'])
    expect(cache.near.get('k')).toBe(undefined)
    expect((await cache.get('k'))?.value).toBe('now')
    rig.bus.subscribing = 'works'
    rig.clock.advance(100)
    await settled()
    expect(near.sync.get('k')).toBe(undefined)
    await cache.get('k')
    expect(cache.near.get('k')?.value).toBe('now')
  })

  it('an announcement that could not be sent is sent when the bus works again, and the write does not fail', async () => {
    const rig = new Rig()
    const { cache, events } = await rig.node(rig.far())
    const other = (await rig.node(rig.far())).cache
    await cache.set(rig.item('k', 'old'))
    await other.get('k')
    rig.bus.failing = true
    await cache.set(rig.item('k', 'new'))
    await cache.clear('a:')
    expect(events.map((event) => event.type)).toEqual(['error', 'error'])
    expect(other.near.get('k')?.value).toBe('old')
    rig.bus.failing = false
    rig.clock.advance(100)
    await settled()
    expect((await other.get('k'))?.value).toBe('new')
    expect(rig.bus.published.slice(1).map(({ source, ...message }) => message)).toEqual([
      { kind: 'clear', prefix: 'a:' },
      { kind: 'delete', keys: ['k'] },
    ])
    expect(rig.clock.timers).toBe(0)
  })

  it('more unsent announcements than are remembered are sent as a change of everything', async () => {
    const rig = new Rig()
    const { cache } = await rig.node(rig.far())
    rig.bus.failing = true
    await cache.deleteMany(Array.from({ length: 10_001 }, (_, n) => `k${n}`))
    rig.bus.failing = false
    rig.clock.advance(100)
    await settled()
    expect(rig.bus.published.map(({ source, ...message }) => message)).toEqual([{ kind: 'foreign' }])
  })

  it('more doubts than are remembered drop every copy instead', async () => {
    const rig = new Rig()
    const { cache, near } = await rig.node(rig.far())
    const keys = Array.from({ length: 10_001 }, (_, n) => `k${n}`)
    await cache.setMany(keys.map((key) => rig.item(key, 1)))
    await cache.set(rig.item('other', 1))
    rig.bus.deliver({ kind: 'delete', source: 'other', keys: keys.slice(0, 10_000) })
    expect((await near.stats()).items).toBe(10_002)
    rig.bus.deliver({ kind: 'delete', source: 'other', keys: keys.slice(10_000) })
    expect((await near.stats()).items).toBe(0)
    expect((await cache.get('other'))?.value).toBe(1)
    expect(cache.near.get('other')?.value).toBe(1)
  })

  it('what the bus brings is told to those who listen', async () => {
    const rig = new Rig()
    const { cache, events } = await rig.node(rig.far())
    rig.bus.deliver({ kind: 'delete', source: 'other', keys: ['k'] })
    expect(events).toEqual([{ type: 'busMessage', kind: 'delete', keys: ['k'] }])
    await cache.close()
  })
})
