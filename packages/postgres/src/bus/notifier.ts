import { Coalescer } from '../batching/coalescer.ts'
import { textArray } from '../connections/binary-array.ts'
import type { Run } from '../connections/session.ts'
import { statement } from '../connections/statement.ts'
import { timeoutError } from '../errors.ts'

const notify = statement(
  'select pg_notify($1, p.payload) from unnest($2::text[]) with ordinality as p (payload, n) order by n',
  1,
)

export interface NotifierOptions {
  readonly run: Run
  readonly channel: string
  readonly timeout: number
}

/**
 * Sends payloads, those of one tick in one transaction. A transaction with notifications takes a lock of the whole
 * server when it commits. So notifications never travel in the statement of a write (measured: upserts fall to a
 * quarter).
 */
export class Notifier {
  readonly #batches: Coalescer<string[], void>

  constructor({ run, channel, timeout }: NotifierOptions) {
    this.#batches = new Coalescer({
      run: async (jobs, left) => {
        const payloads = jobs.flatMap((job) => job.request)
        await run(notify, [channel, textArray(payloads)], 'publish', left)
        for (const { waiters } of jobs) for (const waiter of waiters) waiter.resolve()
      },
      timeout,
      timeoutError: () => timeoutError('publish', timeout),
      // All messages are one job, which keeps their order.
      join: (job, payloads) => {
        job.request.push(...payloads)
        return true
      },
      maxKeys: 1,
      overlapping: false,
      maxBatches: 1,
    })
  }

  send(payloads: string[]): Promise<void> {
    return this.#batches.add('', payloads)
  }
}
