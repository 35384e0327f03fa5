import { setTimeout as wait } from 'node:timers/promises'
import { failureKind } from '../errors.ts'
import { type Database, type Engine, openDatabase } from '../index/sqlite.ts'
import { type StatementRunner, type TaskConnection, taskBusyTimeout, taskPragmas } from './task-connection.ts'

/** Runs the statements on the event loop, where the runtime forbids threads. */
export class InlineStatements implements StatementRunner {
  readonly #engine: Engine | undefined
  #database: Database | undefined
  #path = ''

  constructor(engine: Engine | undefined) {
    this.#engine = engine
  }

  connect(path: string): TaskConnection {
    const run = <Result>(work: (database: Database) => Result): Promise<Result> =>
      retryWhileBusy(async () => work(await this.#open(path)))
    return {
      exec: (sql) => run((database) => void database.exec(sql)),
      all: (sql, ...values) => run((database) => database.prepare(sql).all(...values)),
    }
  }

  async disconnect(): Promise<void> {
    const database = this.#database
    this.#database = undefined
    this.#path = ''
    database?.close()
  }

  async #open(path: string): Promise<Database> {
    if (this.#database !== undefined && this.#path === path) return this.#database
    await this.disconnect()
    const database = await openDatabase(path, this.#engine)
    // SQLite would wait inside a statement, and so block the event loop.
    database.exec('pragma busy_timeout = 0')
    database.exec(taskPragmas)
    this.#database = database
    this.#path = path
    return database
  }
}

/** Repeats `work` while other connections hold the locks that it needs. */
async function retryWhileBusy<Result>(work: () => Promise<Result>): Promise<Result> {
  const start = performance.now()
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (failureKind(error) !== 'busy' || performance.now() - start > taskBusyTimeout) throw error
    }
    await wait(5)
  }
}
