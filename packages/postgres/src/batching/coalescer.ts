import { eventLoopClock } from '../timeouts/event-loop-clock.ts'

/** One caller that waits for a result. */
export interface Waiter<Result> {
  resolve(result: Result): void
  reject(error: unknown): void
}

/** The request for one key, and its waiting callers. */
export interface Job<Request, Result> {
  readonly key: string
  request: Request
  readonly waiters: Waiter<Result>[]
  /** The instant of the first call, by `eventLoopClock`. */
  readonly since: number
}

/** The batch that `run` was called for. */
export interface RunningBatch<Entry> {
  /** Ends the batch for `maxBatches`, so that the next may start. Its keys stay in use. */
  freeSlot(): void
  /** Frees the key of a job that is done, so that its next job need not wait for the rest of the batch. */
  freeKey(job: Entry): void
}

export interface CoalescerOptions<Request, Result> {
  /**
   * Does all jobs of a batch within `timeout` milliseconds and settles the waiters of each. A rejection rejects the
   * waiters that are left.
   */
  readonly run: (
    jobs: readonly Job<Request, Result>[],
    timeout: number,
    batch: RunningBatch<Job<Request, Result>>,
  ) => Promise<void>
  /** Milliseconds that a call may take in all, including the wait for its batch. */
  readonly timeout: number
  /** The error of a call whose time was over before its batch could start. */
  readonly timeoutError: () => Error
  /**
   * Joins a request to a waiting job for the same key. Returns `false` where it cannot: then the request follows the
   * job.
   */
  readonly join: (job: Job<Request, Result>, request: Request) => boolean
  /** The largest number of keys in a batch. */
  readonly maxKeys: number
  /** Whether a key may be in two batches at once. For writes it may not: they would take effect in any order. */
  readonly overlapping: boolean
  /** The largest number of batches that run at once. */
  readonly maxBatches: number
  /** The bytes of a request, and the most bytes of a batch; a larger request travels alone. */
  readonly bytesOf?: (request: Request) => number
  readonly maxBytes?: number
}

/**
 * Collects the calls of one tick into one batch, with one job per key.
 *
 * A batch starts when the tick's microtasks have run (`process.nextTick` from within a microtask comes after all of
 * them). A single call is thus not delayed, and the callers that one reply resumes share the next batch. Under load the
 * batches grow, because calls wait while `maxBatches` run.
 */
export class Coalescer<Request, Result> {
  readonly #options: CoalescerOptions<Request, Result>
  /** The first waiting job of each key. */
  readonly #waiting = new Map<string, Job<Request, Result>>()
  /** Further jobs of the same key, which could not join. */
  readonly #following = new Map<string, Job<Request, Result>[]>()
  /** The keys of running batches. */
  readonly #keysInUse = new Set<string>()
  /** Running batches that count for `maxBatches`. */
  #slots = 0
  #isScheduled = false

  constructor(options: CoalescerOptions<Request, Result>) {
    this.#options = options
  }

  add(key: string, request: Request): Promise<Result> {
    return new Promise<Result>((resolve, reject) => this.addFor({ resolve, reject }, key, request))
  }

  /** Adds a request without creating a promise, so that one waiter may serve many calls. */
  addFor(waiter: Waiter<Result>, key: string, request: Request): void {
    const following = this.#following.get(key)
    const last = following?.at(-1) ?? this.#waiting.get(key)
    if (last !== undefined && this.#options.join(last, request)) {
      last.waiters.push(waiter)
      return
    }
    const job = { key, request, waiters: [waiter], since: eventLoopClock.now() }
    if (last === undefined) this.#waiting.set(key, job)
    else if (following === undefined) this.#following.set(key, [job])
    else following.push(job)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled || this.#slots >= this.#options.maxBatches) return
    this.#isScheduled = true
    process.nextTick(this.#flush)
  }

  readonly #flush = (): void => {
    this.#isScheduled = false
    while (this.#slots < this.#options.maxBatches) {
      const jobs = this.#take()
      if (jobs.length === 0) return
      this.#start(jobs)
    }
  }

  #take(): Job<Request, Result>[] {
    const { maxKeys, maxBytes = Number.POSITIVE_INFINITY, bytesOf, overlapping } = this.#options
    const jobs: Job<Request, Result>[] = []
    let bytes = 0
    for (const [key, job] of this.#waiting) {
      if (jobs.length >= maxKeys || bytes >= maxBytes) break
      if (!overlapping && this.#keysInUse.has(key)) continue
      if (bytesOf !== undefined) {
        bytes += bytesOf(job.request)
        if (bytes > maxBytes && jobs.length > 0) break
      }
      jobs.push(job)
      if (!overlapping) this.#keysInUse.add(key)
      this.#waiting.delete(key)
      this.#promote(key)
    }
    return jobs
  }

  /** Makes the next job of the key its first waiting job. */
  #promote(key: string): void {
    const following = this.#following.get(key)
    if (following === undefined) return
    const next = following.shift()
    if (following.length === 0) this.#following.delete(key)
    if (next !== undefined) this.#waiting.set(key, next)
  }

  #start(jobs: readonly Job<Request, Result>[]): void {
    this.#slots += 1
    const { run, timeout, timeoutError } = this.#options
    // Jobs start in the order of their calls, so the first has waited longest. Each batch gets the rest of that job's
    // time: no call waits longer than `timeout`, however many batches are ahead of it.
    const left = timeout - (eventLoopClock.now() - (jobs[0] as Job<Request, Result>).since)
    let hasSlot = true
    /** Jobs whose keys were freed, and may already be in use by another batch. */
    let freed: Set<Job<Request, Result>> | undefined
    const batch: RunningBatch<Job<Request, Result>> = {
      freeSlot: () => {
        if (!hasSlot) return
        hasSlot = false
        this.#slots -= 1
        if (this.#waiting.size > 0) this.#schedule()
      },
      freeKey: (job) => {
        freed ??= new Set()
        if (freed.has(job)) return
        freed.add(job)
        this.#keysInUse.delete(job.key)
        if (this.#waiting.has(job.key)) this.#schedule()
      },
    }
    const end = (): void => {
      this.#end(freed === undefined ? jobs : jobs.filter((job) => !freed?.has(job)), batch)
    }
    const outcome = left > 0 ? run(jobs, left, batch) : Promise.reject(timeoutError())
    outcome.then(end, (error: unknown) => {
      for (const job of jobs) for (const waiter of job.waiters) waiter.reject(error)
      end()
    })
  }

  #end(jobs: readonly Job<Request, Result>[], batch: RunningBatch<Job<Request, Result>>): void {
    if (!this.#options.overlapping) for (const job of jobs) this.#keysInUse.delete(job.key)
    batch.freeSlot()
    if (this.#waiting.size > 0) this.#schedule()
  }
}
