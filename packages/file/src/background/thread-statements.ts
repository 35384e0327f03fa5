import { Worker } from 'node:worker_threads'
import type { SqlValue } from '../index/sqlite.ts'
import { type StatementRunner, type TaskConnection, taskBusyTimeout, taskPragmas } from './task-connection.ts'
import { threadSource } from './thread-source.ts'

interface PendingStatement {
  resolve(rows: readonly unknown[]): void
  reject(error: unknown): void
}

interface Reply {
  readonly id: number
  readonly rows?: readonly unknown[]
  readonly failure?: { readonly message: string; readonly errcode?: number; readonly code?: string }
}

/** The error of statements that a thread did not answer because it could not start or has ended. */
export class ThreadLost extends Error {}

/** Runs the statements in a worker thread. */
export class ThreadStatements implements StatementRunner {
  readonly #worker: Worker
  #lastId = 0
  #isLost = false
  readonly #pending = new Map<number, PendingStatement>()

  /**
   * `engineFile` is `node:sqlite` or the main file of better-sqlite3. Throws when the runtime forbids threads, as Node's
   * permission model does by default.
   */
  constructor(engineFile: string) {
    this.#worker = new Worker(threadSource, {
      eval: true,
      name: 'cache-file',
      // The flags of the process, such as --input-type and --import, concern its own program.
      execArgv: [],
      workerData: { engineFile, busyTimeout: taskBusyTimeout, pragmas: taskPragmas },
    })
    this.#worker.on('message', (reply: Reply) => this.#onReply(reply))
    this.#worker.on('error', (cause) => this.#onEnd(cause))
    this.#worker.on('exit', () => this.#onEnd(undefined))
    this.#worker.unref()
  }

  get isLost(): boolean {
    return this.#isLost
  }

  connect(path: string): TaskConnection {
    return {
      exec: async (sql) => {
        await this.#send(path, sql, undefined)
      },
      all: (sql, ...values) => this.#send(path, sql, values),
    }
  }

  async disconnect(): Promise<void> {
    await this.#send('', '', undefined)
  }

  /** Ends the thread. */
  async end(): Promise<void> {
    this.#isLost = true
    await this.#worker.terminate()
  }

  #send(path: string, sql: string, values: readonly SqlValue[] | undefined): Promise<readonly unknown[]> {
    if (this.#isLost) return Promise.reject(new ThreadLost('the thread has ended'))
    return new Promise((resolve, reject) => {
      this.#lastId += 1
      this.#pending.set(this.#lastId, { resolve, reject })
      // The thread keeps the process alive only while a statement waits for its reply.
      this.#worker.ref()
      this.#worker.postMessage({ id: this.#lastId, path, sql, values })
    })
  }

  #onReply({ id, rows = [], failure }: Reply): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (this.#pending.size === 0) this.#worker.unref()
    if (failure === undefined) pending?.resolve(rows)
    else pending?.reject(Object.assign(new Error(failure.message), { errcode: failure.errcode, code: failure.code }))
  }

  #onEnd(cause: unknown): void {
    this.#isLost = true
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of pending) reject(new ThreadLost('the thread has ended', { cause }))
  }
}
