import type { Item } from '@cache/core/backend'
import { Pace } from './pace.ts'

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
  readonly #send: (reads: WaitingRead[], atOnce: boolean) => void
  readonly #early: () => void
  readonly #pace: Pace = new Pace()
  #reads: WaitingRead[] = []
  /** By key, what was asked for in this tick, sent or not. */
  #byKey = new Map<string, WaitingRead>()
  #averageBytes = 256

  /** `early` is called when enough reads wait; it has to call `flush`. */
  constructor(send: (reads: WaitingRead[], atOnce: boolean) => void, early: () => void) {
    this.#send = send
    this.#early = early
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
      if (this.#pace.isEnough(this.#reads.push(read))) this.#early()
    })
  }

  /** Something is about to be written: who reads from now on must not share what was asked for before. */
  forget(): void {
    if (this.#byKey.size > 0) this.#byKey = new Map()
  }

  /** Sends what waits. `atOnce`: the tick goes on. */
  flush(atOnce: boolean): void {
    if (!atOnce) this.forget()
    const reads = this.#reads
    if (reads.length === 0) return
    this.#reads = []
    this.#pace.sent(reads.length)
    const most = this.mostKeys
    for (let start = 0; start < reads.length; start += most) {
      this.#send(reads.length <= most ? reads : reads.slice(start, start + most), atOnce)
    }
  }

  /** To be called with the number of keys once their command has settled. */
  answered(keys: number): void {
    this.#pace.answered(keys)
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
