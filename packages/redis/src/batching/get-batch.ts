import type { Item } from '@cache/core/backend'

/** Keys in one command at most: beyond that nothing is gained, and the server would be busy too long. */
const mostKeys = 512
/** Bytes that one reply should not exceed, judged by the replies so far. */
const mostBytes = 1024 * 1024
/**
 * So many keys of one tick leave before it is over, then twice as many, and so on: the server works on these while this
 * process gathers the next (docs/decisions/0024).
 */
const earlyFlushSize = 50
/** Keys whose last request is remembered. */
const mostRemembered = 4096

type Resolve = (item: Item | undefined) => void
type Reject = (error: unknown) => void

/** One caller that waits for a key. */
export interface PendingGet {
  readonly resolve: Resolve
  readonly reject: Reject
  /** The next caller that waits for the same key: each gets an item of its own to do with as it likes. */
  next: PendingGet | undefined
}

/** Reads that leave together: a caller, or several, for each key. */
export interface GroupedGets {
  readonly keys: readonly string[]
  readonly waiting: readonly PendingGet[]
}

/**
 * Gathers the reads of one tick: each key is asked for once, and many keys in one command. The cost of a command in the
 * client exceeds that of a key many times over.
 */
export class GetBatch {
  readonly #send: (reads: GroupedGets, immediate: boolean) => void
  #keys: string[] = []
  #waiting: PendingGet[] = []
  /**
   * When each key was last asked for, counting all requests. One map for all ticks, because making one costs more than
   * looking into it.
   */
  #asked = new Map<string, number>()
  /** The count of the first request that still waits. */
  #first = 0
  #early = earlyFlushSize
  #averageBytes = 256

  constructor(send: (reads: GroupedGets, immediate: boolean) => void) {
    this.#send = send
  }

  add(key: string): Promise<Item | undefined> {
    const promise = new Promise<Item | undefined>(capture)
    const read: PendingGet = { resolve: captured.resolve, reject: captured.reject, next: undefined }
    const asked = this.#asked.get(key)
    const first = asked === undefined || asked < this.#first ? undefined : this.#waiting[asked - this.#first]
    if (first === undefined) this.#append(key, read)
    else {
      read.next = first.next
      first.next = read
    }
    return promise
  }

  /** How many keys wait. */
  get count(): number {
    return this.#keys.length
  }

  /** Sends what waits. */
  flush(): void {
    this.#early = earlyFlushSize
    if (this.#keys.length > 0) this.#sendAll(false)
  }

  /** How many keys one command may ask for. */
  get mostKeys(): number {
    return Math.max(1, Math.min(mostKeys, Math.floor(mostBytes / this.#averageBytes)))
  }

  /** Learns from a reply how large values are. */
  observeSizes(bytes: number, values: number): void {
    if (values > 0) this.#averageBytes += (bytes / values - this.#averageBytes) / 8
  }

  #append(key: string, read: PendingGet): void {
    this.#asked.set(key, this.#first + this.#keys.length)
    this.#waiting.push(read)
    if (this.#keys.push(key) < this.#early) return
    this.#early *= 2
    this.#sendAll(true)
  }

  #sendAll(immediate: boolean): void {
    const keys = this.#keys
    const waiting = this.#waiting
    this.#keys = []
    this.#waiting = []
    this.#first += keys.length
    if (this.#asked.size > mostRemembered) this.#asked = new Map()
    const most = this.mostKeys
    if (keys.length <= most) {
      this.#send({ keys, waiting }, immediate)
      return
    }
    for (let start = 0; start < keys.length; start += most) {
      const end = start + most
      this.#send({ keys: keys.slice(start, end), waiting: waiting.slice(start, end) }, immediate)
    }
  }
}

const captured: { resolve: Resolve; reject: Reject } = { resolve: () => {}, reject: () => {} }

/** One function for all promises, which run it at once: a closure for each is what most of a get would cost. */
function capture(resolve: Resolve, reject: Reject): void {
  captured.resolve = resolve
  captured.reject = reject
}
