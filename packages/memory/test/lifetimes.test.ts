import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { CoarseClock } from '../src/engine/coarse-clock.ts'
import { BoundedMap, type RemovalReason } from '../src/index.ts'

const execute = promisify(execFile)

function clockAt(start: number): { now(): number; time: number } {
  return {
    time: start,
    now() {
      return this.time
    },
  }
}

it('an entry is returned until its lifetime ends and absent from that millisecond on', () => {
  const clock = clockAt(0)
  const map = new BoundedMap<string, number>({ maxEntries: 10, clock })
  map.set('a', 1, { ttl: 20 })
  map.set('b', 2)
  clock.time = 19
  expect([map.get('a'), map.has('a'), map.peek('a')]).toEqual([1, true, 1])
  clock.time = 20
  expect([map.get('a'), map.has('a'), map.peek('a'), map.delete('a'), map.get('b')]).toEqual([
    undefined,
    false,
    undefined,
    false,
    2,
  ])
  expect(map.stats()).toMatchObject({ hits: 2, misses: 1, expired: 1, deletes: 0, entries: 1 })
})

it('a clock at 0 or below works like any other clock', () => {
  for (const start of [0, -5]) {
    const clock = clockAt(start)
    const map = new BoundedMap<string, number>({ maxEntries: 10, clock, ttl: 5 })
    map.set('a', 1)
    expect(map.get('a')).toBe(1)
    clock.time = start + 5
    expect(map.get('a')).toBe(undefined)
  }
})

it('a set without a lifetime removes the previous lifetime', () => {
  const clock = clockAt(0)
  const map = new BoundedMap<string, number>({ maxEntries: 10, clock })
  map.set('a', 1, { ttl: 20 })
  map.set('a', 2)
  clock.time = 1e12
  expect(map.get('a')).toBe(2)
})

it('the lifetime of a set overrides that of the map, and Infinity means never', () => {
  const clock = clockAt(0)
  const map = new BoundedMap<string, number>({ maxEntries: 10, clock, ttl: '1s' })
  map.set('a', 1)
  map.set('b', 2, { ttl: '2s' })
  map.set('c', 3, { ttl: Number.POSITIVE_INFINITY })
  map.set('d', 4, { ttl: '60d' })
  clock.time = 1000
  expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([undefined, 2, 3])
  clock.time = 60 * 86_400_000 - 1
  expect([map.get('b'), map.get('c'), map.get('d')]).toEqual([undefined, 3, 4])
})

it('a lifetime ends within a synchronous block too', () => {
  const map = new BoundedMap<string, number>({ maxEntries: 10 })
  map.set('a', 1, { ttl: 20 })
  const end = Date.now() + 40
  while (Date.now() < end);
  expect(map.get('a')).toBe(undefined)
})

it('a stalled block after a busy phase returns an expired entry at most 63 times', () => {
  // The clock learns of hits in groups of sixteen, so the stall may begin at any of them.
  for (let phase = 0; phase < 16; phase += 1) {
    const map = new BoundedMap<string, number>({ maxEntries: 10 })
    map.set('a', 1, { ttl: '1h' })
    for (let i = 0; i < 10_000 + phase; i += 1) map.get('a')
    map.set('a', 1, { ttl: 20 })
    const end = Date.now() + 40
    while (Date.now() < end);
    let served = 0
    while (map.get('a') !== undefined) served += 1
    expect(served).toBeLessThan(64)
  }
})

it('the coarse clock is never ahead of the wall clock and never goes back', () => {
  const clock = new CoarseClock()
  let last = 0
  for (let i = 0; i < 100_000; i += 1) {
    const time = clock.now()
    expect(time >= last && time <= Date.now()).toBe(true)
    last = time
  }
})

