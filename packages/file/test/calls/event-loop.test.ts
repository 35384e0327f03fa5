import { DatabaseSync } from 'node:sqlite'
import { expect, it, vi } from 'vitest'
import { BackgroundThread } from '../../src/background/background-thread.ts'
import { FileBackend } from '../../src/index.ts'
import { check, evictToLimits } from '../../src/maintenance/index.ts'
import { withIndex } from '../conformance/file-harness.ts'
import { item } from '../items.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { largestSlice, type Slice } from './counted-work.ts'

/**
 * Work pauses after 3 ms. Before it looks at the time, 8 calls of up to 64 items may pass, and the transaction ends
 * with its limits, which take at least 4 steps of 32 rows. In counted time that is less than 20 ms.
 */
const maxMs = 20
/** The largest value in the index. A larger one is in a file, which the thread pool reads and writes. */
const largeValueBytes = 262_144

it('every call leaves the event loop free after little work, with 10 MB values, batches, clears and evictions', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir, maxEntries: 15_000 })
  await backend.set(item('first', 1))
  const bytes = Buffer.alloc(10_000_000, 7)
  const text = 'x'.repeat(300)
  const many = Array.from({ length: 20_000 }, (_, n) => item(`key ${n}`, text))
  const tasks = vi.spyOn(BackgroundThread.prototype, 'run')
  const slices: Record<string, Slice> = {}
  const measure = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    slices[name] = await largestSlice(work)
  }
  for (let round = 0; round < 2; round += 1) {
    await measure('set 10 MB', () => backend.set(item('large', bytes)))
    await measure('get 10 MB', () => backend.get('large'))
    await measure('gets one by one', async () => {
      for (let n = 0; n < 20_000; n += 1) await backend.get('first')
    })
    await measure('sets one by one', async () => {
      for (let n = 0; n < 3000; n += 1) await backend.set(item(`key ${n}`, text))
    })
    await measure('20,000 sets in tens', async () => {
      for (let n = 0; n < 2000; n += 1) await backend.setMany(many.slice(n * 10, n * 10 + 10))
    })
    await measure('20,000 sets at once', () => backend.setMany(many))
    await measure('getMany 20,000', () => backend.getMany(many.map(({ key }) => key)))
    await measure('deleteMany 5,000', () => backend.deleteMany(many.slice(-5000).map(({ key }) => key)))
    await measure('clear', () => backend.clear())
  }
  expect(tasks.mock.calls.map(([task]) => task.kind)).toContain('checkpoint')
  tasks.mockRestore()
  await backend.close()
  for (const [name, slice] of Object.entries(slices)) {
    expect(slice.ms, `${name}: ${JSON.stringify(slices)}`).toBeLessThan(maxMs)
  }
  for (const name of ['set 10 MB', 'get 10 MB']) {
    expect(slices[name]?.bytes, `${name}: ${JSON.stringify(slices)}`).toBeLessThan(largeValueBytes)
  }
}, 600_000)

it('statistics, checks, another policy and a lower limit leave the event loop free, although they concern every item', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('first', 1))
  await withIndex(dir, (database) =>
    database.exec(`
      with recursive n (n) as (select 1 union all select n + 1 from n limit 100000)
      insert into item (key, version, kind, bytes, stored_at, rank, expires_at, due_at, checksum, frame)
      select 'key ' || n, 'v', 1, 200, 1, 1, 1e15, 1e15, 0, zeroblob(60) from n`),
  )
  const later = new FileBackend({ dir, clock: { now: () => 2e15 }, maintenanceInterval: Infinity })
  const used = new FileBackend({ dir, policy: 'lru' })
  const small = new FileBackend({ dir, policy: 'lru', maxEntries: 60_000 })
  await later.get('none')
  const statements = vi.spyOn(DatabaseSync.prototype, 'prepare')
  const tasks = vi.spyOn(BackgroundThread.prototype, 'run')
  const slices: Record<string, Slice> = {}
  const measure = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    slices[name] = await largestSlice(work)
  }
  const fewer = new FileBackend({ dir, policy: 'lru', maxEntries: 10_000 })
  await measure('stats of expired items', async () => {
    expect(await later.stats()).toMatchObject({ items: 1 })
  })
  await measure('stats', async () => {
    expect(await backend.stats()).toMatchObject({ items: 100_001 })
  })
  await measure('another policy', () => used.set(item('second', 2)))
  await measure('a lower limit', async () => {
    expect(await evictToLimits(small)).toBe(40_002)
  })
  await measure('a much lower limit', async () => {
    expect(await evictToLimits(fewer)).toBe(50_000)
  })
  await measure('check', () => check(fewer))
  const kinds = new Set(tasks.mock.calls.map(([task]) => task.kind))
  const prepared = new Set(statements.mock.calls.map(([sql]) => sql))
  tasks.mockRestore()
  statements.mockRestore()
  for (const one of [backend, later, used, small, fewer]) await one.close()
  for (const [name, slice] of Object.entries(slices)) {
    expect(slice.ms, `${name}: ${JSON.stringify(slices)}`).toBeLessThan(maxMs)
  }
  // The thread counts all rows, and rebuilds the index of the policy.
  expect([...kinds]).toEqual(expect.arrayContaining(['expired', 'policy', 'totals', 'integrity']))
  // The event loop runs no statement that reads all items.
  const unlimited = await withIndex(dir, (database) =>
    [...prepared].filter((sql) => {
      if (!/^\s*(select|insert|update|delete|with)/.test(sql) || /\blimit\b/.test(sql)) return false
      const plan = database.prepare(`explain query plan ${sql}`).all() as { detail: string }[]
      return plan.some(({ detail }) => detail.startsWith('SCAN item'))
    }),
  )
  expect(unlimited).toEqual([])
}, 600_000)
