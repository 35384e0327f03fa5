import type { EncodedItem } from '../wire/encoded-item.ts'

/** Items in one script at most: the server does nothing else meanwhile. */
export const mostGathered: number = 256
/** Larger values gain nothing from being gathered, and would be copied twice in the server. */
export const largestGathered: number = 4096

/**
 * So many items of one tick leave before it is over: the server stores them while this process encodes the next
 * (docs/decisions/0021).
 */
export const earlyFlushSize: number = 40

/** The same with its caller. */
export interface PendingSet extends EncodedItem {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Gathers what is to be stored in one tick, in order, for one script that gives each item its own lifetime. */
export class SetBatch {
  readonly #send: (writes: PendingSet[], immediate: boolean) => void
  #waiting: PendingSet[] = []

  constructor(send: (writes: PendingSet[], immediate: boolean) => void) {
    this.#send = send
  }

  add({ key, bytes, expiresAt }: EncodedItem): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, bytes, expiresAt, resolve, reject })
      if (this.#waiting.length >= earlyFlushSize) this.#flush(true)
    })
  }

  /** How many items wait. */
  get count(): number {
    return this.#waiting.length
  }

  flush(): void {
    if (this.#waiting.length > 0) this.#flush(false)
  }

  #flush(immediate: boolean): void {
    const writes = this.#waiting
    this.#waiting = []
    this.#send(writes, immediate)
  }
}
