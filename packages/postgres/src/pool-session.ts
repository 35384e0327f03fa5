import type { Pool, PoolClient } from 'pg'
import { deadline } from './deadline.ts'
import { postgresError, timeoutError } from './errors.ts'
import { isServerError, isStatementLost, query } from './query.ts'
import type { Parameter, Row, Run, Session } from './session.ts'
import type { Statement } from './statement.ts'

export interface PoolSessionOptions {
  readonly pool: Pool
  readonly prepare: boolean
  /** In milliseconds. */
  readonly lockTimeout: number
  /** Hears of connections that were lost while nothing ran on them. */
  readonly onError: (error: Error) => void
}

type Release = (error?: Error) => void

/** Statements on the connections of the application's pool, each on whichever is free. */
export class PoolSession implements Session {
  readonly #options: PoolSessionOptions
  readonly lockTimeout: string
  #prepare: boolean

  constructor(options: PoolSessionOptions) {
    this.#options = options
    this.#prepare = options.prepare
    this.lockTimeout = `${options.lockTimeout}ms`
    // Without a listener the loss of an idle connection would end the process.
    options.pool.on('error', options.onError)
  }

  readonly run: Run = async (statement, values, operation, timeout) => {
    const since = performance.now()
    const client = await this.#acquire(operation, timeout)
    const left = Math.max(1, timeout - (performance.now() - since))
    return await this.#using(client, operation, () => this.#query(client, statement, values, operation, left))
  }

  async exclusive<Result>(work: (run: Run) => Promise<Result>, operation: string, timeout: number): Promise<Result> {
    const client = await this.#acquire(operation, timeout)
    return await this.#using(client, operation, () =>
      work((statement, values, name, left) => query(client, statement, values, false, name, left)),
    )
  }

  async close(): Promise<void> {
    const { pool, onError } = this.#options
    pool.off('error', onError)
  }

  async #query(
    client: PoolClient,
    statement: Statement,
    values: readonly Parameter[],
    operation: string,
    timeout: number,
  ): Promise<Row[]> {
    try {
      return await query(client, statement, values, this.#prepare, operation, timeout)
    } catch (error) {
      if (!this.#prepare || !isStatementLost(error)) throw error
      // Names are not kept on this way to the server. Without them it works, only slower.
      this.#prepare = false
      return await query(client, statement, values, false, operation, timeout)
    }
  }

  #acquire(operation: string, timeout: number): Promise<PoolClient> {
    return new Promise((resolve, reject) => {
      let late = false
      const end = deadline(timeout, () => {
        late = true
        reject(timeoutError(operation, timeout))
      })
      this.#options.pool.connect((error, client) => {
        end()
        if (error !== undefined || client === undefined) reject(postgresError(error, operation))
        else if (late) client.release()
        else resolve(client)
      })
    })
  }

  /** Gives the client back afterwards: to the pool when it is sound, to be closed when it is not. */
  async #using<Result>(client: PoolClient, operation: string, work: () => Promise<Result>): Promise<Result> {
    // The pool listens to idle clients only; without a listener a lost connection would end the process.
    client.on('error', ignore)
    const release: Release = (error) => {
      client.off('error', ignore)
      client.release(error)
    }
    try {
      const result = await work()
      release()
      return result
    } catch (error) {
      // After a timeout, too: the answer may still come and must not be taken for that of another statement.
      release(isServerError(error) ? undefined : (error as Error))
      throw postgresError(error, operation)
    }
  }
}

/** The statement that was running is told of the same error. */
function ignore(): void {}
