import { sqlState } from '../errors.ts'
import type { Patience } from '../table/table.ts'
import { loopClock } from '../timeouts/event-loop-clock.ts'
import { Coalescer, type Job, type UnderWay } from './coalescer.ts'
import type { Gate } from './semaphore.ts'

/** What is done with a batch of requests. */
export interface Work<Request, Result> {
  /** Does the batch and returns each waiter's result. */
  readonly work: (
    requests: readonly Request[],
    patience: Patience,
  ) => Promise<(request: Request, waiter: number) => Result>
}

export interface LockedRowsOptions<Request, Result> extends Work<Request, Result> {
  /** Milliseconds that a call may take in all. */
  readonly timeout: number
  /** Milliseconds that a call waits for a row which others have locked; absent: statements set no limit. */
  readonly lockTimeout: number | undefined
  /** Through which those pass who wait for a row, so that they never take all connections. */
  readonly gate: Gate
  /** The error for a call whose time was up before anything was sent. */
  readonly late: () => Error
  readonly bytesOf?: ((request: Request) => number) | undefined
  /** The batches have one job, which nobody is beside: it does not wait in its place among the batches. */
  readonly isSingle?: boolean
}

/** Which share of the limit everybody waits at first, before those in the way are told apart. */
const firstShare = 0.25

/** The milliseconds after which a statement that meets a locked row gives up at first. */
export function firstLockTimeout(lockTimeout: number): number {
  return Math.ceil(lockTimeout * firstShare)
}

/** Of the time that is left, so much may pass before the server gives up by itself; the rest is for its answer. */
const shareOfLeft = 0.9

/** Keys remembered as locked, at most. */
const mostLocked = 1000
/** Of values that wait together: the server takes no statement of 1 GB. */
const mostBytes = 64 * 1024 * 1024

/**
 * Batches of writes among rows that other transactions hold, such as one of the application's that has deleted something
 * and is not committed yet.
 *
 * One such row would make a whole batch wait for it, and those that come after. So a batch gives up early. Each of its calls
 * is then tried alone, without waiting: those whose rows are free are done. The others wait together in one statement, which
 * takes one connection and no place among the batches, however many there are. While a key is known to be locked, further
 * calls for it go there at once.
 */
export class LockedRows<Request, Result> {
  readonly #options: LockedRowsOptions<Request, Result>
  readonly #locked = new Set<string>()
  readonly #patient: Coalescer<Job<Request, Result>, void>

