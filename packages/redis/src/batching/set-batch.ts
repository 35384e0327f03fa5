import type { EncodedItem } from '../wire/encoded-item.ts'

/** Items in one script at most: the server does nothing else meanwhile. */
export const mostGathered: number = 256
/** Larger values gain nothing from being gathered, and would be copied twice in the server. */
export const largestGathered: number = 4096

/**
 * So many items of one tick leave before it is over: the server stores them while this process encodes the next
 * (docs/decisions/0021).
 */
export const sentEarly: number = 40

/** The same with its caller. */
export interface WaitingWrite extends EncodedItem {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Gathers what is to be stored in one tick, in order, for one script that gives each item its own lifetime. */
export class TickWrites {
  readonly #send: (writes: WaitingWrite[], atOnce: boolean) => void
  #waiting: WaitingWrite[] = []

  constructor(send: (writes: WaitingWrite[], atOnce: boolean) => void) {
    this.#send = send
  }

  add({ key, bytes, expiresAt }: EncodedItem): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, bytes, expiresAt, resolve, reject })
      if (this.#waiting.length >= sentEarly) this.#flush(true)
    })
  }

  /** How many items wait. */
  get count(): number {
    return this.#waiting.length
  }

  flush(): void {
    if (this.#waiting.length > 0) this.#flush(false)
  }

  #flush(atOnce: boolean): void {
    const writes = this.#waiting
    this.#waiting = []
    this.#send(writes, atOnce)
  }
}
