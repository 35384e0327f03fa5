import type { Item } from '@cache/core/backend'

/** The most keys in one command. More keys gain nothing and would occupy the server for too long. */
const mostKeys = 512
/** The size in bytes that one reply should stay under, estimated from the replies so far. */
const mostBytes = 1024 * 1024
/**
 * This many keys of one tick leave before the tick ends, then twice as many, and so on. The server works on them while
 * this process collects the next ones (docs/decisions/0024).
 */
const earlyFlushSize = 50
/** The number of keys in `#positions` after which the map is replaced. */
const mostRemembered = 4096

type Resolve = (item: Item | undefined) => void
type Reject = (error: unknown) => void

/** One caller that waits for a key. */
export interface PendingGet {
  readonly resolve: Resolve
  readonly reject: Reject
  /** The next caller that waits for the same key. Each caller gets its own item. */
  next: PendingGet | undefined
}

/** Gets that leave in one command: the keys, and for each key its first caller. */
export interface GroupedGets {
  readonly keys: readonly string[]
  readonly waiting: readonly PendingGet[]
}

/**
 * Collects the gets of one tick. Each key is requested once, and many keys share one command: in the client, a command
 * costs many times as much as a key.
 */
export class GetBatch {
  readonly #send: (gets: GroupedGets, immediate: boolean) => void
  #keys: string[] = []
  #waiting: PendingGet[] = []
  /**
   * The position of the last request for each key, counted over all requests. One map serves all ticks, because a new
   * map costs more than a look-up.
   */
  #positions = new Map<string, number>()
  /** The position of the first request that still waits. */
  #firstPosition = 0
  #nextEarlyFlush = earlyFlushSize
  #averageBytes = 256

  constructor(send: (gets: GroupedGets, immediate: boolean) => void) {
    this.#send = send
  }

  add(key: string): Promise<Item | undefined> {
    const promise = new Promise<Item | undefined>(capture)
    const get: PendingGet = { resolve: captured.resolve, reject: captured.reject, next: undefined }
    const position = this.#positions.get(key)
    const first =
      position === undefined || position < this.#firstPosition
        ? undefined
        : this.#waiting[position - this.#firstPosition]
    if (first === undefined) this.#append(key, get)
    else {
      get.next = first.next
      first.next = get
    }
    return promise
  }

  /** How many keys wait. */
  get size(): number {
    return this.#keys.length
  }

  /** Sends the waiting gets. */
  flush(): void {
    this.#nextEarlyFlush = earlyFlushSize
    if (this.#keys.length > 0) this.#sendAll(false)
  }

  /** The most keys that one command may request, by the size of the values so far. */
  get keysPerCommand(): number {
    return Math.max(1, Math.min(mostKeys, Math.floor(mostBytes / this.#averageBytes)))
  }

  /** Updates the average size of a value by the bytes of one reply. */
  observeSizes(bytes: number, values: number): void {
    if (values > 0) this.#averageBytes += (bytes / values - this.#averageBytes) / 8
  }

  #append(key: string, get: PendingGet): void {
    this.#positions.set(key, this.#firstPosition + this.#keys.length)
    this.#waiting.push(get)
    if (this.#keys.push(key) < this.#nextEarlyFlush) return
    this.#nextEarlyFlush *= 2
    this.#sendAll(true)
  }

  #sendAll(immediate: boolean): void {
    const keys = this.#keys
    const waiting = this.#waiting
    this.#keys = []
    this.#waiting = []
    this.#firstPosition += keys.length
    if (this.#positions.size > mostRemembered) this.#positions = new Map()
    const most = this.keysPerCommand
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

/** All promises share this function, which they run at once. A closure for each would be the largest cost of a get. */
function capture(resolve: Resolve, reject: Reject): void {
  captured.resolve = resolve
  captured.reject = reject
}
