import type { BackendEvent, CacheBackend, Item } from '@cache/core/backend'
import { createMovableClock, type MovableClock } from '@cache/core/conformance'
import { MemoryBackend } from '@cache/memory'
import { describe, expect, it } from 'vitest'
import { type FailoverBackend, type FailoverOptions, failover, ResilientBackend } from '../src/index.ts'
import { BreakableBackend } from './breakable-backend.ts'

interface Rig {
  readonly clock: MovableClock
  readonly primary: BreakableBackend
  readonly secondary: BreakableBackend
  readonly backend: FailoverBackend
  readonly events: BackendEvent[]
  item(key: string, value: unknown): Item
  /** Lets the time between probes pass and makes a call, which probes; resolves when what follows has settled. */
  probe(): Promise<void>
}

function rig(options: FailoverOptions = {}): Rig {
  const clock = createMovableClock()
  const memory = (): MemoryBackend => new MemoryBackend({ maxEntries: 100_000, clock })
  const primary = new BreakableBackend(memory(), 'primary')
  const secondary = new BreakableBackend(memory(), 'secondary')
  const backend = failover([primary, secondary], { clock, ...options })
  const events: BackendEvent[] = []
  backend.listen((event) => events.push(event))
  let versions = 0
  return {
    clock,
    primary,
    secondary,
    backend,
    events,
    item: (key, value) => {
      versions += 1
      return { key, value, version: `v${versions}`, createdAt: clock.now() }
    },
    probe: async () => {
      clock.advance(1000)
      await backend.get('the call that probes')
      await settled()
    },
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function keysOf(backend: CacheBackend): Promise<string[]> {
  const keys: string[] = []
  for await (const key of backend.keys?.() ?? []) keys.push(key)
  return keys.sort()
}

describe('failover', () => {
  it('is served by the primary alone while that can be reached', async () => {
    const { primary, secondary, backend, item } = rig()
    const stored = item('k', 1)
    await backend.set(stored)
    expect(await backend.get('k')).toEqual(stored)
    expect(primary.calls).toEqual(['set k', 'get k'])
    expect(secondary.calls).toEqual([])
    expect(backend.active).toBe('primary')
  })

  it.each(['UNAVAILABLE', 'TIMEOUT', 'CIRCUIT_OPEN'] as const)(
    'the call that meets %s is answered by the secondary, and those after it go there',
    async (code) => {
      const { primary, secondary, backend, events, item } = rig()
      primary.failure = code
      const stored = item('k', 1)
      await backend.set(stored)
      expect(await backend.get('k')).toEqual(stored)
      expect(backend.active).toBe('secondary')
      expect(primary.calls).toEqual(['set k'])
      expect(secondary.calls).toEqual(['clear ', 'set k', 'get k'])
      expect(events).toMatchObject([
        { type: 'error', error: { code: 'UNAVAILABLE', backend: 'failover', cause: { code } } },
        { type: 'recovery', state: 'started', pending: 1 },
      ])
    },
  )

  it('what the primary refuses is refused, and changes nothing about who serves', async () => {
    const { primary, backend } = rig()
    for (const failure of ['NOT_A_NUMBER', 'READ_ONLY', 'OUT_OF_MEMORY', 'BACKEND_FAILURE'] as const) {
      primary.failure = failure
      await expect(backend.increment?.('k', 1)).rejects.toMatchObject({ code: failure })
    }
    expect(backend.active).toBe('primary')
  })

  it('the secondary starts empty, whatever it held before', async () => {
    const { primary, secondary, backend, item } = rig()
    await secondary.inner.set(item('k', 'of an earlier run'))
    primary.failure = 'UNAVAILABLE'
    expect(await backend.get('k')).toBe(undefined)
  })

  it('rejects with the error of the primary when the secondary cannot be made empty', async () => {
    const { primary, secondary, backend } = rig()
    primary.failure = 'TIMEOUT'
    secondary.failure = 'READ_ONLY'
    await expect(backend.get('k')).rejects.toMatchObject({ code: 'TIMEOUT', backend: 'primary' })
    expect(backend.active).toBe('primary')
    secondary.failure = undefined
    expect(await backend.get('k')).toBe(undefined)
    expect(backend.active).toBe('secondary')
  })

  it('takes over after as many failures in a row as it was told', async () => {
    const { primary, backend } = rig({ failures: 3 })
    primary.failure = 'UNAVAILABLE'
    await expect(backend.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(backend.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    primary.failure = undefined
    await backend.get('k')
    primary.failure = 'UNAVAILABLE'
    await expect(backend.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(backend.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await backend.get('k')).toBe(undefined)
    expect(backend.active).toBe('secondary')
  })

  it('when the primary is back, what was changed is removed from it, the rest stays, and the secondary is emptied', async () => {
    const { primary, secondary, backend, events, item, probe } = rig()
    const untouched = item('untouched', 1)
    const old = ['set', 'many', 'deleted', 'swapped', 'counter', 'p:1', 'p:2'].map((key) => item(key, 1))
    await backend.setMany([untouched, ...old])
    primary.failure = 'UNAVAILABLE'
    await backend.set(item('set', 2))
    await backend.setMany([item('many', 2)])
    await backend.delete('deleted')
    await backend.compareAndSet?.('swapped', undefined, item('swapped', 2))
    expect(await backend.increment?.('counter', 5)).toBe(5)
    await backend.clear('p:')
    await backend.set(item('new', 2))
    primary.failure = undefined
    expect(await backend.get('untouched')).toBe(undefined)
    await probe()
    expect(backend.active).toBe('primary')
    expect(await keysOf(primary.inner)).toEqual(['untouched'])
    expect(await backend.get('untouched')).toEqual(untouched)
    expect(await keysOf(secondary.inner)).toEqual([])
    expect(events.map((event) => (event.type === 'recovery' ? `${event.state} ${event.pending}` : event.type))).toEqual(
      ['error', 'started 1', 'drained 0'],
    )
  })

  it('the change that found the primary gone is removed too, since the primary may have done it', async () => {
    const { primary, backend, item, probe } = rig()
    primary.lostAnswers = 'TIMEOUT'
    await backend.set(item('k', 'done there as well'))
    primary.lostAnswers = undefined
    await backend.set(item('k', 'newer'))
    await probe()
    expect(backend.active).toBe('primary')
    expect(await backend.get('k')).toBe(undefined)
  })

  it('with more changes than are remembered all of the primary is cleared', async () => {
    const { primary, backend, events, item, probe } = rig({ maxChanged: 2 })
    await backend.set(item('untouched', 1))
    primary.failure = 'UNAVAILABLE'
    for (const key of ['a', 'b', 'c', 'd']) await backend.set(item(key, 1))
    primary.failure = undefined
    await probe()
    expect(backend.active).toBe('primary')
    expect(await keysOf(primary.inner)).toEqual([])
    expect(events.flatMap((event) => (event.type === 'recovery' ? [event.state] : []))).toEqual([
      'started',
      'overflowed',
      'drained',
    ])
  })

  it('the primary is asked no more often than it was told, and not while it is being asked', async () => {
    const { clock, primary, backend } = rig({ probeEvery: '5s' })
    primary.failure = 'UNAVAILABLE'
    await backend.get('k')
    primary.calls.splice(0)
    for (const [wait, calls] of [
      [4999, 0],
      [1, 1],
      [4999, 0],
      [1, 1],
    ] as const) {
      clock.advance(wait)
      await Promise.all([backend.get('k'), backend.get('k')])
      await settled()
      expect(primary.calls.splice(0)).toHaveLength(calls)
    }
  })

  it('asks the primary in time also when the clock was set back meanwhile', async () => {
    const { clock, primary, backend } = rig()
    primary.failure = 'UNAVAILABLE'
    await backend.get('k')
    primary.failure = undefined
    clock.advance(-3_600_000)
    await backend.get('k')
    await settled()
    expect(backend.active).toBe('primary')
  })

  it('a primary that fails again while it is put right stays away, and nothing of what is old there is forgotten', async () => {
    const { primary, backend, item, probe } = rig()
    await backend.setMany([item('a', 'old'), item('p:1', 'old')])
    primary.failure = 'UNAVAILABLE'
    await backend.delete('a')
    await backend.clear('p:')
    primary.failure = undefined
    const held = primary.hold('clear')
    const probing = probe()
    await held.reached
    primary.lostAnswers = 'UNAVAILABLE'
    held.open()
    await probing
    expect(backend.active).toBe('secondary')
    primary.lostAnswers = undefined
    await primary.inner.set(item('p:2', 'of somebody else'))
    await probe()
    expect(backend.active).toBe('primary')
    expect(await keysOf(primary.inner)).toEqual([])
  })

  it('a secondary that could not be emptied on the way back is emptied before it serves again', async () => {
    const { primary, secondary, backend, item, probe } = rig()
    for (const round of [1, 2, 3]) {
      primary.failure = 'UNAVAILABLE'
      expect(await backend.get('k'), `outage ${round}`).toBe(undefined)
      const kept = item('k', `of outage ${round}`)
      await backend.set(kept)
      primary.failure = undefined
      // The first way back succeeds in emptying it.
      if (round > 1) secondary.failures.add('clear')
      await probe()
      expect(backend.active).toBe('primary')
      expect(await secondary.inner.get('k')).toEqual(round > 1 ? kept : undefined)
      secondary.failures.clear()
    }
  })

  it('many changed keys are removed in batches', async () => {
    const { primary, backend, item, probe } = rig()
    primary.failure = 'UNAVAILABLE'
    await backend.setMany(Array.from({ length: 1200 }, (_, n) => item(`k${n}`, n)))
    primary.failure = undefined
    primary.calls.splice(0)
    await probe()
    const batches = primary.calls.filter((call) => call.startsWith('deleteMany'))
    expect(batches.map((call) => call.split(',').length)).toEqual([500, 500, 200])
  })

  it('changes that come while the primary is put right are removed as well', async () => {
    const { primary, secondary, backend, item, probe } = rig()
    await backend.setMany([item('a', 'old'), item('b', 'old'), item('c', 'old')])
    primary.failure = 'UNAVAILABLE'
    await backend.delete('a')
    primary.failure = undefined
    const removing = primary.hold('deleteMany')
    const probing = probe()
    await removing.reached
    await backend.delete('b')
    // One that the secondary is still busy with when the primary is ready.
    const slow = secondary.hold('delete')
    const deleting = backend.delete('c')
    await slow.reached
    removing.open()
    await settled()
    expect(backend.active).toBe('secondary')
    // And one that comes at the very moment of the change: it waits, and goes to the primary.
    const set = item('d', 'new')
    const setting = backend.set(set)
    await settled()
    slow.open()
    await Promise.all([deleting, setting, probing])
    expect(backend.active).toBe('primary')
    expect(await keysOf(primary.inner)).toEqual(['d'])
    expect(await backend.get('d')).toEqual(set)
  })

  it('a delete that fails at the primary just as that returns is done at the primary, not lost with the secondary', async () => {
    const { primary, backend, item, probe } = rig()
    await backend.set(item('k', 'old'))
    const slow = primary.hold('delete')
    const deleting = backend.delete('k')
    await slow.reached
    primary.failure = 'UNAVAILABLE'
    await backend.get('x')
    primary.failure = undefined
    await probe()
    expect(backend.active).toBe('primary')
    primary.lostAnswers = 'TIMEOUT'
    slow.open()
    await deleting
    primary.lostAnswers = undefined
    await probe()
    expect(backend.active).toBe('primary')
    expect(await backend.get('k')).toBe(undefined)
  })

  it('an iteration goes on at the secondary when the primary cannot be reached', async () => {
    const { primary, backend } = rig()
    primary.failure = 'UNAVAILABLE'
    expect(await keysOf(backend)).toEqual([])
    expect(backend.active).toBe('secondary')
    primary.failure = 'READ_ONLY'
  })

  it('has compareAndSet, increment and keys only where both have them', () => {
    const { primary } = rig()
    const four: CacheBackend = {
      name: 'four',
      get: async () => undefined,
      set: async () => {},
      delete: async () => false,
      clear: async () => {},
    }
    for (const pair of [
      [primary, four],
      [four, primary],
    ] as const) {
      const backend = failover(pair)
      expect([backend.compareAndSet, backend.increment, backend.keys, backend.near]).toEqual([
        undefined,
        undefined,
        undefined,
        undefined,
      ])
    }
  })

  it('works over backends that have the four required members alone', async () => {
    const { primary, secondary, item, clock } = rig()
    const four = (of: CacheBackend): CacheBackend => ({
      name: 'four',
      get: (key) => of.get(key),
      set: (stored) => of.set(stored),
      delete: (key) => of.delete(key),
      clear: (prefix) => of.clear(prefix),
    })
    const backend = failover([four(primary), four(secondary)], { clock })
    for (const failure of [undefined, 'UNAVAILABLE'] as const) {
      primary.failure = failure
      const items = [item('a', 1), item('b', 2)]
      await backend.setMany(items)
      expect(await backend.getMany(['b', 'x', 'a'])).toEqual([items[1], undefined, items[0]])
      expect(await backend.deleteMany(['a', 'x'])).toBe(1)
      expect(await backend.stats()).toEqual({})
    }
  })

  it('nests, for a third in reserve', async () => {
    const { primary, secondary, item, clock } = rig()
    const third = new BreakableBackend(new MemoryBackend({ maxEntries: 10, clock }), 'third')
    const backend = failover([primary, failover([secondary, third], { clock })], { clock })
    primary.failure = 'UNAVAILABLE'
    secondary.failure = 'UNAVAILABLE'
    const stored = item('k', 1)
    await backend.set(stored)
    expect(await third.inner.get('k')).toEqual(stored)
  })

  it('takes over when a guarded primary opens its circuit, and returns when a probe closes it', async () => {
    const { primary, secondary, clock, item } = rig()
    const guarded = new ResilientBackend({ backend: primary, retry: false, breaker: { failures: 1, probeAfter: 1 } })
    const backend = failover([guarded, secondary], { clock })
    primary.failure = 'UNAVAILABLE'
    await backend.set(item('k', 1))
    expect([guarded.circuit, backend.active]).toEqual(['open', 'secondary'])
    primary.failure = undefined
    // The circuit goes by the machine's clock: asked until it lets the probe through.
    const bound = Date.now() + 5000
    while (backend.active === 'secondary' && Date.now() < bound) {
      clock.advance(1000)
      await backend.get('k')
      await settled()
    }
    expect([guarded.circuit, backend.active]).toEqual(['closed', 'primary'])
  })

  it('R33, R36: close waits for calls in flight and closes both backends, unless closeParts is false', async () => {
    const { primary, secondary, backend, item } = rig()
    const held = primary.hold('set')
    const setting = backend.set(item('k', 1))
    await held.reached
    const closing = backend.close()
    await settled()
    expect(primary.calls).toEqual(['set k'])
    held.open()
    await Promise.all([setting, closing, backend.close()])
    expect(primary.calls).toEqual(['set k', 'close'])
    expect(secondary.calls).toEqual(['close'])
    await expect(backend.get('k')).rejects.toMatchObject({ code: 'CLOSED', operation: 'get', key: 'k' })

    const lent = rig({ closeParts: false })
    await lent.backend.close()
    expect(lent.primary.calls).toEqual([])
  })

  const memory = new MemoryBackend({ maxEntries: 1 })
  const other = new MemoryBackend({ maxEntries: 1 })

  it.each([
    [[memory], {}, /backends must be an array of two different backends, \[primary, secondary], but was an array of 1/],
    [[memory, memory], {}, /backends must be an array of two different backends/],
    [[memory, {}], {}, /backends\[1] must be a backend/],
    [[memory, other], { failures: 0 }, /failures must be a whole number of 1 or more/],
    [[memory, other], { probeEvery: -1 }, /probeEvery must be milliseconds/],
    [[memory, other], { maxChanged: 0.5 }, /maxChanged must be a whole number/],
    [[memory, other], { closeParts: 'no' }, /closeParts must be true or false/],
    [[memory, other], { clock: {} }, /clock must be a clock, with now/],
    [[memory, other], { probe: 1 }, /unknown option 'probe'; allowed are failures, probeEvery/],
  ])('refuses %o with %o', (backends, options, message) => {
    const make = (): FailoverBackend => failover(backends as never, options as never)
    expect(make).toThrow(message)
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})
