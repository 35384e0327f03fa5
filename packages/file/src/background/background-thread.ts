import { Worker } from 'node:worker_threads'
import { doIndexTask, type IndexTask, type IndexTaskResult } from './index-tasks.ts'

interface Waiting {
  readonly task: IndexTask
  resolve(result: IndexTaskResult): void
  reject(error: unknown): void
}

interface Answer {
  readonly id: number
  readonly result?: IndexTaskResult
  readonly failure?: { readonly message: string; readonly errcode?: number; readonly code?: string }
}

/** Runs index tasks in a thread of its own, which is started by the first task and ended by `close`. */
export class Background {
  #worker: Worker | undefined
  /** Threads do not work here (a bundler left the file out, or the runtime forbids them): tasks run on the event loop. */
  #inline = false
  #lastId = 0
  readonly #waiting = new Map<number, Waiting>()

  /** Whether a thread was started. */
  get started(): boolean {
    return this.#worker !== undefined
  }

  run(task: IndexTask): Promise<IndexTaskResult> {
    const worker = this.#inline ? undefined : this.#start()
    if (worker === undefined) return doIndexTask(task)
    return new Promise((resolve, reject) => {
      this.#lastId += 1
      this.#waiting.set(this.#lastId, { task, resolve, reject })
      // The process stays as long as somebody waits for an answer, and no longer.
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
    worker.on('message', (answer: Answer) => this.#answered(worker, answer))
    worker.on('error', () => this.#failed(worker))
    worker.on('exit', () => this.#failed(worker))
    this.#worker = worker
    return worker
  }

  #answered(worker: Worker, { id, result, failure }: Answer): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (this.#waiting.size === 0) worker.unref()
    if (failure !== undefined) {
      const { message, ...members } = failure
      waiting?.reject(Object.assign(new Error(message), members))
    } else if (result !== undefined) waiting?.resolve(result)
  }

  #failed(worker: Worker): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#inline = true
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { task, resolve, reject } of waiting) doIndexTask(task).then(resolve, reject)
  }
}

/** Nothing where the runtime forbids threads, as Node's permission model does unless it is told otherwise. */
function startWorker(): Worker | undefined {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  try {
    return new Worker(new URL(`./background-worker.${extension}`, import.meta.url), { name: 'cache-file' })
  } catch {
    return undefined
  }
}
