import { CacheError } from '@cache/core/backend'
import { expect, it } from 'vitest'
import type { Job } from '../../src/batching/coalescer.ts'
import { LockedRows } from '../../src/batching/locked-rows.ts'
import { Semaphore } from '../../src/batching/semaphore.ts'
import { eventLoopClock } from '../../src/timeouts/event-loop-clock.ts'

const lockError = new CacheError('TIMEOUT', 'locked', { cause: Object.assign(new Error('locked'), { code: '55P03' }) })
const batch = { freeSlot: () => {}, freeKey: () => {} }

/** Rows that are free only for calls that wait longer than a first statement and than a single try. */
function lockedRows(bytesOf?: (request: string) => number): {
  readonly sent: string[][]
  run(jobs: readonly Job<string, string>[]): Promise<void>
} {
  const sent: string[][] = []
  const locked = new LockedRows<string, string>({
    work: async (requests, { lockTimeout }) => {
      // The first attempt, and both attempts of a call alone.
      if (lockTimeout === undefined || lockTimeout <= 50) throw lockError
      sent.push([...requests])
      return (request) => `${request} done`
    },
    timeout: 60_000,
    lockTimeout: 10_000,
    semaphore: new Semaphore(1),
    timeoutError: () => new Error('late'),
    bytesOf,
  })
  return { sent, run: (jobs) => locked.run(jobs, 60_000, batch) }
}

function call(key: string, age: number): { readonly job: Job<string, string>; readonly outcome: Promise<string> } {
  const waiters: Job<string, string>['waiters'] = []
  const outcome = new Promise<string>((resolve, reject) => waiters.push({ resolve, reject }))
  const job = { key, request: key, waiters, since: eventLoopClock.now() - age }
  return { job, outcome: outcome.catch((error: Error) => error.message) }
}

it('a call whose time ends while it waits for a row is refused alone', async () => {
  const { sent, run } = lockedRows()
  const calls = [call('old', 60_001), call('new', 0)]
  await run(calls.map(({ job }) => job))
  expect(await Promise.all(calls.map(({ outcome }) => outcome))).toEqual(['late', 'new done'])
  expect(sent).toEqual([['new']])
})

it.each([
  ['a deadlock', '40P01', ['a done', 'b done']],
  ['a locked row', '55P03', ['a done', 'b done']],
  ['another reason', '23502', ['no', 'no']],
])('each call of a batch that failed for %s (%s) is sent alone if it may be sent again', async (_, code, expected) => {
  const locked = new LockedRows<string, string>({
    work: async (requests) => {
      if (requests.length > 1)
        throw new CacheError('CONFLICT', 'no', { cause: Object.assign(new Error('no'), { code }) })
      return (request) => `${request} done`
    },
    timeout: 60_000,
    lockTimeout: 10_000,
    semaphore: new Semaphore(1),
    timeoutError: () => new Error('late'),
  })
  const calls = ['a', 'b'].map((key) => call(key, 0))
  await locked.run(
    calls.map(({ job }) => job),
    60_000,
    batch,
  )
  expect(await Promise.all(calls.map(({ outcome }) => outcome))).toEqual(expected)
})

it('a call for a free row that meets a lock for a moment is tried again, and does not wait with the locked rows', async () => {
  const sent: [readonly string[], number | undefined][] = []
  let releaseRows = (): void => {}
  const rows = new Promise<void>((resolve) => {
    releaseRows = resolve
  })
  const locked = new LockedRows<string, string>({
    work: async (requests, { lockTimeout }) => {
      sent.push([requests, lockTimeout])
      const isHeld = requests.includes('held')
      if (isHeld && lockTimeout === 9000) await rows
      else if (isHeld || lockTimeout === 1) throw lockError
      return (request) => `${request} done`
    },
    timeout: 60_000,
    lockTimeout: 10_000,
    semaphore: new Semaphore(1),
    timeoutError: () => new Error('late'),
  })
  const [held, free] = [call('held', 0), call('free', 0)]
  const running = locked.run([held.job, free.job], 60_000, batch)
  expect(await free.outcome).toBe('free done')
  releaseRows()
  await running
  expect(await held.outcome).toBe('held done')
  expect(sent).toContainEqual([['free'], 50])
  expect(sent.at(-1)).toEqual([['held'], 9000])
})

it('a key whose row has become free travels in batches again', async () => {
  const waits: (number | undefined)[] = []
  let isFree = false
  const locked = new LockedRows<string, string>({
    work: async (_, { lockTimeout }) => {
      waits.push(lockTimeout)
      if (!isFree && lockTimeout === undefined) throw lockError
      isFree = true
      return (request) => `${request} done`
    },
    timeout: 60_000,
    lockTimeout: 10_000,
    semaphore: new Semaphore(1),
    timeoutError: () => new Error('late'),
  })
  for (let round = 0; round < 2; round += 1) {
    const { job, outcome } = call('a', 0)
    await locked.run([job], 60_000, batch)
    expect(await outcome).toBe('a done')
  }
  expect(waits).toEqual([undefined, 9000, undefined])
})

it('calls that waited together with a locked row succeed in the end if their own rows are free', async () => {
  const locked = new LockedRows<string, string>({
    work: async (requests, { lockTimeout }) => {
      if (lockTimeout === undefined || requests.includes('held')) throw lockError
      return (request) => `${request} done`
    },
    timeout: 60_000,
    lockTimeout: 10_000,
    semaphore: new Semaphore(1),
    timeoutError: () => new Error('late'),
  })
  const first = call('free', 0)
  // From here on both keys count as locked, so their calls wait together.
  const [held, free] = [call('held', 0), call('free', 0)]
  await Promise.all(
    [[first], [held, free]].map((calls) =>
      locked.run(
        calls.map(({ job }) => job),
        60_000,
        batch,
      ),
    ),
  )
  expect(await Promise.all([first, held, free].map(({ outcome }) => outcome))).toEqual([
    'free done',
    'locked',
    'free done',
  ])
})

it('calls that wait for rows share one statement, up to the size that a server accepts', async () => {
  const { sent, run } = lockedRows((request) => (request.startsWith('large') ? 40 * 1024 * 1024 : 1))
  const calls = ['a', 'large b', 'c', 'large d', 'e'].map((key) => call(key, 0))
  await run(calls.map(({ job }) => job))
  expect(sent).toEqual([
    ['a', 'large b', 'c'],
    ['large d', 'e'],
  ])
})
