/** Items in one script at most: the server does nothing else meanwhile. */
const mostItems = 256
/** Larger values gain nothing from being gathered, and would be copied twice in the server. */
export const largestGathered: number = 4096

/** One item that waits to be stored. */
export interface WaitingWrite {
  readonly key: string
  readonly bytes: Buffer
  /** Milliseconds; `undefined` for ever. */
  readonly life: number | undefined
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Gathers what is to be stored in one tick, in order, for one script that gives each item its own lifetime. */
export class TickWrites {
  readonly #send: (writes: WaitingWrite[]) => void
  #waiting: WaitingWrite[] = []

  constructor(send: (writes: WaitingWrite[]) => void) {
    this.#send = send
  }

  get size(): number {
    return this.#waiting.length
  }

  add(key: string, bytes: Buffer, life: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, bytes, life, resolve, reject })
      if (this.#waiting.length >= mostItems) this.flush()
    })
  }

  flush(): void {
    if (this.#waiting.length === 0) return
    const writes = this.#waiting
    this.#waiting = []
    this.#send(writes)
  }
}
