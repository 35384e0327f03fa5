import type { Item } from '../../protocol/item.ts'

/**
 * One look-up and, where it is needed, one load of a key, shared by all who ask while it runs (single flight, after Go's
 * groupcache).
 */
export class Flight {
  readonly key: string
  /** The tag records that the load declared; an invalidation of one of them fences the flight. */
  readonly tags: readonly string[]
  /** The record that changes with every tag of its namespace. */
  readonly namespaceRecord: string
  readonly startedAt: number
  /** After this instant it no longer holds its key: twice the timeout of the call that began it (RACES R22). */
  readonly heldUntil: number
  /**
   * Set by whatever makes the result old before it arrives: a delete, a clear, an explicit set, a tag invalidation. Those who
   * wait still get the value; it is not stored, and newcomers start a flight of their own (RACES R1, R2, R4, R5).
   */
  fenced = false
  /** Its loader may name tags that nobody knows yet. */
  namesTags = false
  /** The records of the tags that its loader has named. */
  named: readonly string[] = []
  /**
   * A tag was invalidated that its result may have, since it began: newcomers do not take it (RACES R2, R4). Whether it is stored, the
   * versions that were captured say.
   */
  doubtful = false
  /** Callers came while its load ran already. */
  joined = false
  /** Its result has come and is on its way into a store that others change, too: newcomers wait, and look for it there. */
  arrived = false
  /**
   * Another process changed what was captured before the load began, or the value is another's: who joined the load may have come after
   * that change, and looks again (RACES R2).
   */
  outdated = false
  /** Asks the store whether another process changed something since the load began; absent where the store cannot tell. */
  compareWithStore: (() => Promise<boolean>) | undefined
  /** Whether nothing had changed just before this process changed something itself; absent where no joined caller asks. */
  unchanged: Promise<boolean> | undefined
  /** Everybody has left, or it held its key for too long: no load is started for it any more. */
  aborted = false
  /** The look-up, shared while it is pending. */
  looked: Promise<unknown> | undefined
  /** What the look-up found that may be served while the load runs; newcomers look again for themselves where there is any. */
  stale: Item | undefined
  /** The load; resolves to its value. Absent until the look-up has said that one is needed. */
  load: Promise<unknown> | undefined
  /** The unconditional write of a result, on a backend without `compareAndSet`: whoever deletes waits for it first. */
  storing: Promise<unknown> | undefined
  /** Callers that wait; when the last one aborts, so does the load (RACES R24). */
  waiting = 0
  /** Loads that nobody waits for are not aborted by callers who leave (RACES R23). */
  background = false
  #controller: AbortController | undefined

  constructor(
    key: string,
    tags: readonly string[],
    namespaceRecord: string,
    { startedAt, timeout }: { readonly startedAt: number; readonly timeout: number },
  ) {
    this.key = key
    this.tags = tags
    this.namespaceRecord = namespaceRecord
    this.startedAt = startedAt
    this.heldUntil = startedAt + 2 * timeout
  }

  /** Made only when a loader asks for it. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }

  /**
   * Called when this process changes what the load depends on. The result is not compared with the store from then on, so an earlier
   * change by another process would stay undetected: callers who joined after that change would get the old value (RACES R2).
   */
  compareForJoined(): void {
    if (this.joined && this.waiting > 0) this.unchanged ??= this.compareWithStore?.()
  }

  abort(reason: unknown): void {
    this.aborted = true
    this.#controller ??= new AbortController()
    this.#controller.abort(reason)
  }
}

/** So many keys of flights that ended are remembered. */
const rememberedEnds = 256

/** The flights over one backend object, whichever caches started them. */
export class Flights {
  readonly #flights = new Map<string, Flight>()
  /** Flights that what is changed here makes old too. */
  readonly #origin: Flights | undefined
  /** Keys of the flights that ended last, each at its number modulo their count. */
  readonly #endedKeys: string[] = []
  /** How many flights have ended. */
  ended = 0

  constructor(origin?: Flights) {
    this.#origin = origin
  }

  get(key: string): Flight | undefined {
    return this.#flights.get(key)
  }

  add(flight: Flight): void {
    this.#flights.set(flight.key, flight)
  }

  /** Forgets a flight that ended, unless another has taken its place. */
  end(flight: Flight): void {
    if (this.#flights.get(flight.key) !== flight) return
    this.#flights.delete(flight.key)
    this.#endedKeys[this.ended % rememberedEnds] = flight.key
    this.ended += 1
  }

  /** Whether a flight of this key may have ended since so many had. */
  endedSince(ended: number, key: string): boolean {
    if (this.ended - ended > rememberedEnds) return true
    for (let at = ended; at < this.ended; at += 1) if (this.#endedKeys[at % rememberedEnds] === key) return true
    return false
  }

  /** The value of a key changes by other means: the result of its flight must not be stored nor joined. */
  invalidate(key: string): void {
    this.#origin?.invalidate(key)
    if (this.#flights.size === 0) return
    const flight = this.#flights.get(key)
    if (flight !== undefined) this.#drop(flight)
  }

  invalidatePrefix(prefix: string): void {
    this.#origin?.invalidatePrefix(prefix)
    for (const flight of this.#flights.values()) if (flight.key.startsWith(prefix)) this.#drop(flight)
  }

  invalidateTag(record: string, namespaceRecord: string): void {
    this.#origin?.invalidateTag(record, namespaceRecord)
    for (const flight of this.#flights.values()) {
      if (flight.tags.includes(record) || flight.named.includes(record)) this.#drop(flight)
      // What a look-up finds may have any tag.
      else if (flight.namespaceRecord === namespaceRecord && (flight.namesTags || flight.load === undefined)) {
        flight.compareForJoined()
        flight.doubtful = true
      }
    }
  }

  /** The writes of results that are under way and that a delete has to wait for. Call before fencing. */
  storing(matches: (flight: Flight) => boolean): Promise<void> | undefined {
    if (this.#flights.size === 0) return undefined
    const all: Promise<unknown>[] = []
    for (const flight of this.#flights.values()) {
      if (flight.storing !== undefined && matches(flight)) all.push(flight.storing)
    }
    return all.length === 0 ? undefined : Promise.allSettled(all).then(() => undefined)
  }

  drop(flight: Flight): void {
    this.#drop(flight)
  }

  #drop(flight: Flight): void {
    flight.compareForJoined()
    flight.fenced = true
    this.end(flight)
  }
}
