import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { Order, Report } from './cache-process.ts'

/** A step that a child was told to take. */
export interface Step {
  /** Resolves when it has come to its middle (a load that began, a lock that is held), with the lock's token. */
  readonly inside: Promise<number | undefined>
  /** Resolves to what it gave. */
  readonly done: Promise<unknown>
  /** Lets it go on from its middle, with the value that a load is to give. */
  go(value?: unknown): void
}

interface Open {
  readonly inside: (token: number | undefined) => void
  readonly done: (value: unknown) => void
  readonly failed: (error: Error) => void
}

/** A process with a cache of its own (`cache-process.ts`), and the parent's hold on it. */
export class Child {
  readonly #process: ChildProcess
  readonly #steps = new Map<number, Open>()
  #count = 0
  #alive = true
  /** Hears of the writes of a `write` order. */
  onWrite: (says: 'begin' | 'acknowledged', sequence: number) => void = () => {}
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>

  constructor() {
    this.#process = fork(join(import.meta.dirname, 'cache-process.ts'), {
      execArgv: [],
      stdio: 'inherit',
      // `undefined` stays what it is.
      serialization: 'advanced',
    })
    this.#process.on('message', (report: Report) => this.#hear(report))
    this.ended = new Promise((resolve) => {
      this.#process.on('exit', () => {
        this.#alive = false
        for (const step of this.#steps.values()) step.failed(new Error('the process has ended'))
        resolve()
      })
    })
  }

  get alive(): boolean {
    return this.#alive
  }

  begin(order: Order): Step {
    this.#count += 1
    const id = this.#count
    let inside = (_token: number | undefined): void => {}
    const reached = new Promise<number | undefined>((resolve) => {
      inside = resolve
    })
    const done = new Promise<unknown>((resolve, reject) => {
      this.#steps.set(id, { inside, done: resolve, failed: reject })
    })
    // A child may be killed on purpose, with steps that nobody waits for.
    done.catch(() => {})
    this.#process.send({ id, order })
    return { inside: reached, done, go: (value) => void this.#process.send({ id, go: value }) }
  }

  async run(order: Order): Promise<unknown> {
    return await this.begin(order).done
  }

  /** The results of so many calls of a method at once. */
  async call(method: string, args: readonly unknown[] = [], times = 1): Promise<unknown[]> {
    return (await this.run({ do: 'call', method, args, times })) as unknown[]
  }

  /** Ends the process as the machine would (SIGKILL): nothing of it runs any more. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.ended
  }

  #hear(report: Report): void {
    if ('sequence' in report) {
      this.onWrite(report.says, report.sequence)
      return
    }
    const step = this.#steps.get(report.id)
    if (report.says === 'inside') step?.inside(report.token)
    else if (report.says === 'failed') step?.failed(new Error(report.error))
    else step?.done(report.value)
  }
}
