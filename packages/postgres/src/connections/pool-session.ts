import type { Pool, PoolClient } from 'pg'
import { postgresError, timeoutError } from '../errors.ts'
import { deadline } from '../timeouts/start-timeout.ts'
import { isServerError, isStatementLost, query, sendQuery } from './query.ts'
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
    // Many backends may share a pool; that is no leak.
    options.pool.setMaxListeners(options.pool.getMaxListeners() + 1)
  }

  readonly run: Run = (statement, values, operation, timeout) =>
    new Promise<Row[]>((resolve, reject) => {
      let client: PoolClient | undefined
      let isOver = false
      const end = deadline(timeout, () => {
        isOver = true
        // The answer may still come and must not be taken for that of another statement.
        if (client !== undefined) this.#giveBack(client, timeoutError(operation, timeout))
        reject(timeoutError(operation, timeout))
      })
      const settle = (error: unknown, rows: Row[]): void => {
        end()
        if (isOver) return
        isOver = true
        if (client !== undefined) this.#giveBack(client, error)
        if (error === undefined) resolve(rows)
        else reject(postgresError(error, operation))
      }
      this.#options.pool.connect((error, found) => {
        if (isOver) return found?.release()
        if (error !== undefined || found === undefined) return settle(error ?? new Error('no client'), [])
        client = found
        // The pool listens to idle clients only; without a listener a lost connection would end the process.
        client.on('error', ignore)
        this.#send(client, statement, values, settle)
        return undefined
      })
    })

  #send(
    client: PoolClient,
    statement: Statement,
    values: readonly Parameter[],
    settle: (error: unknown, rows: Row[]) => void,
  ): void {
    const prepare = this.#prepare
    sendQuery(client, statement, values, prepare, (error, result) => {
      if (error === null || error === undefined) settle(undefined, result.rows)
      else if (prepare && isStatementLost(error)) {
        // Names are not kept on this way to the server. Without them it works, only slower.
        this.#prepare = false
        this.#send(client, statement, values, settle)
      } else settle(error, [])
    })
  }

  /** To the pool when it is sound, to be closed when it is not. */
  #giveBack(client: PoolClient, error: unknown): void {
    client.off('error', ignore)
    client.release(error === undefined || isServerError(error) ? undefined : (error as Error))
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
    pool.setMaxListeners(pool.getMaxListeners() - 1)
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

  async #using<Result>(client: PoolClient, operation: string, work: () => Promise<Result>): Promise<Result> {
    client.on('error', ignore)
    try {
      const result = await work()
      this.#giveBack(client, undefined)
      return result
    } catch (error) {
      this.#giveBack(client, error)
      throw postgresError(error, operation)
    }
  }
}

/** The statement that was running is told of the same error. */
function ignore(): void {}
