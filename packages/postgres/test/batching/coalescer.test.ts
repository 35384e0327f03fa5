import { afterEach, expect, it, vi } from 'vitest'
import { Coalescer, type CoalescerOptions, type Job } from '../../src/batching/coalescer.ts'

afterEach(() => {
  vi.useRealTimers()
})

type Jobs = readonly Job<string, string>[]

function collector(options: Partial<CoalescerOptions<string, string>> = {}): {
  coalescer: Coalescer<string, string>
  batches: string[][]
  finish: (error?: Error) => void
} {
  const batches: string[][] = []
  const running: ((error?: Error) => void)[] = []
  const coalescer = new Coalescer<string, string>({
    run: (jobs: Jobs) =>
      new Promise((resolve, reject) => {
        batches.push(jobs.map(({ key, request }) => `${key}=${request}`))
        running.push((error) => {
          if (error) return reject(error)
          for (const { request, waiters } of jobs) for (const waiter of waiters) waiter.resolve(request)
          return resolve()
        })
      }),
    timeout: 1000,
    timeoutError: () => new Error('late'),
    join: () => false,
    maxKeys: 3,
    overlapping: false,
    maxBatches: 1,
    ...options,
  })
  return { coalescer, batches, finish: (error) => running.shift()?.(error) }
}

async function tick(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

it('the calls of one tick and of its microtasks make one batch', async () => {
  const { coalescer, batches, finish } = collector()
  const calls = [coalescer.add('a', '1')]
  await Promise.resolve().then(() => calls.push(coalescer.add('b', '2')))
  await tick()
  finish()
  expect(await Promise.all(calls)).toEqual(['1', '2'])
  expect(batches).toEqual([['a=1', 'b=2']])
})

it('a batch takes at most `maxKeys` keys, and the next starts when it ends', async () => {
  const { coalescer, batches, finish } = collector()
  const calls = ['a', 'b', 'c', 'd'].map((key) => coalescer.add(key, key))
  await tick()
  expect(batches).toEqual([['a=a', 'b=b', 'c=c']])
  finish()
  await tick()
  finish()
  await Promise.all(calls)
  expect(batches).toEqual([['a=a', 'b=b', 'c=c'], ['d=d']])
})

it('a request larger than a batch travels alone', async () => {
  const { coalescer, batches, finish } = collector({ bytesOf: (request) => Number(request), maxBytes: 10 })
  const calls = [coalescer.add('a', '4'), coalescer.add('b', '5'), coalescer.add('c', '50'), coalescer.add('d', '1')]
  for (let n = 0; n < 4; n += 1) {
    await tick()
    finish()
  }
  await Promise.all(calls)
  expect(batches).toEqual([['a=4', 'b=5'], ['c=50'], ['d=1']])
})

it('a key is in one batch at a time, so that the last write wins', async () => {
  const { coalescer, batches, finish } = collector({ maxBatches: 4 })
  const first = coalescer.add('a', '1')
  await tick()
  const second = coalescer.add('a', '2')
  const other = coalescer.add('b', '3')
  await tick()
  expect(batches).toEqual([['a=1'], ['b=3']])
  finish()
  await first
  await tick()
  expect(batches).toEqual([['a=1'], ['b=3'], ['a=2']])
  finish()
  finish()
  await Promise.all([second, other])
})

it('a read that may overlap starts while an older read of the same key runs', async () => {
  const { coalescer, batches, finish } = collector({ maxBatches: 4, overlapping: true, join: () => true })
  const first = coalescer.add('a', '1')
  await tick()
  const second = coalescer.add('a', '2')
  await tick()
  expect(batches).toEqual([['a=1'], ['a=2']])
  finish()
  finish()
  await Promise.all([first, second])
})

it('requests for one key that cannot join run one after the other', async () => {
  const { coalescer, batches, finish } = collector()
  const calls = ['1', '2', '3'].map((request) => coalescer.add('a', request))
  for (let n = 0; n < 3; n += 1) {
    await tick()
    finish()
  }
  expect(await Promise.all(calls)).toEqual(['1', '2', '3'])
  expect(batches).toEqual([['a=1'], ['a=2'], ['a=3']])
})

it('a failing batch rejects its own callers only', async () => {
  const { coalescer, finish } = collector({ maxKeys: 1 })
  const calls = Promise.allSettled([coalescer.add('a', '1'), coalescer.add('b', '2')])
  await tick()
  finish(new Error('broken'))
  await tick()
  finish()
  expect(await calls).toEqual([
    { status: 'rejected', reason: new Error('broken') },
    { status: 'fulfilled', value: '2' },
  ])
})

it('a call whose time ends before its batch can start is rejected instead of sent', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const { coalescer, batches, finish } = collector({ timeout: 20, maxKeys: 1 })
  const calls = Promise.allSettled([coalescer.add('a', '1'), coalescer.add('b', '2')])
  await tick()
  vi.advanceTimersByTime(25)
  finish()
  expect(await calls).toEqual([
    { status: 'fulfilled', value: '1' },
    { status: 'rejected', reason: new Error('late') },
  ])
  expect(batches).toEqual([['a=1']])
})

it('a batch gets the time left of the call that has waited longest', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const given: number[] = []
  const { coalescer } = collector({
    run: async (jobs, timeout) => {
      given.push(timeout)
      for (const { waiters } of jobs) for (const waiter of waiters) waiter.resolve('')
    },
  })
  const calls = [coalescer.add('a', '1')]
  vi.advanceTimersByTime(40)
  calls.push(coalescer.add('b', '2'))
  vi.advanceTimersByTime(20)
  await Promise.all(calls)
  expect(given.length).toBe(1)
  expect(given[0]).toBeGreaterThan(900)
  expect(given[0]).toBeLessThan(1000)
  expect(given[0]).toBe(940)
})

it('a freed key goes into the next batch, and never into two at once when its first batch ends', async () => {
  const parts: { freeKey(key: string): void; end(): void }[] = []
  const batches: string[][] = []
  const { coalescer } = collector({
    maxBatches: 2,
    run: (jobs: Jobs, _, batch) =>
      new Promise((resolve) => {
        batches.push(jobs.map(({ key, request }) => `${key}=${request}`))
        const resolveAll = (job: Job<string, string>): void => {
          for (const waiter of job.waiters) waiter.resolve(job.request)
        }
        parts.push({
          freeKey: (key) => {
            const job = jobs.find((one) => one.key === key) as Job<string, string>
            resolveAll(job)
            batch.freeKey(job)
          },
          end: () => {
            for (const job of jobs) resolveAll(job)
            resolve()
          },
        })
      }),
  })
  const calls = ['a', 'b'].map((key) => coalescer.add(key, '1'))
  await tick()
  calls.push(coalescer.add('b', '2'))
  await tick()
  expect(batches).toEqual([['a=1', 'b=1']])
  parts[0]?.freeKey('b')
  await tick()
  expect(batches).toEqual([['a=1', 'b=1'], ['b=2']])
  calls.push(coalescer.add('b', '3'))
  parts[0]?.end()
  await tick()
  expect(batches).toEqual([['a=1', 'b=1'], ['b=2']])
  parts[1]?.end()
  await tick()
  expect(batches).toEqual([['a=1', 'b=1'], ['b=2'], ['b=3']])
  parts[2]?.end()
  expect(await Promise.all(calls)).toEqual(['1', '1', '2', '3'])
})