  constructor(options: LockedRowsOptions<Request, Result>) {
    this.#options = options
    const { timeout, late, bytesOf } = options
    this.#patient = new Coalescer({
      run: (waiting) => this.#wait(waiting.map(({ request }) => request)).then(() => settleAll(waiting)),
      timeout,
      late,
      // The batches have one job for each key.
      join: () => false,
      maxKeys: mostLocked,
      maxBytes: mostBytes,
      ...(bytesOf === undefined ? {} : { bytesOf: ({ request }) => bytesOf(request) }),
      overlapping: false,
      maxBatches: 1,
    })
  }

  /** Settles every waiter of the jobs. While some wait, the next batch may go, also with the keys of those that are done. */
  async run(
    jobs: readonly Job<Request, Result>[],
    timeout: number,
    batch: UnderWay<Job<Request, Result>>,
  ): Promise<void> {
    const blocked = jobs.filter(({ key }) => this.#locked.has(key))
    const others = blocked.length === 0 ? jobs : jobs.filter(({ key }) => !this.#locked.has(key))
    const wait = (job: Job<Request, Result>): Promise<void> => this.#patiently(job).then(() => batch.release(job))
    const waits = blocked.map(wait)
    let held: readonly Job<Request, Result>[] = []
    if (others.length > 0 && this.#options.isSingle && this.#options.lockTimeout !== undefined) {
      held = await this.#withoutWaiting(others)
      waits.push(...held.map(wait))
    } else if (others.length > 0) {
      try {
        await runBatch(this.#options.work, others, { timeout })
        if (waits.length === 0) return
      } catch (error) {
        if (!isLocked(error) || this.#options.lockTimeout === undefined) {
          for (const job of others) rejectAll(job, error)
        } else {
          held = others.length === 1 ? others : await this.#withoutWaiting(others)
          waits.push(...held.map(wait))
        }
      }
    }
    const waiting = new Set(held)
    for (const job of others) if (!waiting.has(job)) batch.release(job)
    batch.makeRoom()
    await Promise.all(waits)
  }

  #patiently(job: Job<Request, Result>): Promise<void> {
    if (this.#locked.size >= mostLocked) this.#locked.clear()
    this.#locked.add(job.key)
    return this.#patient.add(job.key, job).catch((error) => rejectAll(job, error))
  }

  /** Does each job alone; resolves to those whose rows others hold. */
  async #withoutWaiting(
    jobs: readonly Job<Request, Result>[],
    onHeld?: (error: unknown, job: Job<Request, Result>) => void,
  ): Promise<Job<Request, Result>[]> {
    const held: Job<Request, Result>[] = []
    const one = async (job: Job<Request, Result>): Promise<void> => {
      try {
        await runBatch(this.#options.work, [job], { timeout: this.#left([job]), lock: 1 })
        this.#locked.delete(job.key)
      } catch (error) {
        if (!isLocked(error)) rejectAll(job, error)
        else if (onHeld === undefined) held.push(job)
        else onHeld(error, job)
      }
    }
    await Promise.all(jobs.map(one))
    return held
  }

  /** Waits for all of them in one statement, and in the end does those that have become free. */
  async #wait(all: readonly Job<Request, Result>[]): Promise<void> {
    let jobs = all
    try {
      await this.#options.gate.pass(async () => {
        jobs = this.#inTime(all)
        if (jobs.length > 0) await runBatch(this.#options.work, jobs, this.#patience(jobs))
      })
      for (const { key } of jobs) this.#locked.delete(key)
    } catch (error) {
      if (!isLocked(error)) for (const job of jobs) rejectAll(job, error)
      else if (jobs.length === 1) rejectAll(jobs[0] as Job<Request, Result>, error)
      else await this.#withoutWaiting(jobs, (reason, job) => rejectAll(job, reason))
    }
  }

  /** Refuses those whose time is up, so that the others have theirs. */
  #inTime(jobs: readonly Job<Request, Result>[]): readonly Job<Request, Result>[] {
    const { timeout, late } = this.#options
    const began = loopClock.now() - timeout
    for (const job of jobs) if (job.since <= began) rejectAll(job, late())
    return jobs.filter((job) => job.since > began)
  }

  /** The server gives up first: a statement that we gave up would cost its connection, and might yet write. */
  #patience(jobs: readonly Job<Request, Result>[]): Patience {
    const lockTimeout = this.#options.lockTimeout as number
    const timeout = this.#left(jobs)
    const lock = Math.min(lockTimeout - firstLockTimeout(lockTimeout), Math.floor(timeout * shareOfLeft))
    return { timeout, lock: Math.max(1, lock) }
  }

  /** What is left of the time of the call that has waited longest. */
  #left(jobs: readonly Job<Request, Result>[]): number {
    const since = Math.min(...jobs.map((job) => job.since))
    return Math.max(1, this.#options.timeout - (loopClock.now() - since))
  }
}

/** Does the jobs in one statement and hands out the results. */
export async function runBatch<Request, Result>(
  work: Work<Request, Result>['work'],
  jobs: readonly Job<Request, Result>[],
  patience: Patience,
): Promise<void> {
  const resultOf = await work(
    jobs.map((job) => job.request),
    patience,
  )
  for (const { request, waiters } of jobs) {
    for (const [index, waiter] of waiters.entries()) waiter.resolve(resultOf(request, index))
  }
}

function settleAll(jobs: readonly Job<unknown, void>[]): void {
  for (const { waiters } of jobs) for (const waiter of waiters) waiter.resolve()
}

function rejectAll<Request, Result>(job: Job<Request, Result>, reason: unknown): void {
  for (const waiter of job.waiters) waiter.reject(reason)
}

/** The server waited too long for a lock, or met a circle of locks. Nothing has been written. */
function isLocked(error: unknown): boolean {
  const state = sqlState((error as Error).cause)
  return state === '55P03' || state === '40P01'
}
