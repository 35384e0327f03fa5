import type { Item } from '@cache/core/backend'

/** Keys in one command at most: beyond that nothing is gained, and the server would be busy too long. */
const mostKeys = 512
/** Bytes that one reply should not exceed, judged by the replies so far. */
const mostBytes = 1024 * 1024

/** One caller that waits for a key. */
export interface WaitingRead {
  readonly key: string
  readonly resolve: (item: Item | undefined) => void
  readonly reject: (error: unknown) => void
  /** The next caller that waits for the same key: each gets an item of its own to do with as it likes. */
  next: WaitingRead | undefined
}

/**
 * Gathers the reads of one tick: each key is asked for once, and many keys in one command. The cost of a command in the
 * client exceeds that of a key many times over.
 */
export class TickReads {
  readonly #send: (reads: WaitingRead[]) => void
  #reads: WaitingRead[] = []
  #byKey = new Map<string, WaitingRead>()
  #averageBytes = 256

  constructor(send: (reads: WaitingRead[]) => void) {
    this.#send = send
  }

  add(key: string): Promise<Item | undefined> {
    return new Promise((resolve, reject) => {
      const read: WaitingRead = { key, resolve, reject, next: undefined }
      const first = this.#byKey.get(key)
      if (first !== undefined) {
        read.next = first.next
        first.next = read
        return
      }
      this.#byKey.set(key, read)
      this.#reads.push(read)
    })
  }

  /** Sends what waits. */
  flush(): void {
    const reads = this.#reads
    if (reads.length === 0) return
    this.#reads = []
    this.#byKey = new Map()
    const most = this.mostKeys
    for (let start = 0; start < reads.length; start += most) {
      this.#send(reads.length <= most ? reads : reads.slice(start, start + most))
    }
  }

  /** How many keys one command may ask for. */
  get mostKeys(): number {
    return Math.max(1, Math.min(mostKeys, Math.floor(mostBytes / this.#averageBytes)))
  }

  /** Learns from a reply how large values are. */
  learn(bytes: number, values: number): void {
    if (values > 0) this.#averageBytes += (bytes / values - this.#averageBytes) / 8
  }
}
