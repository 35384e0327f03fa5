/**
 * Keeps calls on one key in the order in which they were made while one of them writes a value file. Without it a large
 * value that was set first would be put in the index after a small one that was set second (RACES R5).
 */
export class KeyOrder {
  readonly #tracked = new Set<Promise<unknown>>()
  readonly #last = new Map<string, Promise<unknown>>()

  /** Whether a call on any key is under way: only then need others ask for their own. */
  get active(): boolean {
    return this.#last.size > 0
  }

  has(key: string): boolean {
    return this.#last.has(key)
  }

  /** Runs `work` when every earlier call on the key has settled. */
  run<Value>(key: string, work: () => Promise<Value>): Promise<Value> {
    const before = this.#last.get(key)
    const run = before === undefined ? work() : before.then(work, work)
    const settled = run.then(
      () => undefined,
      () => undefined,
    )
    const mine = settled.then(() => {
      if (this.#last.get(key) === mine) this.#last.delete(key)
    })
    this.#last.set(key, mine)
    return run
  }

  /** Makes `idle` wait for a call that is bound to no key. */
  track<Value>(running: Promise<Value>): Promise<Value> {
    this.#tracked.add(running)
    const forget = (): void => {
      this.#tracked.delete(running)
    }
    running.then(forget, forget)
    return running
  }

  /** Resolves when no call is under way. */
  async idle(): Promise<void> {
    while (this.#last.size + this.#tracked.size > 0) {
      await Promise.allSettled([...this.#last.values(), ...this.#tracked])
    }
  }
}
