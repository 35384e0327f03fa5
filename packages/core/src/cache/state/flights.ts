import type { Flight } from './flight.ts'

/** Number of ended flights whose keys are remembered. */
const rememberedEnds = 256

/** The flights over one backend object, of all caches on it. */
export class Flights {
  readonly #flights = new Map<string, Flight>()
  /** The flights outside a transaction, which changes inside it invalidate too. */
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

  /** The key is changed by other means: no caller joins its flight, and the result is not stored. */
  invalidate(key: string): void {
    this.#origin?.invalidate(key)
    if (this.#flights.size === 0) return
    const flight = this.#flights.get(key)
    if (flight !== undefined) this.drop(flight)
  }

  invalidatePrefix(prefix: string): void {
    this.#origin?.invalidatePrefix(prefix)
    for (const flight of this.#flights.values()) if (flight.key.startsWith(prefix)) this.drop(flight)
  }

  invalidateTag(record: string, namespaceRecord: string): void {
    this.#origin?.invalidateTag(record, namespaceRecord)
    for (const flight of this.#flights.values()) {
      if (flight.tags.includes(record) || flight.named.includes(record)) this.drop(flight)
      // What a look-up finds may have any tag.
      else if (flight.namespaceRecord === namespaceRecord && (flight.namesTags || flight.result === undefined))
        flight.suspect()
    }
  }

  /** The running writes of results that a later change must wait for. Call before `invalidate`. */
  pendingWrites(matches: (flight: Flight) => boolean): Promise<void> | undefined {
    if (this.#flights.size === 0) return undefined
    const all: Promise<unknown>[] = []
    for (const flight of this.#flights.values()) {
      if (flight.write !== undefined && matches(flight)) all.push(flight.write)
    }
    return all.length === 0 ? undefined : Promise.allSettled(all).then(() => undefined)
  }

  /** Discards a flight and frees its key. */
  drop(flight: Flight): void {
    flight.invalidate()
    this.end(flight)
  }
}
