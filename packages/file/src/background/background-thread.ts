import { type Engine, engineFile } from '../index/sqlite.ts'
import type { IndexTask, IndexTaskResult } from './index-task.ts'
import { InlineStatements } from './inline-statements.ts'
import { runIndexTask } from './run-index-task.ts'
import { salvage } from './salvage.ts'
import type { StatementRunner } from './task-connection.ts'
import { ThreadLost, ThreadStatements } from './thread-statements.ts'

/**
 * Runs index tasks, whose long statements run in a worker thread. The first task starts the thread, and `close` ends
 * it. Where threads are impossible, the statements run on the event loop.
 */
export class BackgroundThread {
  readonly #engine: Engine | undefined
  #thread: ThreadStatements | undefined
  #inline: InlineStatements | undefined
  /** Ends after the last task: tasks share a connection, and with it one transaction. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(engine: Engine | undefined) {
    this.#engine = engine
  }

  run(task: IndexTask): Promise<IndexTaskResult> {
    const running = this.#last.then(() => this.#run(task))
    this.#last = running.catch(() => undefined)
    return running
  }

  /** Closes the connection and ends the thread, after all tasks. */
  async close(): Promise<void> {
    await this.#last
    // A close that fails keeps its log, with which the next connection continues.
    await this.#disconnect().catch(() => undefined)
    await this.#thread?.end()
    this.#thread = undefined
  }

  async #run(task: IndexTask): Promise<IndexTaskResult> {
    if (task.kind === 'salvage') {
      await this.#disconnect().catch(() => undefined)
      return salvage(task.path, task.to, task.policy, this.#engine)
    }
    const statements = await this.#statements()
    try {
      return await runIndexTask(task, statements.connect(task.path))
    } catch (error) {
      if (!(error instanceof ThreadLost)) throw error
      // The connection of the lost thread is gone, and its transaction with it. So the task begins again.
      this.#thread = undefined
      this.#inline ??= new InlineStatements(this.#engine)
      return runIndexTask(task, this.#inline.connect(task.path))
    }
  }

  async #statements(): Promise<StatementRunner> {
    const existing = this.#inline ?? this.#thread
    if (existing !== undefined) return existing
    const file = await engineFile(this.#engine)
    this.#thread = file === undefined ? undefined : startThread(file)
    if (this.#thread !== undefined) return this.#thread
    this.#inline = new InlineStatements(this.#engine)
    return this.#inline
  }

  async #disconnect(): Promise<void> {
    await this.#thread?.disconnect()
    await this.#inline?.disconnect()
  }
}

/** The thread, or `undefined` when the runtime forbids threads. */
function startThread(file: string): ThreadStatements | undefined {
  try {
    return new ThreadStatements(file)
  } catch {
    return undefined
  }
}
