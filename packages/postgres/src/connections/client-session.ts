import type { ClientBase } from 'pg'
import { postgresError } from '../errors.ts'
import { timeLeft } from '../timeouts/time-left.ts'
import { query } from './query.ts'
import type { Row, Run, Session } from './session.ts'

/**
 * Statements on one client of the application's, which it may have in a transaction. They run one after the other, between
 * the application's own.
 */
export class ClientSession implements Session {
  readonly #client: ClientBase
  readonly #prepare: boolean
  #last: Promise<unknown> = Promise.resolve()

  readonly lockTimeout: string | null

  constructor(client: ClientBase, options: { readonly prepare: boolean; readonly lockTimeout: string | null }) {
    this.#client = client
    this.#prepare = options.prepare
    this.lockTimeout = options.lockTimeout
  }

  readonly run: Run = (statement, values, operation, timeout) => {
    // The wait for those before counts.
    const left = timeLeft(operation, timeout)
    const send = (): Promise<Row[]> => query(this.#client, statement, values, this.#prepare, operation, left())
    return this.#afterOthers(send, operation)
  }

  exclusive<Result>(work: (run: Run) => Promise<Result>, operation: string): Promise<Result> {
    return this.#afterOthers(
      () => work((statement, values, name, timeout) => query(this.#client, statement, values, false, name, timeout)),
      operation,
    )
  }

  async close(): Promise<void> {
    await this.#last
  }

  #afterOthers<Result>(work: () => Promise<Result>, operation: string): Promise<Result> {
    const result = this.#last.then(work).catch((error: unknown) => {
      throw postgresError(error, operation)
    })
    this.#last = result.catch(() => {})
    return result
  }
}
