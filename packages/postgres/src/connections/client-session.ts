import type { ClientBase } from 'pg'
import { postgresError } from '../errors.ts'
import { timeLeft } from '../timeouts/time-left.ts'
import type { PgClient } from './pg-shapes.ts'
import { query } from './query.ts'
import type { ResultRow, Run, Session } from './session.ts'

/**
 * Statements on one client of the application, which may be in a transaction. They run one after the other, between the
 * statements of the application.
 */
export class ClientSession implements Session {
  readonly #client: ClientBase
  readonly #prepare: boolean
  #last: Promise<unknown> = Promise.resolve()

  readonly lockTimeout: string | null

  constructor(client: PgClient, options: { readonly prepare: boolean; readonly lockTimeout: string | null }) {
    this.#client = client as unknown as ClientBase
    this.#prepare = options.prepare
    this.lockTimeout = options.lockTimeout
  }

  readonly run: Run = (statement, values, method, timeout) => {
    // The wait for earlier statements is part of the time.
    const left = timeLeft(method, timeout)
    const send = (): Promise<ResultRow[]> => query(this.#client, statement, values, this.#prepare, method, left())
    return this.#afterOthers(send, method)
  }

  exclusive<Result>(work: (run: Run) => Promise<Result>, method: string): Promise<Result> {
    return this.#afterOthers(
      () => work((statement, values, name, timeout) => query(this.#client, statement, values, false, name, timeout)),
      method,
    )
  }

  async close(): Promise<void> {
    await this.#last
  }

  #afterOthers<Result>(work: () => Promise<Result>, method: string): Promise<Result> {
    const result = this.#last.then(work).catch((error: unknown) => {
      throw postgresError(error, method)
    })
    this.#last = result.catch(() => {})
    return result
  }
}
