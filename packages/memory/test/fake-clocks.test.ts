import { mock } from 'node:test'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { CoarseClock } from '../src/engine/coarse-clock.ts'
import { BoundedMap, MemoryBackend } from '../src/index.ts'

/** A way to fake the clock. `set` moves it to an instant; the first call also starts the fake. */
interface Fake {
  readonly set: (time: number) => void
  readonly restore: () => void
}

const RealDate = Date
const realNow = Date.now
const realImmediate = setImmediate
let fakedTime = 0

/** mockdate replaces the global `Date` by a subclass with an own `now`. */
class MockDate extends RealDate {
  static override now(): number {
    return fakedTime
  }
}

const fakes: Readonly<Record<string, Fake>> = {
  'vitest, jest and sinon fake timers': {
    set: (time) => (vi.isFakeTimers() ? vi.setSystemTime(time) : vi.useFakeTimers({ now: time })),
    restore: () => vi.useRealTimers(),
  },
  'fake timers that fake Date only': {
    set: (time) => (vi.isFakeTimers() ? vi.setSystemTime(time) : vi.useFakeTimers({ now: time, toFake: ['Date'] })),
    restore: () => vi.useRealTimers(),
  },
  'setSystemTime without fake timers': {
    set: (time) => vi.setSystemTime(time),
    restore: () => vi.useRealTimers(),
  },
  'mock.timers of node:test': {
    set: (time) => {
      mock.timers.reset()
      mock.timers.enable({ apis: ['Date'], now: time })
    },
    restore: () => mock.timers.reset(),
  },
  'mock.method of node:test': {
    set: (time) => {
      fakedTime = time
      if (Date.now === realNow) mock.method(Date, 'now', () => fakedTime)
    },
    restore: () => mock.restoreAll(),
  },
  'a spy on Date.now': {
    set: (time) => {
      fakedTime = time
      if (Date.now === realNow) vi.spyOn(Date, 'now').mockImplementation(() => fakedTime)
    },
    restore: () => vi.restoreAllMocks(),
  },
  'an assigned Date.now': {
    set: (time) => {
      fakedTime = time
      RealDate.now = () => fakedTime
    },
    restore: () => {
      RealDate.now = realNow
    },
  },
  mockdate: {
    set: (time) => {
      fakedTime = time
      globalThis.Date = MockDate as DateConstructor
    },
    restore: () => {
      globalThis.Date = RealDate
    },
  },
}

const hour = 3_600_000
const everyPhase = Array.from({ length: 16 }, (_, phase) => phase)

afterEach(() => {
  for (const { restore } of Object.values(fakes)) restore()
})

/** Reads often enough that the coarse clock answers without a read. Its state differs with the number of reads. */
function readOften(read: () => unknown, phase: number): void {
  for (let i = 0; i < 10_000 + phase; i += 1) read()
}

describe.each(Object.entries(fakes))('with %s', (_name, fake) => {
  it.each(everyPhase)('a map returns no expired value after the fake starts (phase %i)', (phase) => {
    const map = new BoundedMap<string, number>({ maxEntries: 10 })
    map.set('a', 1, { ttl: hour })
    readOften(() => map.get('a'), phase)
    fake.set(realNow() + 2 * hour)
    expect(map.get('a')).toBe(undefined)
  })

  it.each(everyPhase)('a map returns no expired value after the faked clock moves (phase %i)', (phase) => {
    const start = realNow()
    fake.set(start)
    const map = new BoundedMap<string, number>({ maxEntries: 10 })
    map.set('a', 1, { ttl: hour })
    readOften(() => map.get('a'), phase)
    fake.set(start + hour - 1)
    expect(map.get('a')).toBe(1)
    fake.set(start + hour)
    expect(map.get('a')).toBe(undefined)
  })

  it('a map returns no expired value after a fake in the past ends', () => {
    const past = realNow() - 2 * hour
    fake.set(past)
    const map = new BoundedMap<string, number>({ maxEntries: 10 })
    map.set('a', 1, { ttl: hour })
    readOften(() => map.get('a'), 0)
    fake.restore()
    expect(map.get('a')).toBe(undefined)
  })

  it('a memory backend returns no expired item and has no expired key', () => {
    const start = realNow()
    const { sync } = new MemoryBackend({ maxEntries: 10 })
    sync.set({ key: 'a', value: 1, version: 'v', createdAt: start, expiresAt: start + hour })
    readOften(() => sync.get('a'), 0)
    fake.set(start + 2 * hour)
    expect([[...sync.keys()], sync.getMany(['a']), sync.get('a')]).toEqual([[], [undefined], undefined])
  })
})

describe('the coarse clock', () => {
  it('goes on with every event loop turn while timers are faked, before, during and after', async () => {
    for (const step of ['real', 'fake', 'real again', 'fake again'] as const) {
      if (step.startsWith('fake'))
        vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval'] })
      else vi.useRealTimers()
      const clock = new CoarseClock()
      while (clock.horizon === Number.POSITIVE_INFINITY) clock.now()
      if (step === 'fake again') vi.useRealTimers()
      if (step === 'real again') vi.useFakeTimers()
      // Resets the horizon within a few turns. Without a live tick, this never ends.
      while (clock.horizon !== Number.POSITIVE_INFINITY) await new Promise((resolve) => realImmediate(resolve))
      expect(clock.now()).toBeLessThanOrEqual(realNow())
      vi.useRealTimers()
    }
  })

  it('that was first used under fake timers works as any other afterwards', async () => {
    vi.useFakeTimers()
    const clock = new CoarseClock()
    for (let i = 0; i < 1000; i += 1) clock.now()
    expect(clock.horizon).toBe(Number.POSITIVE_INFINITY)
    vi.useRealTimers()
    while (clock.horizon === Number.POSITIVE_INFINITY) clock.now()
    while (clock.horizon !== Number.POSITIVE_INFINITY) await new Promise((resolve) => realImmediate(resolve))
    expect(clock.now()).toBeLessThanOrEqual(realNow())
  })
})

it('a sweeper whose timer died with fake timers removes expired entries again after the next write', async () => {
  vi.useFakeTimers()
  const map = new BoundedMap<number, number>({ maxEntries: 100_000 })
  for (let i = 0; i < 50_000; i += 1) map.set(i, i, { ttl: 1 })
  vi.useRealTimers()
  map.set(-1, 1)
  const end = realNow() + 3000
  while (realNow() < end);
  map.set(-2, 1)
  while (map.size > 2) await new Promise((resolve) => realImmediate(resolve))
  expect(map.stats().expired).toBe(50_000)
})
