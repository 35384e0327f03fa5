import type { Pool, PoolClient } from 'pg'
import { postgresError, timeoutError } from '../errors.ts'
import { startTimeout } from '../timeouts/start-timeout.ts'
import type { PgPool } from './pg-shapes.ts'
import { type Callback, isServerError, isStatementLost, query, sendQuery } from './query.ts'
import type { Parameter, ResultRow, Run, Session } from './session.ts'
import type { Statement } from './statement.ts'

export interface PoolSessionOptions {
  readonly pool: PgPool
  readonly prepare: boolean
  /** In milliseconds. */
  readonly lockTimeout: number
  /** Receives the error of a connection that was lost while no statement ran on it. */
  readonly onError: (error: Error) => void
}

/** Statements on the connections of the application's pool, each on whichever is free. */
export class PoolSession implements Session {
  readonly #pool: Pool
  readonly #onError: (error: Error) => void
  readonly lockTimeout: string
  #prepare: boolean

  constructor(options: PoolSessionOptions) {
    this.#pool = options.pool as unknown as Pool
    this.#onError = options.onError
    this.#prepare = options.prepare
    this.lockTimeout = `${options.lockTimeout}ms`
    // Without a listener the loss of an idle connection would end the process.
    this.#pool.on('error', this.#onError)
    // Many backends may share a pool, which is no leak of listeners.
    this.#pool.setMaxListeners(this.#pool.getMaxListeners() + 1)
  }

  readonly run: Run = (statement, values, method, timeout) =>
    new Promise<ResultRow[]>((resolve, reject) => {
      let client: PoolClient | undefined
      let isOver = false
      const stopTimeout = startTimeout(timeout, () => {
        isOver = true
        // The reply may still come, and must not be taken for the reply of another statement.
        if (client !== undefined) this.#giveBack(client, timeoutError(method, timeout))
        reject(timeoutError(method, timeout))
      })
      const finish = (error: unknown, rows: ResultRow[]): void => {
        stopTimeout()
        if (isOver) return
        isOver = true
        if (client !== undefined) this.#giveBack(client, error)
        if (error === undefined) resolve(rows)
        else reject(postgresError(error, method))
      }
      const start = (found: PoolClient): void => {
        // A pool that calls back again gives a client that nothing here would return.
        if (isOver || client !== undefined) {
          found.release()
          return
        }
        client = found
        // The pool listens to idle clients only; without a listener a lost connection would end the process.
        client.on('error', ignore)
        this.#send(client, statement, values, method, finish)
      }
      this.#connect(start, (error) => finish(error, []))
    })

  /** Takes a client of the pool. A failure, also one of `onClient`, goes to `onError`: thrown here it would end the process. */
  #connect(onClient: (client: PoolClient) => void, onError: (error: unknown) => void): void {
    try {
      this.#pool.connect((error, client) => {
        try {
          if (error !== undefined && error !== null) throw error
          if (client === undefined || client === null) throw new Error('The pool gave no client')
          onClient(client)
        } catch (reason) {
          onError(reason)
        }
      })
    } catch (error) {
      onError(error)
    }
  }

  #send(
    client: PoolClient,
    statement: Statement,
    values: readonly Parameter[],
    method: string,
    finish: Callback,
  ): void {
    const prepare = this.#prepare
    sendQuery(client, statement, values, prepare, method, (error, rows) => {
      if (prepare && error !== undefined && isStatementLost(error)) {
        // Prepared statements do not survive on this path to the server. Unnamed statements work, only slower.
        this.#prepare = false
        this.#send(client, statement, values, method, finish)
      } else finish(error, rows)
    })
  }

  /** Returns a usable client to the pool, and lets the pool close any other. */
  #giveBack(client: PoolClient, error: unknown): void {
    try {
      client.off('error', ignore)
      client.release(error === undefined || isServerError(error) ? undefined : (error as Error))
    } catch (reason) {
      // The call has its result already.
      this.#onError(reason as Error)
    }
  }

  async exclusive<Result>(work: (run: Run) => Promise<Result>, method: string, timeout: number): Promise<Result> {
    const client = await this.#checkOut(method, timeout)
    return await this.#using(client, method, () =>
      work((statement, values, name, left) => query(client, statement, values, false, name, left)),
    )
  }

  async close(): Promise<void> {
    this.#pool.off('error', this.#onError)
    this.#pool.setMaxListeners(this.#pool.getMaxListeners() - 1)
  }

  #checkOut(method: string, timeout: number): Promise<PoolClient> {
    return new Promise((resolve, reject) => {
      let isLate = false
      const stopTimeout = startTimeout(timeout, () => {
        isLate = true
        reject(timeoutError(method, timeout))
      })
      const receive = (client: PoolClient): void => {
        stopTimeout()
        if (isLate) client.release()
        else resolve(client)
      }
      this.#connect(receive, (error) => {
        stopTimeout()
        reject(postgresError(error, method))
      })
    })
  }

  async #using<Result>(client: PoolClient, method: string, work: () => Promise<Result>): Promise<Result> {
    client.on('error', ignore)
    try {
      const result = await work()
      this.#giveBack(client, undefined)
      return result
    } catch (error) {
      this.#giveBack(client, error)
      throw postgresError(error, method)
    }
  }
}

/** The running statement fails with the same error. */
function ignore(): void {}