it('reads allocate nothing, with or without a lifetime', { timeout: 60_000 }, async () => {
  const source = new URL('../src/index.ts', import.meta.url).href
  const program = `
    import { BoundedMap } from '${source}'
    const keys = Array.from({ length: 1000 }, (_, i) => 'user:' + i)
    const forever = new BoundedMap({ maxEntries: 1000 })
    const mortal = new BoundedMap({ maxEntries: 1000, ttl: '1h' })
    for (const key of keys) {
      forever.set(key, key)
      mortal.set(key, key)
    }
    const read = (times) => {
      let found = 0
      for (let i = 0; i < times; i += 1) {
        const key = keys[i % 1000]
        if (forever.get(key) === key && mortal.get(key) === key && mortal.get('absent') === undefined) found += 1
      }
      return found
    }
    read(500_000)
    console.log('begin')
    console.log('found', read(5_000_000))`
  const { stdout } = await execute(
    process.execPath,
    ['--trace-gc', '--max-semi-space-size=1', '--input-type=module-typescript', '-e', program],
    { timeout: 50_000 },
  )
  const after = stdout.slice(stdout.indexOf('begin'))
  expect(after).toContain('found 5000000')
  // Sixteen bytes per read, the smallest allocation, would cause eighty collections of one megabyte. The start causes the rest.
  expect(after.split('Scavenge').length - 1).toBeLessThan(5)
})

it('writes remove expired entries, a few slots at a time', () => {
  const clock = clockAt(0)
  const reasons: RemovalReason[] = []
  const map = new BoundedMap<number, number>({
    maxEntries: 10_000,
    clock,
    onRemoval: (_key, _value, reason) => reasons.push(reason),
  })
  for (let i = 0; i < 1000; i += 1) map.set(i, i, { ttl: 10 })
  for (let i = 1000; i < 2000; i += 1) map.set(i, i)
  expect(map.size).toBe(2000)
  clock.time = 10
  let most = 0
  for (let i = 2000; i < 2600; i += 1) {
    const before = map.stats().expired
    map.set(i, i)
    most = Math.max(most, map.stats().expired - before)
  }
  expect(map.size).toBe(1600)
  expect(map.stats()).toMatchObject({ expired: 1000, entries: 1600, evictions: { entries: 0, bytes: 0, oversize: 0 } })
  expect(most).toBeLessThanOrEqual(4)
  expect(new Set(reasons)).toEqual(new Set(['expired']))
})

it('removeExpired removes all expired entries and returns their number', () => {
  const clock = clockAt(0)
  const map = new BoundedMap<number, number>({ maxEntries: 100, clock })
  for (let i = 0; i < 50; i += 1) map.set(i, i, { ttl: i + 1 })
  clock.time = 20
  expect([map.removeExpired(), map.size, map.removeExpired()]).toEqual([20, 30, 0])
})

it('a timer removes expired entries of an idle map, and the process may end earlier', {
  timeout: 30_000,
}, async () => {
  const source = new URL('../src/index.ts', import.meta.url).href
  const program = `
    import { BoundedMap } from '${source}'
    const map = new BoundedMap({ maxEntries: 100 })
    // One before and one after: the timer of the first must not keep the others for an hour.
    map.set('late', 1, { ttl: '1h' })
    for (let i = 0; i < 50; i += 1) map.set(i, i, { ttl: 5 })
    map.set('later', 1, { ttl: '2h' })
    if (process.argv[1] === 'wait') {
      const poll = setInterval(() => { if (map.size === 2) { clearInterval(poll); console.log('reclaimed') } }, 20)
      setTimeout(() => { clearInterval(poll); console.log('size', map.size) }, 20000).unref()
    }`
  const run = (...args: string[]): Promise<{ stdout: string }> =>
    execute(process.execPath, ['--input-type=module-typescript', '-e', program, ...args], { timeout: 25_000 })
  expect((await run('wait')).stdout).toBe('reclaimed\n')
  // A timer of an hour that kept the process alive would exceed the time limit.
  expect((await run()).stdout).toBe('')
})

it('an error of onRemoval in the timer is an uncaught exception, and the removal of entries continues', {
  timeout: 30_000,
}, async () => {
  const source = new URL('../src/index.ts', import.meta.url).href
  const program = `
    import { BoundedMap } from '${source}'
    let thrown = 0
    process.on('uncaughtException', () => { thrown++ })
    const map = new BoundedMap({ maxEntries: 100, onRemoval: (key) => { if (key === 3) throw new Error('refused') } })
    for (let i = 0; i < 10; i += 1) map.set(i, i, { ttl: 900 })
    const poll = setInterval(() => { if (map.size === 0) { clearInterval(poll); console.log('thrown', thrown) } }, 20)
    setTimeout(() => { clearInterval(poll); console.log('size', map.size) }, 20000).unref()`
  const { stdout } = await execute(process.execPath, ['--input-type=module-typescript', '-e', program], {
    timeout: 25_000,
  })
  expect(stdout).toBe('thrown 1\n')
})
