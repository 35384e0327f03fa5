import { loopClock } from '../timeouts/event-loop-clock.ts'

/** One caller of an operation and what it waits for. */
export interface Waiter<Result> {
  resolve(result: Result): void
  reject(error: unknown): void
}

/** What is to be done for one key, and who waits for it. */
export interface Job<Request, Result> {
  readonly key: string
  request: Request
  readonly waiters: Waiter<Result>[]
  /** When the first caller came, by `loopClock`. */
  readonly since: number
}

/** A batch that is under way. */
export interface UnderWay<Entry> {
  /** From now on it does not count as one that is under way, but its keys do. */
  makeRoom(): void
  /** The job is settled: the next one for its key need not wait for the rest of the batch. */
  release(job: Entry): void
}

export interface CoalescerOptions<Request, Result> {
  /**
   * Does all jobs of a batch within `timeout` milliseconds and settles each one's waiters; a rejection rejects those that are
   * left.
   */
  readonly run: (
    jobs: readonly Job<Request, Result>[],
    timeout: number,
    batch: UnderWay<Job<Request, Result>>,
  ) => Promise<void>
  /** Milliseconds that a call may take in all, the time that it waits for its batch included. */
  readonly timeout: number
  /** The error for a call whose time was up before its batch could start. */
  readonly late: () => Error
  /** Joins a request to a job for the same key that waits; `false` where it cannot, and then comes after it. */
  readonly join: (job: Job<Request, Result>, request: Request) => boolean
  /** Keys per batch at most. */
  readonly maxKeys: number
  /** Whether a key may be in two batches at once. Writes may not: they would take effect in any order. */
  readonly overlapping: boolean
  /** Batches under way at most. */
  readonly maxBatches: number
  /** Bytes of a request, and how many a batch may take; one larger request travels alone. */
  readonly bytesOf?: (request: Request) => number
  readonly maxBytes?: number
}

/**
 * Collects the calls of one tick and does them as one batch, one job per key.
 *
 * A batch leaves when the tick's microtasks have run (`process.nextTick` from within one comes after all of them), so a
 * single call waits for nothing, and the callers whom one answer wakes find themselves together again in the next batch.
 * Under load the batches grow by themselves, because calls wait while `maxBatches` are under way.
 */
export class Coalescer<Request, Result> {
  readonly #options: CoalescerOptions<Request, Result>
  /** The jobs that wait, by key; further ones for the same key that could not join are in `later`. */
  readonly #waiting = new Map<string, Job<Request, Result>>()
  readonly #later = new Map<string, Job<Request, Result>[]>()
  readonly #underWay = new Set<string>()
  /** Batches under way that count, and all of them. */
  #batches = 0
  #unsettled = 0
  #isScheduled = false
  #idle: (() => void)[] = []

  constructor(options: CoalescerOptions<Request, Result>) {
    this.#options = options
  }

  /** Resolves when every call made so far has settled. */
  async settled(): Promise<void> {
    if (this.#waiting.size === 0 && this.#unsettled === 0) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  add(key: string, request: Request): Promise<Result> {
    return new Promise<Result>((resolve, reject) => this.addFor({ resolve, reject }, key, request))
  }

  /** The same without a promise of its own: one waiter may serve many calls. */
  addFor(waiter: Waiter<Result>, key: string, request: Request): void {
    const later = this.#later.get(key)
    const last = later?.at(-1) ?? this.#waiting.get(key)
    if (last !== undefined && this.#options.join(last, request)) {
      last.waiters.push(waiter)
      return
    }
    const job = { key, request, waiters: [waiter], since: loopClock.now() }
    if (last === undefined) this.#waiting.set(key, job)
    else if (later === undefined) this.#later.set(key, [job])
    else later.push(job)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled || this.#batches >= this.#options.maxBatches) return
    this.#isScheduled = true
    process.nextTick(this.#flush)
  }

  readonly #flush = (): void => {
    this.#isScheduled = false
    while (this.#batches < this.#options.maxBatches) {
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
      if (!overlapping && this.#underWay.has(key)) continue
      if (bytesOf !== undefined) {
        bytes += bytesOf(job.request)
        if (bytes > maxBytes && jobs.length > 0) break
      }
      jobs.push(job)
      if (!overlapping) this.#underWay.add(key)
      this.#waiting.delete(key)
      this.#promote(key)
    }
    return jobs
  }

  /** Moves the next job of the key, if there is one, to those that wait. */
  #promote(key: string): void {
    const later = this.#later.get(key)
    if (later === undefined) return
    const next = later.shift()
    if (later.length === 0) this.#later.delete(key)
    if (next !== undefined) this.#waiting.set(key, next)
  }

  #start(jobs: readonly Job<Request, Result>[]): void {
    this.#batches += 1
    this.#unsettled += 1
    const { run, timeout, late } = this.#options
    // Jobs leave in the order in which they came, so the first has waited longest; each batch gets what is left of its
    // time, and nobody waits for longer than `timeout`, however many batches are before his.
    const left = timeout - (loopClock.now() - (jobs[0] as Job<Request, Result>).since)
    let counts = true
    /** A key that was released may be under way again, in another batch. */
    let released: Set<Job<Request, Result>> | undefined
    const batch: UnderWay<Job<Request, Result>> = {
      makeRoom: () => {
        if (!counts) return
        counts = false
        this.#batches -= 1
        if (this.#waiting.size > 0) this.#schedule()
      },
      release: (job) => {
        released ??= new Set()
        if (released.has(job)) return
        released.add(job)
        this.#underWay.delete(job.key)
        if (this.#waiting.has(job.key)) this.#schedule()
      },
    }
    const end = (): void => {
      this.#end(released === undefined ? jobs : jobs.filter((job) => !released?.has(job)), batch)
    }
    const outcome = left > 0 ? run(jobs, left, batch) : Promise.reject(late())
    outcome.then(end, (error: unknown) => {
      for (const job of jobs) for (const waiter of job.waiters) waiter.reject(error)
      end()
    })
  }

  #end(jobs: readonly Job<Request, Result>[], batch: UnderWay<Job<Request, Result>>): void {
    this.#unsettled -= 1
    if (!this.#options.overlapping) for (const job of jobs) this.#underWay.delete(job.key)
    batch.makeRoom()
    if (this.#waiting.size > 0) this.#schedule()
    else if (this.#unsettled === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
}
