import { sqlState } from '../errors.ts'
import { eventLoopClock } from '../timeouts/event-loop-clock.ts'
import { firstLockTimeout, momentaryLock, type WriteTimeouts } from '../timeouts/write-timeouts.ts'
import { Coalescer, type Job, type RunningBatch } from './coalescer.ts'
import { runBatch, type Work } from './run-batch.ts'
import type { Semaphore } from './semaphore.ts'

export interface LockedRowsOptions<Request, Result> {
  readonly work: Work<Request, Result>
  /** Milliseconds that a call may take in all. */
  readonly timeout: number
  /** Milliseconds that a call waits for a row that another transaction has locked; absent: statements set no limit. */
  readonly lockTimeout: number | undefined
  /** Limits the statements that wait for rows, so that they never occupy all connections. */
  readonly semaphore: Pick<Semaphore, 'run'>
  /** The error of a call whose time was over before anything was sent. */
  readonly timeoutError: () => Error
  readonly bytesOf?: ((request: Request) => number) | undefined
  /** Whether each batch has a single job. Then even its first statement does not wait for a locked row in its slot. */
  readonly isSingle?: boolean
}

/** The part of the time left after which the server itself gives up; the rest is for its reply. */
const shareOfTimeLeft = 0.9

/** The largest number of keys that are remembered as locked. */
const mostLocked = 1000
/** The largest size of values that wait together: the server refuses a statement of 1 GB. */
const mostBytes = 64 * 1024 * 1024

/**
 * Batches of writes among rows that other transactions have locked, such as an application's transaction that has
 * deleted an item and is still open.
 *
 * One such row would make the whole batch wait, and all batches behind it. So a batch gives up early, and each of its
 * calls is then tried alone, without waiting: calls for free rows succeed. The others wait together in one statement,
 * which takes one connection and no slot among the batches, however many they are. While a key is known to be locked,
 * further calls for it wait there from the start.
 */
export class LockedRows<Request, Result> {
  readonly #options: LockedRowsOptions<Request, Result>
  readonly #locked = new Set<string>()
  readonly #waiting: Coalescer<Job<Request, Result>, void>

