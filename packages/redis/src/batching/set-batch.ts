import type { EncodedItem } from '../wire/encoded-item.ts'

/** The most items in one script. The server does nothing else while a script runs. */
export const mostBatchedItems: number = 256
/** The largest value in a batch. Larger values gain nothing there, and the server would copy them twice. */
export const largestBatchedBytes: number = 4096

/**
 * This many items of one tick leave before the tick ends. The server stores them while this process encodes the next
 * ones (docs/decisions/0021).
 */
const earlyFlushSize = 40

/** An item that is to be stored, with its caller. */
export interface PendingSet extends EncodedItem {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Collects the sets of one tick, in order, for one script that gives each item its own lifetime. */
export class SetBatch {
  readonly #send: (sets: PendingSet[], immediate: boolean) => void
  #waiting: PendingSet[] = []

  constructor(send: (sets: PendingSet[], immediate: boolean) => void) {
    this.#send = send
  }

  add({ key, bytes, expiresAt }: EncodedItem): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, bytes, expiresAt, resolve, reject })
      if (this.#waiting.length >= earlyFlushSize) this.#flush(true)
    })
  }

  /** How many items wait. */
  get size(): number {
    return this.#waiting.length
  }

  /** Sends the waiting sets. */
  flush(): void {
    if (this.#waiting.length > 0) this.#flush(false)
  }

  #flush(immediate: boolean): void {
    const sets = this.#waiting
    this.#waiting = []
    this.#send(sets, immediate)
  }
}
