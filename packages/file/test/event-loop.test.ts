import { expect, it } from 'vitest'
import { FileBackend } from '../src/index.ts'
import { item } from './items.ts'
import { temporaryDirectory } from './temporary-directory.ts'

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
