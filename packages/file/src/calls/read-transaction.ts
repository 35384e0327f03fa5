import type { ItemIndex } from '../index/item-index.ts'
import type { EventLoopBudget } from './event-loop-budget.ts'

/**
 * The read transaction that the immediate reads of one tick share. The second read of a tick begins it, because one
 * read alone is cheaper without it. The first read begins it when the last tick had several reads. It ends with the
 * tick.
 */
export class ReadTransaction {
  readonly #currentIndex: () => ItemIndex | undefined
  readonly #budget: EventLoopBudget
  #reads = 0
  #index: ItemIndex | undefined
  #isOpen = false
  #lastTickHadMany = false

  /** The first read of each tick calls `currentIndex`. */
  constructor(currentIndex: () => ItemIndex | undefined, budget: EventLoopBudget) {
    this.#currentIndex = currentIndex
    this.#budget = budget
  }

  /**
   * The index for one more read of this tick. `undefined` when the read must wait, such as after a long time without a
   * pause.
   */
  next(): ItemIndex | undefined {
    this.#reads += 1
    if ((this.#reads & 7) === 0 && this.#budget.isSpent) return undefined
    if (this.#reads === 1) this.#startTick()
    if (this.#reads === 2) this.#begin()
    return this.#index
  }

  /** Ends the transaction of this tick. A write calls it before it begins its own transaction. */
  readonly end = (): void => {
    if (this.#reads === 0) return
    if (this.#isOpen && this.#index !== undefined) tryToEnd(this.#index, 'commit')
    this.#lastTickHadMany = this.#reads > 1
    this.#isOpen = false
    this.#reads = 0
    this.#index = undefined
  }

  #startTick(): void {
    process.nextTick(this.end)
    if (this.#budget.isSpent) return
    try {
      this.#index = this.#currentIndex()
    } catch {
      // The read goes to the queue, which meets the same failure and reports it.
      return
    }
    if (this.#lastTickHadMany) this.#begin()
  }

  #begin(): void {
    if (this.#isOpen || this.#index === undefined) return
    this.#isOpen = tryToBegin(this.#index)
    if (!this.#isOpen) this.#index = undefined
  }
}

function tryToBegin(index: ItemIndex): boolean {
  try {
    index.run('begin')
    return true
  } catch {
    return false
  }
}

/** Ends a transaction. SQLite may have ended it already, as it does after some failures. */
export function tryToEnd(index: ItemIndex, how: 'commit' | 'rollback'): void {
  try {
    index.run(how)
  } catch {
    // No transaction is open.
  }
}
