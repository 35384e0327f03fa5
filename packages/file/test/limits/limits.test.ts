import { Cache } from '@cache/core'
import type { BackendEvent } from '@cache/core/backend'
import { createMovableClock } from '@cache/core/conformance'
import { expect, it } from 'vitest'
import { type EvictionPolicy, FileBackend, type FileBackendOptions } from '../../src/index.ts'
import { check, evictToLimits, volume } from '../../src/maintenance/index.ts'
import { valueFiles, withIndex } from '../conformance/file-harness.ts'
import { item } from '../items.ts'
import { createRandom, seedOf } from '../random.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

async function open(options: Partial<FileBackendOptions> = {}): Promise<{
  backend: FileBackend
  clock: ReturnType<typeof createMovableClock>
  events: BackendEvent[]
  dir: string
}> {
  const clock = createMovableClock()
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir, clock, ...options })
  const events: BackendEvent[] = []
  backend.listen((event) => events.push(event))
  return { backend, clock, events, dir }
}

async function keysOf(backend: FileBackend): Promise<string[]> {
  const keys: string[] = []
  for await (const key of backend.keys()) keys.push(key)
  return keys.sort()
}

it.each<[EvictionPolicy, string]>([
  ['lrs', 'b'],
  ['lru', 'c'],
  ['lfu', 'c'],
])('the policy %s evicts %s first', async (policy, victim) => {
  const { backend, clock, events } = await open({ policy, maxEntries: 3 })
  // Stored: b, c, a. Used: c, a, b. Counted: c once, a and b twice.
  for (const key of ['a', 'b', 'c', 'a']) {
    clock.advance(1)
    await backend.set(item(key, 1))
  }
  for (const key of ['c', 'a', 'b', 'a', 'b']) {
    clock.advance(1)
    await backend.get(key)
  }
  clock.advance(1)
  await backend.set(item('d', 1))
  expect(await keysOf(backend)).toEqual(['a', 'b', 'c', 'd'].filter((key) => key !== victim))
  expect(events).toEqual([{ type: 'evict', key: victim, reason: 'entries' }])
  expect((await backend.stats()).evictions).toBe(1)
  await backend.close()
})

it('the policy none refuses writes above the limit and keeps the stored items', async () => {
  const { backend } = await open({ policy: 'none', maxEntries: 2 })
  await backend.set(item('a', 1))
  await backend.set(item('b', 1))
  await expect(backend.set(item('c', 1))).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' })
  await backend.set(item('a', 2))
  expect(await keysOf(backend)).toEqual(['a', 'b'])
  await backend.delete('b')
  await backend.set(item('c', 1))
  expect(await keysOf(backend)).toEqual(['a', 'c'])
  await backend.close()
})

it('maxBytes includes the values in files', async () => {
  const { backend, dir } = await open({ maxBytes: 2_000_000 })
  for (let n = 0; n < 20; n += 1) {
    await backend.set(item(`large ${n}`, 'x'.repeat(400_000)))
    expect((await backend.stats()).size).toBeLessThanOrEqual(2_000_000)
  }
  expect(await keysOf(backend)).toEqual(['large 16', 'large 17', 'large 18', 'large 19'])
  await backend.close()
  expect((await valueFiles(dir)).length).toBe(4)
})

it('an item larger than maxBytes leaves its key empty and evicts no other item', async () => {
  const { backend, events } = await open({ maxBytes: 100_000 })
  await backend.set(item('small', 1))
  await backend.set(item('large', 1))
  await backend.set(item('large', 'x'.repeat(200_000)))
  expect(await keysOf(backend)).toEqual(['small'])
  expect(events).toEqual([{ type: 'evict', key: 'large', reason: 'bytes' }])
  await backend.close()
})

it('expired items are removed before live items are evicted', async () => {
  const { backend, clock, events } = await open({ maxEntries: 3 })
  await backend.set(item('old', 1))
  await backend.set(item('brief', 1, { expiresAt: clock.now() + 10 }))
  await backend.set(item('new', 1))
  clock.advance(10)
  await backend.set(item('newer', 1))
  expect(await keysOf(backend)).toEqual(['new', 'newer', 'old'])
  expect(events).toEqual([{ type: 'expire', key: 'brief' }])
  await backend.close()
})

it('internal items of the cache are evicted after all other items', async () => {
  const { backend, clock } = await open({ maxEntries: 5 })
  await backend.set(item('@#:tag', 'version'))
  for (let n = 0; n < 50; n += 1) {
    clock.advance(1)
    await backend.set(item(`key ${n}`, n))
  }
  expect((await backend.get('@#:tag'))?.value).toBe('version')
  expect((await backend.stats()).items).toBe(5)
  await backend.close()
})

it('a backend with a lower limit evicts the stored items in small steps', async () => {
  const { backend, dir, clock } = await open()
  await backend.setMany(Array.from({ length: 5000 }, (_, n) => item(`key ${n}`, n)))
  await backend.close()
  const smaller = new FileBackend({ dir, clock, maxEntries: 100 })
  const culled = await evictToLimits(smaller)
  expect(culled).toBe(4900)
  expect((await smaller.stats()).items).toBe(100)
  await smaller.close()
})

