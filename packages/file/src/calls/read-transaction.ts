import type { ItemIndex } from '../index/item-index.ts'
import type { Stretch } from './event-loop-budget.ts'

/**
 * The reads that run at once, in the call. The second read of a tick begins a transaction for those that follow, which ends
 * with the tick; the first one does where the last tick had more than one.
 */
export class TickReads {
  readonly #open: () => ItemIndex | undefined
  readonly #stretch: Stretch
  #count = 0
  #index: ItemIndex | undefined
  #inTransaction = false
  #lastHadMany = false

  /** `open` is asked for the index by the first read of each tick. */
  constructor(open: () => ItemIndex | undefined, stretch: Stretch) {
    this.#open = open
    this.#stretch = stretch
  }

  /** The index for one more read of this tick; `undefined` where it has to wait, because the event loop was held for long already. */
  next(): ItemIndex | undefined {
    this.#count += 1
    if ((this.#count & 7) === 0 && this.#stretch.isLong) return undefined
    if (this.#count === 1) this.#first()
    if (this.#count === 2) this.#begin()
    return this.#index
  }

  /** Ends the tick's transaction: a write is about to begin its own, or the tick is over. */
  readonly end = (): void => {
    if (this.#count === 0) return
    if (this.#inTransaction && this.#index !== undefined) endQuietly(this.#index, 'commit')
    this.#lastHadMany = this.#count > 1
    this.#inTransaction = false
    this.#count = 0
    this.#index = undefined
  }

  #first(): void {
    process.nextTick(this.end)
    if (this.#stretch.isLong) return
    try {
      this.#index = this.#open()
    } catch {
      // Whoever reads in its turn is told why.
      return
    }
    if (this.#lastHadMany) this.#begin()
  }

  #begin(): void {
    if (this.#inTransaction || this.#index === undefined) return
    this.#inTransaction = beginQuietly(this.#index)
    if (!this.#inTransaction) this.#index = undefined
  }
}

function beginQuietly(index: ItemIndex): boolean {
  try {
    index.run('begin')
    return true
  } catch {
    return false
  }
}

/** Ends a transaction that may have ended by itself, as SQLite does after some failures. */
export function endQuietly(index: ItemIndex, how: 'commit' | 'rollback'): void {
  try {
    index.run(how)
  } catch {
    // There is none any more.
  }
}
