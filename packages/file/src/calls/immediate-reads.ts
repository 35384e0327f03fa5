import type { ItemIndex } from '../index/item-index.ts'
import type { EventLoopBudget } from './event-loop-budget.ts'

/** The part of an open directory that immediate reads need. */
export interface ReadHost {
  /** The open index, or `undefined` when it must be opened. */
  currentIndex(verify: boolean): ItemIndex | undefined
  /** Makes the reads until `unpinReads` cheaper; see `ReadPin`. */
  pinReads(): void
  unpinReads(): void
}

/**
 * Gives reads the index at once, as long as this thread has not worked for too long without a pause.
 *
 * Each read has a transaction of its own, so it sees every write that was resolved before it (CONTRACT 5.10 and 11.1).
 * Reads of one tick must not share one: the code between them may wait synchronously, for example with `execFileSync`,
 * while another process writes.
 */
export class ImmediateReads {
  readonly #host: ReadHost
  readonly #budget: EventLoopBudget
  #reads = 0
  #lastTickHadMany = false

  constructor(host: ReadHost, budget: EventLoopBudget) {
    this.#host = host
    this.#budget = budget
  }

  /** The index for one more read, or `undefined` when the read must wait in the queue. */
  next(): ItemIndex | undefined {
    this.#reads += 1
    if ((this.#reads & 7) === 0 && this.#budget.isSpent) return undefined
    if (this.#reads === 1) process.nextTick(this.endTick)
    // For one read alone, the pin would cost more than it saves.
    if (this.#reads === 2 || (this.#reads === 1 && this.#lastTickHadMany)) this.#host.pinReads()
    try {
      return this.#host.currentIndex(this.#budget.start())
    } catch {
      // The read goes to the queue, which meets the same failure and reports it.
      return undefined
    }
  }

  /** Ends the pin. A write calls it too, because reads after its commit need another one. */
  readonly endTick = (): void => {
    if (this.#reads === 0) return
    this.#host.unpinReads()
    this.#lastTickHadMany = this.#reads > 1
    this.#reads = 0
  }
}