it('removeExpired removes every expired item and resolves to their number', async () => {
  const { backend, clock, dir } = await open()
  const until = clock.now() + 10
  await backend.setMany(Array.from({ length: 700 }, (_, n) => item(`key ${n}`, n, { expiresAt: until })))
  await backend.set(item('stays', 1))
  clock.advance(10)
  expect(await backend.removeExpired()).toBe(700)
  expect(await backend.removeExpired()).toBe(0)
  expect((await backend.stats()).expired).toBe(700)
  const rows = await withIndex(dir, (database) => database.prepare('select count(*) as n from item').get())
  expect(rows).toEqual({ n: 1 })
  await backend.close()
})

it('an item stored again with a later, an earlier or no expiry time expires by the new one', async () => {
  const { backend, clock, events } = await open()
  const at = (ms: number): { expiresAt: number } => ({ expiresAt: clock.now() + ms })
  await backend.setMany(['later', 'earlier', 'none', 'some'].map((key) => item(key, 1, key === 'some' ? {} : at(100))))
  await backend.set(item('later', 2, at(300)))
  await backend.set(item('earlier', 2, at(50)))
  await backend.set(item('none', 2))
  await backend.set(item('some', 2, at(200)))
  const left: string[][] = []
  for (const ms of [50, 50, 100, 100]) {
    clock.advance(ms)
    await backend.removeExpired()
    left.push(await keysOf(backend))
  }
  expect(left).toEqual([['later', 'none', 'some'], ['later', 'none', 'some'], ['later', 'none'], ['none']])
  expect(events).toEqual(['earlier', 'some', 'later'].map((key) => ({ type: 'expire', key })))
  expect((await check(backend)).problems).toEqual([])
  await backend.close()
})

it('deleteByTag removes exactly the items that carry the tag', async () => {
  const { backend } = await open()
  const many = Array.from({ length: 500 }, (_, n) => item(`red ${n}`, n, { tags: { red: 'v', all: 'v' } }))
  await backend.setMany([...many, item('blue', 1, { tags: { blue: 'v', all: 'v' } }), item('plain', 1)])
  await backend.set(item('red 7', 7, { tags: { blue: 'v' } }))
  expect(await backend.deleteByTag('red')).toBe(499)
  expect(await keysOf(backend)).toEqual(['blue', 'plain', 'red 7'])
  expect(await backend.deleteByTag('red')).toBe(0)
  expect(await backend.deleteByTag('blue')).toBe(2)
  await backend.close()
})

it('deleteByTag takes the tags of a cache', async () => {
  const { backend, clock } = await open()
  const cache = new Cache({ backend, ttl: '1h', clock })
  await cache.set('a', 1, { tags: ['red'] })
  await cache.set('b', 1, { tags: ['blue'] })
  await cache.namespace('app').set('c', 1, { tags: ['red'] })
  expect(await backend.deleteByTag('red')).toBe(1)
  expect([await cache.get('a'), await cache.get('b')]).toEqual([undefined, 1])
  expect(await backend.deleteByTag('@#app/:red')).toBe(1)
  await backend.close()
})

it('the triggers count exactly through a random walk of every kind of change', async () => {
  const seed = seedOf('BOUNDED_SEED')
  const random = createRandom(seed)
  const { backend, clock, dir } = await open({ largeValueBytes: 1000, maxEntries: 40, maxBytes: 60_000 })
  // Opens the index, even when the first round changes nothing.
  await backend.get('key 0')
  for (let round = 0; round < 600; round += 1) {
    clock.advance(1)
    const key = `key ${random.below(60)}`
    const value = 'x'.repeat(random.below(5) === 0 ? random.below(9000) : random.below(300))
    const tags = random.below(3) === 0 ? { tags: { t: 'v' } } : {}
    const expiry = random.below(4) === 0 ? { expiresAt: clock.now() + random.below(40) } : {}
    const what = random.below(12)
    if (what < 6) await backend.set(item(key, value, { ...tags, ...expiry }))
    else if (what < 7) await backend.compareAndSet(key, undefined, item(key, random.below(2) === 0 ? undefined : value))
    else if (what < 8) await backend.delete(key)
    else if (what < 9) await backend.increment(`n ${random.below(5)}`, 1)
    else if (what < 10) await backend.get(key)
    else if (what < 11) await backend.removeExpired()
    else if (random.below(20) === 0) await backend.deleteByTag('t')
    const [total, counted, late] = await withIndex(dir, (database) => [
      database.prepare('select entries, live, bytes from total').get() as Record<string, number>,
      database
        .prepare(
          'select count(*) as entries, coalesce(sum(kind > 0), 0) as live, coalesce(sum(bytes), 0) as bytes from item',
        )
        .get(),
      database
        .prepare(
          'select count(*) as late from item where expires_at is not null and (due_at is null or due_at > expires_at)',
        )
        .get(),
    ])
    expect(late, `seed ${seed}, round ${round}`).toEqual({ late: 0 })
    expect(total, `seed ${seed}, round ${round}`).toEqual(counted)
    expect(total?.entries).toBeLessThanOrEqual(40)
    expect(total?.bytes).toBeLessThanOrEqual(60_000)
  }
  await backend.close()
})

it('volume counts the index and the value files', async () => {
  const { backend } = await open()
  const before = await volume(backend)
  await backend.set(item('large', 'x'.repeat(1_000_000)))
  const after = await volume(backend)
  expect(after - before).toBeGreaterThan(1_000_000)
  expect(after - before).toBeLessThan(1_200_000)
  await backend.close()
})
