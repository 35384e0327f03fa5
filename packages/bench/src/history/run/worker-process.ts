import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Period, WorkerOrder } from './worker-order.ts'

const file = fileURLToPath(new URL('./worker.ts', import.meta.url))

/** A process of a run, as its parent sees it. */
export class WorkerProcess {
  readonly order: WorkerOrder
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #wasKilled = false
  #failure: string | undefined

  private constructor(order: WorkerOrder) {
    this.order = order
    this.#child = fork(file, [JSON.stringify(order)], { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    let errors = ''
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      errors += chunk.toString()
    })
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        if (code !== 0 && !this.#wasKilled) this.#failure = `ended with ${signal ?? `code ${code}`}\n${errors}`
        resolve()
      })
    })
  }

  /** Resolves when the process is ready for `begin`, or has ended. */
  static async start(order: WorkerOrder): Promise<WorkerProcess> {
    const worker = new WorkerProcess(order)
    await Promise.race([once(worker.#child, 'message'), worker.#ended])
    return worker
  }

  /** Lets the clients begin. */
  begin(period: Period): void {
    this.#child.send(period, () => {})
  }

  /** SIGKILL. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#wasKilled = true
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** SIGSTOP: the process does not run, and its connections stay open. */
  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /** Resolves when the process has ended by itself; rejects if it failed or takes longer than `limit` milliseconds. */
  async finish(limit: number): Promise<void> {
    const timer = setTimeout(() => {
      // A call that never settles keeps its client from ending.
      this.#failure = `did not end within ${Math.round(limit)} ms`
      void this.kill()
    }, limit)
    await this.#ended
    clearTimeout(timer)
    if (this.#failure !== undefined) throw new Error(`the process ${this.order.process} ${this.#failure}`)
  }
}
