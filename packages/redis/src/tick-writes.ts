import { Pace } from './pace.ts'

/** Items in one script at most: the server does nothing else meanwhile. */
export const mostGathered: number = 256
/** Larger values gain nothing from being gathered, and would be copied twice in the server. */
export const largestGathered: number = 4096

/** One item that is to be stored. */
export interface Write {
  readonly key: string
  readonly bytes: Buffer
  readonly expiresAt: number | undefined
}

/** The same with its caller. */
export interface WaitingWrite extends Write {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Gathers what is to be stored in one tick, in order, for one script that gives each item its own lifetime. */
export class TickWrites {
  readonly #send: (writes: WaitingWrite[], atOnce: boolean) => void
  readonly #pace: Pace = new Pace()
  #waiting: WaitingWrite[] = []

  constructor(send: (writes: WaitingWrite[], atOnce: boolean) => void) {
    this.#send = send
  }

  add({ key, bytes, expiresAt }: Write): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.push({ key, bytes, expiresAt, resolve, reject })
      if (waiting >= mostGathered || this.#pace.isEnough(waiting)) this.#flush(true)
    })
  }

  flush(): void {
    if (this.#waiting.length > 0) this.#flush(false)
  }

  /** To be called with the number of items once their command has settled. */
  answered(items: number): void {
    this.#pace.answered(items)
  }

  #flush(atOnce: boolean): void {
    const writes = this.#waiting
    this.#waiting = []
    this.#pace.sent(writes.length)
    this.#send(writes, atOnce)
  }
}
