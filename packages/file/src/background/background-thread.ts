import { Worker } from 'node:worker_threads'
import type { IndexTask, IndexTaskResult } from './index-task.ts'
import { runIndexTask } from './run-index-task.ts'

interface PendingTask {
  readonly task: IndexTask
  resolve(result: IndexTaskResult): void
  reject(error: unknown): void
}

interface Reply {
  readonly id: number
  readonly result?: IndexTaskResult
  readonly failure?: { readonly message: string; readonly errcode?: number; readonly code?: string }
}

/** Runs index tasks in a worker thread. The first task starts the thread, and `close` ends it. */
export class BackgroundThread {
  #worker: Worker | undefined
  /**
   * Whether tasks run on the event loop, because a bundler omitted the worker's file or the runtime forbids threads.
   */
  #inline = false
  #lastId = 0
  readonly #pending = new Map<number, PendingTask>()

  /** Whether a thread was started. */
  get started(): boolean {
    return this.#worker !== undefined
  }

  run(task: IndexTask): Promise<IndexTaskResult> {
    const worker = this.#inline ? undefined : this.#start()
    if (worker === undefined) return runIndexTask(task)
    return new Promise((resolve, reject) => {
      this.#lastId += 1
      this.#pending.set(this.#lastId, { task, resolve, reject })
      // The thread keeps the process alive only while a task waits for its reply.
      worker.ref()
      worker.postMessage({ id: this.#lastId, task })
    })
  }

  async close(): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    await this.run({ kind: 'close' }).catch(() => undefined)
    this.#worker = undefined
    await worker.terminate()
  }

  #start(): Worker | undefined {
    if (this.#worker !== undefined) return this.#worker
    const worker = startWorker()
    this.#inline = worker === undefined
    if (worker === undefined) return undefined
    worker.on('message', (reply: Reply) => this.#onReply(worker, reply))
    worker.on('error', () => this.#onFailure(worker))
    worker.on('exit', () => this.#onFailure(worker))
    this.#worker = worker
    return worker
  }

  #onReply(worker: Worker, { id, result, failure }: Reply): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (this.#pending.size === 0) worker.unref()
    if (failure !== undefined) {
      const { message, ...members } = failure
      pending?.reject(Object.assign(new Error(message), members))
    } else if (result !== undefined) pending?.resolve(result)
  }

  #onFailure(worker: Worker): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#inline = true
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { task, resolve, reject } of pending) runIndexTask(task).then(resolve, reject)
  }
}

/** The thread, or `undefined` when the runtime forbids threads, as Node's permission model does by default. */
function startWorker(): Worker | undefined {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  try {
    return new Worker(new URL(`./background-worker.${extension}`, import.meta.url), { name: 'cache-file' })
  } catch {
    return undefined
  }
}
