/** Runs all jobs, at most `limit` at a time, and starts them in their order. */
export async function runInParallel(jobs: readonly (() => Promise<void>)[], limit: number): Promise<void> {
  const waiting = jobs[Symbol.iterator]()
  async function work(): Promise<void> {
    for (const job of waiting) await job()
  }
  await Promise.all(Array.from({ length: limit }, work))
}
