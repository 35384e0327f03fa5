import { AsyncLocalStorage, createHook } from 'node:async_hooks'

/** The timers that some work starts, directly or later. Timers of the test runner do not count. */
export class TimerWatch {
  readonly #context: AsyncLocalStorage<boolean> = new AsyncLocalStorage()
  readonly #timers: Map<number, NodeJS.Timeout | NodeJS.Immediate> = new Map()
  readonly #hook: { enable(): unknown; disable(): unknown } = createHook({
    init: (id, type, _trigger, resource) => {
      const isTimer = type === 'Timeout' || type === 'Immediate'
      if (isTimer && this.#context.getStore()) this.#timers.set(id, resource as NodeJS.Timeout)
    },
    destroy: (id) => {
      this.#timers.delete(id)
    },
  })

  /** Runs work whose timers are watched from now on. */
  run<Value>(work: () => Promise<Value>): Promise<Value> {
    this.#hook.enable()
    return this.#context.run(true, work)
  }

  /** The number of timers that have not ended and that keep the process alive. */
  get left(): number {
    return [...this.#timers.values()].filter((timer) => timer.hasRef()).length
  }

  stop(): void {
    this.#hook.disable()
  }
}
