/** A limit for the functions that run at the same time. */
export class Slots {
  readonly limit: number
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(limit: number) {
    this.limit = limit
    this.#free = limit
  }

  /** Runs `work` when a slot is free. `check` is called first, and throws if the work is not wanted any more. */
  async run<T>(check: () => void, work: () => Promise<T> | T): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      check()
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}
