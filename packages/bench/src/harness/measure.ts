import { median } from './statistics.ts'
import type { Measurement } from './suite.ts'

export interface LoopOptions {
  /**
   * Calls in a round. The row's `work` is the sum over one round. Take a thousand or more: the clock is read after
   * each.
   */
  readonly operations: number
  /**
   * How long a batch of rounds takes at least. The processor clock of some systems moves in steps of 4 ms. Default 200.
   */
  readonly milliseconds?: number
  /**
   * Batches that are measured; the figure is the median of them. One more runs before them, while the code is still
   * being compiled. Default 5.
   */
  readonly batches?: number
}

/**
 * Nanoseconds of this thread's processor time: other processes on the machine do not count, nor do threads that collect
 * garbage.
 */
function threadTime(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) * 1000
}

/** Holds the figures of batches, and that every round did the same work. */
class Rounds {
  readonly #operations: number
  readonly #length: number
  readonly #batches: number
  readonly #figures: number[] = []
  #work: number | undefined
  #rounds = 0
  #started = threadTime()

  constructor({ operations, milliseconds = 200, batches = 5 }: LoopOptions) {
    this.#operations = operations
    this.#length = milliseconds * 1e6
    this.#batches = batches
  }

  /** Takes the work of a round. Returns whether another is wanted. */
  another(work: number): boolean {
    this.#work ??= work
    if (work !== this.#work) throw new Error(`the rounds did different work: ${this.#work}, then ${work}`)
    this.#rounds += 1
    const now = threadTime()
    const time = now - this.#started
    if (time < this.#length) return true
    this.#figures.push(time / this.#rounds / this.#operations)
    this.#rounds = 0
    this.#started = now
    return this.#figures.length <= this.#batches
  }

  measurement(): Measurement {
    return { value: median(this.#figures.slice(1)), work: this.#work as number }
  }
}

/**
 * Nanoseconds per call of a synchronous operation. `operation` gets the number of the call within its round and returns
 * a whole number; their sum over a round has to be the same in every round and is the measurement's `work`.
 */
export function measureSync(operation: (index: number) => number, options: LoopOptions): Measurement {
  const { operations } = options
  const rounds = new Rounds(options)
  let work: number
  do {
    work = 0
    for (let index = 0; index < operations; index += 1) work += operation(index)
  } while (rounds.another(work))
  return rounds.measurement()
}

/**
 * The same for an operation that returns a promise, which is awaited before the next call. `count` makes the whole
 * number from the result; it is not part of the operation, so that no candidate pays for a promise of the harness.
 */
export async function measureAsync<Value>(
  operation: (index: number) => PromiseLike<Value> | Value,
  count: (value: Value) => number,
  options: LoopOptions,
): Promise<Measurement> {
  const { operations } = options
  const rounds = new Rounds(options)
  let work: number
  do {
    work = 0
    for (let index = 0; index < operations; index += 1) work += count(await operation(index))
  } while (rounds.another(work))
  return rounds.measurement()
}
