import { expect, it } from 'vitest'
import { FileBackend } from '../../src/index.ts'
import { withIndex } from '../conformance/file-harness.ts'
import { item } from '../items.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

/** Longest time that the event loop was held while `work` ran, in milliseconds of this thread's own processor time. */
async function longestHold(work: () => Promise<unknown>): Promise<number> {
  // The processor's time, not the clock's: on a busy machine the clock counts what other processes take.
  let longest = 0
  let running = true
  let last = process.threadCpuUsage()
  const look = (): void => {
    const used = process.threadCpuUsage(last)
    longest = Math.max(longest, (used.user + used.system) / 1000)
    last = process.threadCpuUsage()
    if (running) setImmediate(look)
  }
  setImmediate(look)
  await work()
  running = false
  // What the last turn took counts too.
  look()
  return longest
}

/** A turn takes three milliseconds at most, and the operation that it ends with; collecting garbage comes on top. */
const few = 20

it('no call holds the event loop for long: 10 MB values, batches, clears, culls and checkpoints included', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('first', 1))
  const bytes = Buffer.alloc(10_000_000, 7)
  const text = 'x'.repeat(300)
  const many = Array.from({ length: 20_000 }, (_, n) => item(`key ${n}`, text))
  const holds: Record<string, number> = {}
  const measure = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    holds[name] = await longestHold(work)
  }
  for (let round = 0; round < 2; round++) {
    await measure('set 10 MB', () => backend.set(item('large', bytes)))
    await measure('get 10 MB', () => backend.get('large'))
    await measure('gets one by one', async () => {
      for (let n = 0; n < 20_000; n++) await backend.get('first')
    })
    await measure('sets one by one', async () => {
      for (let n = 0; n < 3000; n++) await backend.set(item(`key ${n}`, text))
    })
    await measure('20,000 sets in tens', async () => {
      for (let n = 0; n < 2000; n++) await backend.setMany(many.slice(n * 10, n * 10 + 10))
    })
    await measure('getMany 20,000', () => backend.getMany(many.map(({ key }) => key)))
    await measure('deleteMany 5,000', () => backend.deleteMany(many.slice(0, 5000).map(({ key }) => key)))
    await measure('clear', () => backend.clear())
  }
  await backend.close()
  for (const [name, hold] of Object.entries(holds)) expect(hold, `${name}: ${JSON.stringify(holds)}`).toBeLessThan(few)
}, 120_000)

it('no call holds the event loop where it concerns every item: statistics, checks, another policy, a lower limit', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('first', 1))
  await withIndex(dir, (database) =>
    database.exec(`
      with recursive n (n) as (select 1 union all select n + 1 from n limit 100000)
      insert into item (key, version, kind, bytes, stored_at, rank, expires_at, due_at, checksum, frame)
      select 'key ' || n, 'v', 1, 200, 1, 1, 1e15, 1e15, 0, zeroblob(60) from n`),
  )
  const later = new FileBackend({ dir, clock: { now: () => 2e15 }, janitorInterval: Infinity })
  const used = new FileBackend({ dir, policy: 'lru' })
  const small = new FileBackend({ dir, policy: 'lru', maxEntries: 60_000 })
  await later.get('none')
  const holds: Record<string, number> = {}
  const measure = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    holds[name] = await longestHold(work)
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
    expect(await small.cull()).toBe(40_002)
  })
  await measure('a much lower limit', async () => {
    expect(await fewer.cull()).toBe(50_000)
  })
  await measure('check', () => fewer.check())
  for (const one of [backend, later, used, small, fewer]) await one.close()
  for (const [name, hold] of Object.entries(holds)) expect(hold, `${name}: ${JSON.stringify(holds)}`).toBeLessThan(few)
}, 120_000)
