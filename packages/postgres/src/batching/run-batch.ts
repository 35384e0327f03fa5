import type { WriteTimeouts } from '../timeouts/write-timeouts.ts'
import type { Job } from './coalescer.ts'

/** Does a batch of requests, and returns the function that gives each waiter its result. */
export type Work<Request, Result> = (
  requests: readonly Request[],
  timeouts: WriteTimeouts,
) => Promise<(request: Request, waiter: number) => Result>

/** Does the jobs with one call of `work` and resolves their waiters. */
export async function runBatch<Request, Result>(
  work: Work<Request, Result>,
  jobs: readonly Job<Request, Result>[],
  timeouts: WriteTimeouts,
): Promise<void> {
  const resultOf = await work(
    jobs.map((job) => job.request),
    timeouts,
  )
  for (const { request, waiters } of jobs) {
    for (const [index, waiter] of waiters.entries()) waiter.resolve(resultOf(request, index))
  }
}
