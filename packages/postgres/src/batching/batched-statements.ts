import { timeoutError } from '../errors.ts'
import { Coalescer } from './coalescer.ts'
import { LockedRows } from './locked-rows.ts'
import { runBatch, type Work } from './run-batch.ts'
import type { Semaphore } from './semaphore.ts'

/** The limits that all kinds of statements of a backend share. */
export interface BatchLimits {
  /** Milliseconds that a call may take in all. */
  readonly timeout: number
  /**
   * Milliseconds that a write waits for a row that another transaction has locked; absent where no limit may be set.
   */
  readonly lockTimeout: number | undefined
  /** Statements that may run at once. */
  readonly connections: number
  /** Limits the statements that wait for locked rows. */
  readonly semaphore: Pick<Semaphore, 'run'>
  /** Resolves when the table exists. */
  readonly ready: () => Promise<void>
}

/** One kind of calls, which one statement can do together. */
export interface BatchKind<Request, Result> {
  readonly method: string
  readonly work: Work<Request, Result>
  /** Joins a call to a waiting call for the same key; absent: each call is a request of its own. */
  readonly join?: (waiting: Request, incoming: Request, replace: (request: Request) => void) => boolean
  readonly bytesOf?: (request: Request) => number
  readonly isRead?: boolean
  /** Whether each key needs statements of its own. */
  readonly isSingle?: boolean
}

const maxKeys = 512
const maxBytes = 1024 * 1024
const maxReadBatches = 8
const maxWriteBatches = 4

/** Statements that each do the calls of one kind from one tick, with one job per key. */
export class BatchedStatements<Request, Result> extends Coalescer<Request, Result> {
  constructor(kind: BatchKind<Request, Result>, limits: BatchLimits) {
    const { timeout, lockTimeout, ready, connections, semaphore } = limits
    const { method, work, join, bytesOf, isRead = false, isSingle = false } = kind
    const onTimeout = (): Error => timeoutError(method, timeout)
    const writes = isRead
      ? undefined
      : new LockedRows({ work, timeout, lockTimeout, semaphore, timeoutError: onTimeout, bytesOf, isSingle })
    super({
      run: async (jobs, left, batch) => {
        await ready()
        if (writes === undefined) await runBatch(work, jobs, { timeout: left })
        else await writes.run(jobs, left, batch)
      },
      timeout,
      timeoutError: onTimeout,
      join: (job, incoming) =>
        join?.(job.request, incoming, (request) => {
          job.request = request
        }) ?? false,
      maxKeys: isSingle ? 1 : maxKeys,
      maxBytes,
      ...(bytesOf ? { bytesOf } : {}),
      overlapping: isRead,
      maxBatches: isSingle ? connections : isRead ? maxReadBatches : maxWriteBatches,
    })
  }
}
