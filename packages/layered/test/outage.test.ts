import { Cache } from '@cache/core'
import { type CacheBackend, CacheError } from '@cache/core/backend'
import { BreakpointBackend } from '@cache/core/conformance'
import { describe, expect, it } from 'vitest'
import { LayeredBackend } from '../src/index.ts'
import { type Node, Rig, settled } from './rig.ts'

const minute = 60_000

interface Setting extends Node {
  readonly rig: Rig
  readonly far: BreakpointBackend
  /** The bus and the authority fail at once. */
  fail(): void
}

async function open(options: Parameters<Rig['node']>[1] = {}): Promise<Setting> {
  const rig = new Rig()
  const far = rig.far()
  const node = await rig.node(far, options)
  const fail = (): void => {
    rig.bus.disconnect(0)
    far.broken = true
  }
  return { ...node, rig, far, fail }
}

describe('near copies while neither the bus nor the authority can be reached (R14)', () => {
  it('copies answer 20 calls of getOrSet without a load', async () => {
    const { cache: backend, rig, fail } = await open()
    const cache = new Cache({ backend, ttl: '1h', clock: rig.clock })
    let loads = 0
    const load = async (): Promise<number> => {
      loads += 1
      return loads
    }
    for (let index = 0; index < 20; index += 1) await cache.getOrSet(`k${index}`, load)
    fail()
    for (let index = 0; index < 20; index += 1) expect(await cache.getOrSet(`k${index}`, load)).toBe(index + 1)
    expect(loads).toBe(20)
  })

  it('copies with tags answer, and so do their tag records after the tag window', async () => {
    const { cache: backend, rig, fail } = await open()
    const cache = new Cache({ backend, ttl: '1h', clock: rig.clock })
    await cache.set('k', 1, { tags: ['t'] })
    rig.clock.advance(10_000)
    fail()
    expect(await cache.get('k')).toBe(1)
    expect(await cache.getMany(['k'])).toEqual([1])
  })

  it('tag records answer while only the authority cannot be reached, for maxOutage', async () => {
    const { cache: backend, rig, far } = await open({ maxOutage: '10s' })
    const cache = new Cache({ backend, ttl: '1h', clock: rig.clock })
    await cache.set('k', 1, { tags: ['t'] })
    rig.clock.advance(2000)
    far.broken = true
    expect(await cache.get('k')).toBe(1)
    rig.clock.advance(9999)
    expect(await cache.get('k')).toBe(1)
    rig.clock.advance(1)
    expect(await cache.get('k')).toBe(undefined)
  })

  it('a copy of a tag that this process has tried to invalidate never answers', async () => {
    const { cache: backend, rig, fail } = await open()
    const cache = new Cache({ backend, ttl: '1h', clock: rig.clock })
    await cache.set('k', 1, { tags: ['t'] })
    fail()
    await expect(cache.deleteByTag('t')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(backend.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it.each([undefined, '5s'] as const)('copies answer for maxOutage %s from the loss of the bus', async (maxOutage) => {
    const { cache, rig, fail } = await open(maxOutage === undefined ? {} : { maxOutage })
    const item = rig.item('k', 1)
    await cache.set(item)
    fail()
    expect(await cache.get('k')).toEqual(item)
    rig.clock.advance((maxOutage === undefined ? minute : 5000) - 1)
    expect(await cache.get('k')).toEqual(item)
    expect(await cache.getMany(['k', 'k'])).toEqual([item, item])
    rig.clock.advance(1)
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(cache.getMany(['k'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('the time counts from the loss of the bus, also if the authority fails later', async () => {
    const { cache, rig, far } = await open()
    await cache.set(rig.item('k', 1))
    rig.bus.disconnect(0)
    rig.clock.advance(minute)
    far.broken = true
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('maxOutage 0 keeps copies from answering', async () => {
    const { cache, rig, fail } = await open({ maxOutage: 0 })
    await cache.set(rig.item('k', 1))
    fail()
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('a clock that is set back ends the outage instead of prolonging it', async () => {
    const { cache, rig, fail } = await open()
    await cache.set(rig.item('k', 1))
    fail()
    rig.clock.advance(-1)
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('the authority answers again as soon as it can, before and after the bus is back', async () => {
    const { cache, near, rig, far, fail } = await open()
    await cache.set(rig.item('k', 'old'))
    fail()
    expect((await cache.get('k'))?.value).toBe('old')
    const changed = rig.item('k', 'new')
    await rig.store.set(changed)
    far.broken = false
    expect(await cache.get('k')).toEqual(changed)
    rig.bus.reconnect(0)
    expect(near.sync.get('k')).toBe(undefined)
    expect(await cache.get('k')).toEqual(changed)
    expect(cache.near.get('k')).toEqual(changed)
  })

  it('copies stay while the bus is back and the authority is not, and are dropped at its first answer', async () => {
    const { cache, near, rig, far, fail } = await open()
    await cache.setMany([rig.item('k', 'old'), rig.item('l', 'old')])
    fail()
    await cache.get('k')
    rig.bus.reconnect(0)
    expect((await cache.get('k'))?.value).toBe('old')
    expect(cache.near.get('k')).toBe(undefined)
    rig.bus.deliver({ kind: 'delete', source: 'other', keys: ['l'] })
    await expect(cache.get('l')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await rig.store.set(rig.item('k', 'new'))
    far.broken = false
    expect((await cache.get('k'))?.value).toBe('new')
    expect(near.sync.get('l')).toBe(undefined)
    expect((await cache.get('k'))?.value).toBe('new')
    expect(cache.near.get('k')?.value).toBe('new')
  })

  it('a loss of the bus within the outage cancels its return', async () => {
    const { cache, near, rig, far, fail } = await open()
    await cache.set(rig.item('k', 'old'))
    fail()
    await cache.get('k')
    rig.bus.reconnect(0)
    rig.bus.disconnect(0)
    far.broken = false
    await cache.get('k')
    expect(near.sync.get('k')?.value).toBe('old')
    expect(cache.near.get('k')).toBe(undefined)
  })

  it('a copy that the authority has contradicted does not answer in a later failure', async () => {
    const { cache, rig, far } = await open()
    await cache.setMany([rig.item('changed', 1), rig.item('gone', 1), rig.item('same', 1), rig.item('batch', 1)])
    rig.bus.disconnect(0)
    await rig.store.set(rig.item('changed', 2))
    await rig.store.set(rig.item('batch', 2))
    await rig.store.delete('gone')
    await cache.get('changed')
    await cache.get('gone')
    await cache.getMany(['same', 'batch'])
    far.broken = true
    expect((await cache.get('same'))?.value).toBe(1)
    for (const key of ['changed', 'gone', 'batch']) {
      await expect(cache.get(key), key).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    }
  })

  it.each([
    ['set', (cache: LayeredBackend, rig: Rig) => cache.set(rig.item('k', 2))],
    ['setMany', (cache: LayeredBackend, rig: Rig) => cache.setMany([rig.item('k', 2)])],
    ['delete', (cache: LayeredBackend) => cache.delete('k')],
    ['deleteMany', (cache: LayeredBackend) => cache.deleteMany(['k'])],
    ['clear', (cache: LayeredBackend) => cache.clear('k')],
    ['increment', async (cache: LayeredBackend) => cache.increment?.('k', 1)],
    [
      'compareAndSet',
      async (cache: LayeredBackend, rig: Rig) =>
        cache.compareAndSet?.('k', (await rig.store.get('k'))?.version, rig.item('k', 2)),
    ],
  ] as const)('a copy does not answer after an own %s, done or failed', async (_, change) => {
    for (const isDone of [true, false]) {
      const { cache, rig, far } = await open()
      await cache.set(rig.item('k', 1))
      rig.bus.disconnect(0)
      far.broken = !isDone
      const changing = Promise.resolve(change(cache, rig))
      if (isDone) await changing
      else await expect(changing).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      far.broken = true
      await expect(cache.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    }
  })

  it('suspect copies and copies after an unnamed foreign change do not answer', async () => {
    const { cache, rig, fail } = await open()
    await cache.setMany([rig.item('k', 1), rig.item('l', 1)])
    rig.bus.deliver({ kind: 'delete', source: 'other', keys: ['k'] })
    fail()
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect((await cache.get('l'))?.value).toBe(1)
    rig.bus.reconnect(0)
    rig.bus.deliver({ kind: 'foreign', source: 'outside' })
    await expect(cache.get('l')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('copies of an earlier run do not answer before the first subscription', async () => {
    const rig = new Rig()
    const near = rig.memory()
    await near.set(rig.item('k', 'of an earlier run'))
    rig.bus.subscribing = 'fails'
    const far = rig.far()
    far.broken = true
    const cache = new LayeredBackend({ layers: [near, far], bus: rig.bus, clock: rig.clock })
    await settled()
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('a batch rejects if one of its keys has no copy, because undefined would mean an empty key', async () => {
    const { cache, rig, fail } = await open()
    await cache.set(rig.item('k', 1))
    fail()
    await expect(cache.getMany(['k', 'x'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('copies in asynchronous near layers answer, nearest first', async () => {
    const rig = new Rig()
    const [first, second] = [
      new BreakpointBackend(rig.memory(), 'first'),
      new BreakpointBackend(rig.memory(), 'second'),
    ]
    const far = rig.far()
    const cache = new LayeredBackend({ layers: [first, second, far], bus: rig.bus, clock: rig.clock })
    await settled()
    await cache.setMany([rig.item('k', 1), rig.item('l', 1)])
    await first.inner.delete('l')
    rig.bus.disconnect(0)
    far.broken = true
    expect((await cache.getMany(['k', 'l'])).map((item) => item?.value)).toEqual([1, 1])
    await expect(cache.set(rig.item('k', 2))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect((await cache.get('l'))?.value).toBe(1)
  })

  it('an argument that the authority refuses is no outage', async () => {
    const { cache, rig, far } = await open()
    await cache.set(rig.item('k', 1))
    rig.bus.disconnect(0)
    await far.close()
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'CLOSED' })
  })
})

describe('the time that a call takes in an outage', () => {
  it('a read with a copy waits 50 ms for an authority whose last call failed', async () => {
    const { cache, rig, far, fail } = await open()
    await cache.set(rig.item('k', 'old'))
    fail()
    await cache.get('k')
    far.broken = false
    const held = far.holdAfter('get')
    const reading = cache.get('k')
    await held.reached
    await settled()
    let answer: unknown = 'none yet'
    void reading.then((item) => {
      answer = item?.value
    })
    rig.clock.advance(49)
    await settled()
    expect(answer).toBe('none yet')
    rig.clock.advance(1)
    await settled()
    expect(answer).toBe('old')
    held.open()
    await settled()
    expect(rig.clock.timers).toBe(0)
  })

  it('a read without a copy waits for the answer of the authority', async () => {
    const { cache, rig, far, fail } = await open()
    await cache.set(rig.item('k', 'old'))
    fail()
    await cache.get('k')
    far.broken = false
    await rig.store.set(rig.item('x', 1))
    const held = far.holdAfter('get')
    const reading = cache.get('x')
    await held.reached
    rig.clock.advance(1000)
    held.open()
    expect((await reading)?.value).toBe(1)
  })

  it('close waits for a read of the authority after its copy has answered', async () => {
    const { cache, rig, far, fail } = await open()
    await cache.set(rig.item('k', 'old'))
    fail()
    await cache.get('k')
    far.broken = false
    const held = far.holdAfter('get')
    const reading = cache.get('k')
    await held.reached
    await settled()
    rig.clock.advance(50)
    await reading
    let isClosed = false
    const closing = cache.close().then(() => {
      isClosed = true
    })
    await settled()
    expect(isClosed).toBe(false)
    held.open()
    await closing
  })

  /** Every call of the authority ends with `TIMEOUT` after a second of the clock. */
  function hanging(rig: Rig, far: BreakpointBackend): CacheBackend & { isHanging: boolean } {
    const call = <Result>(work: () => Promise<Result>): Promise<Result> => {
      if (!backend.isHanging) return work()
      return new Promise((_, reject) => {
        rig.clock.after(1000, () => reject(new CacheError('TIMEOUT', 'the test lets the authority hang')))
      })
    }
    const backend = {
      name: 'hanging',
      isHanging: false,
      get: (key: string) => call(() => far.get(key)),
      set: (item: Parameters<CacheBackend['set']>[0]) => call(() => far.set(item)),
      delete: (key: string) => call(() => far.delete(key)),
      clear: (prefix?: string) => call(() => far.clear(prefix)),
      getMany: (keys: readonly string[]) => call(() => far.getMany(keys)),
      compareAndSet: (...given: Parameters<BreakpointBackend['compareAndSet']>) =>
        call(() => far.compareAndSet(...given)),
    }
    return backend
  }

  /** Milliseconds of the clock until the call has settled. */
  async function timeOf(rig: Rig, call: Promise<unknown>): Promise<number> {
    const begin = rig.clock.now()
    let isSettled = false
    const settle = (): void => {
      isSettled = true
    }
    call.then(settle, settle)
    for (;;) {
      await settled()
      if (isSettled) return rig.clock.now() - begin
      rig.clock.advance(10)
    }
  }

  it.each([
    ['get', (cache: Cache) => cache.get('k')],
    ['get of a key without a copy', (cache: Cache) => cache.get('x')],
    ['getMany', (cache: Cache) => cache.getMany(['k', 'l'])],
    ['getOrSet', (cache: Cache) => cache.getOrSet('k', async () => 'loaded')],
    ['set', (cache: Cache) => cache.set('k', 2)],
    ['delete', (cache: Cache) => cache.delete('k')],
    ['deleteMany', (cache: Cache) => cache.deleteMany(['k', 'l'])],
    ['deleteByTag', (cache: Cache) => cache.deleteByTag('t')],
    ['deleteByPrefix', (cache: Cache) => cache.deleteByPrefix('k')],
    ['clear', (cache: Cache) => cache.clear()],
  ] as const)('%s takes one timeout of a hanging authority, with and without recovery', async (_, run) => {
    for (const recovery of [undefined, {}]) {
      for (const isBusLost of [true, false]) {
        const rig = new Rig()
        const authority = hanging(rig, rig.far())
        const backend = new LayeredBackend({
          layers: [rig.memory(), authority],
          bus: rig.bus,
          clock: rig.clock,
          ...(recovery === undefined ? {} : { recovery }),
        })
        await settled()
        const cache = new Cache({ backend, ttl: '1h', clock: rig.clock })
        await cache.setMany({ k: 1, l: 1 }, { tags: ['t', 'u'] })
        rig.clock.advance(5000)
        authority.isHanging = true
        if (isBusLost) rig.bus.disconnect(0)
        const time = await timeOf(rig, run(cache))
        expect(time, `recovery ${recovery !== undefined}, bus lost ${isBusLost}`).toBeLessThanOrEqual(1150)
      }
    }
  })

  it('a write does not wait for its announcement while the bus is lost', async () => {
    const { cache, rig, far } = await open()
    rig.bus.disconnect(0)
    let send = (): void => {}
    rig.bus.publish = () =>
      new Promise((resolve) => {
        send = resolve
      })
    await cache.set(rig.item('k', 1))
    expect(far.calls).toEqual(['set k'])
    let isClosed = false
    const closing = cache.close().then(() => {
      isClosed = true
    })
    await settled()
    expect(isClosed).toBe(false)
    send()
    await closing
  })
})