  constructor(options: LockedRowsOptions<Request, Result>) {
    this.#options = options
    const { timeout, timeoutError, bytesOf } = options
    this.#waiting = new Coalescer({
      run: (jobs) => this.#waitForRows(jobs.map(({ request }) => request)).then(() => resolveAll(jobs)),
      timeout,
      timeoutError,
      // Each batch has at most one job for a key, so none is left to join.
      join: () => false,
      maxKeys: mostLocked,
      maxBytes: mostBytes,
      ...(bytesOf === undefined ? {} : { bytesOf: ({ request }) => bytesOf(request) }),
      overlapping: false,
      maxBatches: 1,
    })
  }

  /**
   * Settles all waiters of the jobs. While some jobs wait for rows, the next batch may run, with the keys of finished
   * jobs too.
   */
  async run(
    jobs: readonly Job<Request, Result>[],
    timeout: number,
    batch: RunningBatch<Job<Request, Result>>,
  ): Promise<void> {
    const { work, isSingle, lockTimeout } = this.#options
    const knownLocked = jobs.filter(({ key }) => this.#locked.has(key))
    const others = knownLocked.length === 0 ? jobs : jobs.filter(({ key }) => !this.#locked.has(key))
    const wait = (job: Job<Request, Result>): Promise<void> => this.#waitFor(job).then(() => batch.freeKey(job))
    const waits = knownLocked.map(wait)
    let locked: readonly Job<Request, Result>[] = []
    if (others.length > 0 && isSingle && lockTimeout !== undefined) {
      locked = await this.#tryWithoutWaiting(others)
      waits.push(...locked.map(wait))
    } else if (others.length > 0) {
      try {
        await runBatch(work, others, { timeout })
        if (waits.length === 0) return
      } catch (error) {
        if (!isLockError(error) || lockTimeout === undefined) {
          for (const job of others) rejectAll(job, error)
        } else {
          locked = others.length === 1 ? others : await this.#tryWithoutWaiting(others)
          waits.push(...locked.map(wait))
        }
      }
    }
    const waiting = new Set(locked)
    for (const job of others) if (!waiting.has(job)) batch.freeKey(job)
    batch.freeSlot()
    await Promise.all(waits)
  }

  #waitFor(job: Job<Request, Result>): Promise<void> {
    if (this.#locked.size >= mostLocked) this.#locked.clear()
    this.#locked.add(job.key)
    return this.#waiting.add(job.key, job).catch((error) => rejectAll(job, error))
  }

  /** Does each job alone; resolves to the jobs whose rows are locked. */
  async #tryWithoutWaiting(
    jobs: readonly Job<Request, Result>[],
    onLocked?: (error: unknown, job: Job<Request, Result>) => void,
  ): Promise<Job<Request, Result>[]> {
    const locked: Job<Request, Result>[] = []
    const tryOne = async (job: Job<Request, Result>, isAgain: boolean): Promise<void> => {
      // A statement for a free row may meet a momentary lock. It must not wait together with the locked rows for that.
      const lockTimeout = isAgain ? Math.min(momentaryLock, this.#options.lockTimeout as number) : 1
      try {
        await runBatch(this.#options.work, [job], { timeout: this.#timeLeft([job]), lockTimeout })
        this.#locked.delete(job.key)
      } catch (error) {
        if (!isLockError(error)) rejectAll(job, error)
        else if (!isAgain) await tryOne(job, true)
        else if (onLocked === undefined) locked.push(job)
        else onLocked(error, job)
      }
    }
    await Promise.all(jobs.map((job) => tryOne(job, false)))
    return locked
  }

  /** Waits for the rows of all jobs in one statement. If that fails, does the jobs whose rows have become free. */
  async #waitForRows(all: readonly Job<Request, Result>[]): Promise<void> {
    let jobs = all
    try {
      await this.#options.semaphore.run(async () => {
        jobs = this.#withoutLate(all)
        if (jobs.length > 0) await runBatch(this.#options.work, jobs, this.#timeoutsOf(jobs))
      })
      for (const { key } of jobs) this.#locked.delete(key)
    } catch (error) {
      if (!isLockError(error)) for (const job of jobs) rejectAll(job, error)
      else if (jobs.length === 1) rejectAll(jobs[0] as Job<Request, Result>, error)
      else await this.#tryWithoutWaiting(jobs, (reason, job) => rejectAll(job, reason))
    }
  }

  /** Rejects the jobs whose time is over, because a shared statement has only the shortest time of its jobs. */
  #withoutLate(jobs: readonly Job<Request, Result>[]): readonly Job<Request, Result>[] {
    const { timeout, timeoutError } = this.#options
    const latest = eventLoopClock.now() - timeout
    for (const job of jobs) if (job.since <= latest) rejectAll(job, timeoutError())
    return jobs.filter((job) => job.since > latest)
  }

  /**
   * The server gives up before this process does: a statement abandoned here would cost its connection, and might still
   * write.
   */
  #timeoutsOf(jobs: readonly Job<Request, Result>[]): WriteTimeouts {
    const lockTimeout = this.#options.lockTimeout as number
    const timeout = this.#timeLeft(jobs)
    const left = Math.min(lockTimeout - firstLockTimeout(lockTimeout), Math.floor(timeout * shareOfTimeLeft))
    return { timeout, lockTimeout: Math.max(1, left) }
  }

  /** The time left of the job that has waited longest. */
  #timeLeft(jobs: readonly Job<Request, Result>[]): number {
    const since = Math.min(...jobs.map((job) => job.since))
    return Math.max(1, this.#options.timeout - (eventLoopClock.now() - since))
  }
}

function resolveAll(jobs: readonly Job<unknown, void>[]): void {
  for (const { waiters } of jobs) for (const waiter of waiters) waiter.resolve()
}

function rejectAll<Request, Result>(job: Job<Request, Result>, reason: unknown): void {
  for (const waiter of job.waiters) waiter.reject(reason)
}

/** Whether the server waited too long for a lock, or found a deadlock. In both cases nothing was written. */
function isLockError(error: unknown): boolean {
  const state = sqlState((error as Error).cause)
  return state === '55P03' || state === '40P01'
}
