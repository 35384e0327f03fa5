import { promiseOf } from './maybe-promise.ts'

/** The number of calls that have begun and not ended. `close` waits for them (RACES R33). */
export class CallsInFlight {
  #count = 0
  readonly #waiting: (() => void)[] = []
  readonly #end = (): void => this.end()

  begin(): void {
    this.#count += 1
  }

  end(): void {
    this.#count -= 1
    if (this.#count > 0 || this.#waiting.length === 0) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Counts a call from its start to its end. A synchronous throw becomes a rejection. */
  run<Result>(call: () => Promise<Result>): Promise<Result> {
    this.begin()
    const running = promiseOf(call)
    running.then(this.#end, this.#end)
    return running
  }

  /** Resolves when no call is in flight. */
  async idle(): Promise<void> {
    while (this.#count > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}
