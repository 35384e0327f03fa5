import { CacheError } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import { freshUntil, isAlive } from '../items/item-life.ts'
import type { LookUp, Namespace } from '../items/namespace.ts'
import { namespaceTagRecord, tagRecord } from '../items/tag-records.ts'
import type { LoadSettings } from '../options/cache-options.ts'
import { checkGetOrSetOptions, type GetOrSetOptions } from '../options/get-or-set-options.ts'
import { lifetime } from '../options/lifetime.ts'
import { aborted } from '../options/signal.ts'
import { checkFunction } from '../options/write-options.ts'
import type { CacheState } from '../state/cache-state.ts'
import { Flight } from '../state/flights.ts'
import type { Loader } from './load-context.ts'
import { type Call, LoadRuns, type LookedUp } from './load-runs.ts'
import { SharedTimeout } from './shared-timeout.ts'
import { timedOut, type WaitOptions, waitFor } from './wait-for.ts'

const nothing: LookUp = { raw: undefined, usable: undefined }
const noTags: readonly string[] = []
const nothingMore = (): void => {}

/**
 * `getOrSet`: a look-up and, where it is needed, a load, both shared by all callers of a key. Stale values are served while a
 * load runs behind them, or when it fails.
 */
export class Loading {
  readonly #namespace: Namespace
  readonly #state: CacheState
  readonly #runs: LoadRuns
  readonly #timeouts: SharedTimeout
  readonly #namespaceRecord: string

  constructor(namespace: Namespace) {
    this.#namespace = namespace
    this.#state = namespace.state
    this.#runs = new LoadRuns(namespace)
    this.#namespaceRecord = namespaceTagRecord(namespace.path)
    this.#timeouts = new SharedTimeout(namespace.state.settings.clock, namespace.state.settings.load.timeout)
  }

  /** `since`: when the caller asked, where that was before. */
  getOrSet(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions = {},
    looked?: LookedUp,
    since?: number,
  ): Promise<unknown> {
    try {
      return this.#take(this.#checkedCall(key, loader, options, looked, since))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * `getOrSet` from a store that has to be waited for, where no load runs and nothing is asked for but a fresh value: a hit costs a
   * third of what it costs by a flight. Whatever else is found goes on as a flight that has been looked up already.
   */
  getOrSetLater(key: string, stored: string, loader: Loader<unknown>, options?: GetOrSetOptions): Promise<unknown> {
    const state = this.#state
    const { flights } = state.shared
    if (flights.get(stored) !== undefined) return this.getOrSet(key, loader, options)
    const { ended } = flights
    return new Promise((resolve, reject) => {
      state.begin()
      const deadline = this.#timeouts.begin(() => reject(this.#timedOut(key, state.settings.load.timeout)))
      this.#namespace.found(stored, 'getOrSet', state.settings.load.readFailure).then(
        (found) => {
          this.#timeouts.end(deadline)
          state.end()
          const { usable } = found
          if (usable === undefined || !this.#namespace.isFresh(usable)) {
            // Another's load has ended meanwhile, and may have stored what this look-up came too early for (RACES R18).
            const looked = flights.endedSince(ended, stored) ? undefined : { found: Promise.resolve(found) }
            return resolve(this.#goOn(key, loader, options, looked, deadline.began))
          }
          this.#namespace.countHit(key, false)
          resolve(usable.value)
        },
        (error) => {
          this.#timeouts.end(deadline)
          state.end()
          reject(error)
        },
      )
    })
  }

  /** Also where the caller does not wait any longer: whoever comes next will want the result (RACES R22). */
  #goOn(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions | undefined,
    looked: LookedUp | undefined,
    since: number,
  ): Promise<unknown> {
    const going = this.getOrSet(key, loader, options, looked, since)
    // Nobody hears a failure after that; it is told by an event.
    going.catch(() => {})
    return going
  }

  /** Starts a load behind a value that is still fresh, unless one runs; for hits that were answered without waiting. */
  renewBehind(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions,
    item: Item,
    reason: 'ahead' | 'early',
  ): void {
    const call = this.#checkedCall(key, loader, options)
    if (this.#state.shared.flights.get(call.stored) !== undefined || this.#paused(call)) return
    const flight = this.#newFlight(call)
    this.#startBehind(flight, call, { raw: item, usable: item }, reason)
  }

  /** Why a fresh item should be renewed already, if it should. */
  reasonToRenew(
    item: Item,
    settings: Pick<LoadSettings, 'refreshAhead' | 'earlyExpiry'>,
  ): 'ahead' | 'early' | undefined {
    const end = freshUntil(item)
    if (end === Infinity || item.createdAt === 0) return undefined
    const now = this.#state.now()
    if (settings.refreshAhead < 1 && now - item.createdAt >= settings.refreshAhead * (end - item.createdAt))
      return 'ahead'
    if (settings.earlyExpiry === 0) return undefined
    const ahead =
      this.#state.recorder.meanLoadTime * settings.earlyExpiry * -Math.log(1 - this.#state.settings.random())
    return now + ahead >= end ? 'early' : undefined
  }

  #checkedCall(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions,
    looked?: LookedUp,
    since: number = this.#state.now(),
  ): Call {
    this.#namespace.assertOpen('getOrSet')
    const stored = this.#namespace.stored(key, 'getOrSet')
    checkFunction(loader, 'loader', 'getOrSet')
    const settings = checkGetOrSetOptions(options, this.#state.settings.load, 'getOrSet')
    const life = lifetime(options, this.#state.settings.life, 'getOrSet')
    if (options.signal?.aborted === true) throw aborted(key, options.signal, 'getOrSet')
    return { key, stored, loader, options, settings, life, looked, since }
  }

  #take(call: Call): Promise<unknown> {
    const { flights } = this.#state.shared
    const running = flights.get(call.stored)
    if (running === undefined) return this.#lead(call)
    if (this.#state.now() > running.heldUntil) {
      // A load that never ends does not hold its key for ever (RACES R22).
      const message = 'getOrSet: the load took too long'
      this.#abandon(running, new CacheError('LOAD_TIMEOUT', message, { operation: 'getOrSet', key: call.key }))
    } else if (running.doubtful && running.load === undefined) flights.drop(running)
    else return this.#follow(running, call)
    return this.#lead(call)
  }

  #newFlight(call: Call): Flight {
    const { tags } = call.options
    const records = tags === undefined ? noTags : [...new Set(tags)].map((tag) => tagRecord(this.#namespace.path, tag))
    const flight = new Flight(call.stored, records, this.#namespaceRecord, {
      startedAt: this.#state.now(),
      timeout: call.settings.timeout,
    })
    this.#state.shared.flights.add(flight)
    this.#state.running.add(flight)
    return flight
  }

  #end(flight: Flight): void {
    this.#state.shared.flights.end(flight)
    this.#state.running.delete(flight)
  }

  #abandon(flight: Flight, reason: unknown): void {
    this.#state.shared.flights.drop(flight)
    flight.abort(reason)
  }

  #lead(call: Call): Promise<unknown> {
    const flight = this.#newFlight(call)
    const looked = this.#look(flight, call)
    flight.looked = looked
    return this.#patiently(flight, call, looked).then((found) => this.#serve(flight, call, found))
  }

  async #follow(flight: Flight, call: Call): Promise<unknown> {
    call.looked?.decided?.()
    if (flight.load === undefined) return await this.#followLookUp(flight, call)
    flight.joined = true
    // What was served behind may have been invalidated since: newcomers look for themselves, and share only the load. They
    // count as waiting meanwhile, or the load would end when the others leave (RACES R24).
    const found = flight.stale === undefined ? nothing : await this.#patiently(flight, call, this.#found(call))
    return await this.#serve(flight, call, found, true)
  }

  /** A load that follows begins after this call, and may be shared without a second thought; the answer to the look-up may be older. */
  async #followLookUp(flight: Flight, call: Call): Promise<unknown> {
    const looked = flight.looked as Promise<LookUp>
    const looking = this.#state.local ? looked : Promise.all([this.#found(call), looked]).then(([own]) => own)
    const found = await this.#patiently(flight, call, looking)
    // The look-up was content with what it found; a forced refresh is not, nor who finds nothing (any more).
    const content = found === timedOut || (found.usable !== undefined && call.options.forceRefresh !== true)
    if (flight.load === undefined && !content) return await this.#take({ ...call, looked: undefined })
    return await this.#serve(flight, call, found)
  }

  /** Looks the key up and starts a load where one is needed. Everything from the answer to the start happens at once. */
  async #look(flight: Flight, call: Call): Promise<LookUp> {
    let found = nothing
    try {
      found = await this.#found(call)
      // Not where all callers have left by their signals.
      if (!flight.aborted) this.#startWhereNeeded(flight, call, found)
      return found
    } finally {
      if (flight.load === undefined) {
        this.#end(flight)
        call.looked?.decided?.()
      }
    }
  }

  #found(call: Call): Promise<LookUp> {
    return call.looked?.found ?? this.#namespace.found(call.stored, 'getOrSet', call.settings.readFailure)
  }

  #startWhereNeeded(flight: Flight, call: Call, found: LookUp): void {
    const item = found.usable
    if (item === undefined || call.options.forceRefresh === true) this.#start(flight, call, found)
    else if (this.#paused(call)) return
    else if (!this.#namespace.isFresh(item)) this.#start(flight, call, found)
    else {
      const reason = this.reasonToRenew(item, call.settings)
      if (reason !== undefined) this.#startBehind(flight, call, found, reason)
    }
  }

  /** Whether a load of this key failed a moment ago. */
  #paused(call: Call): boolean {
    return this.#state.pauses.paused(call.stored, this.#state.now())
  }

  /** What one caller gets from what was found and the load that runs, counted as one hit or one miss. */
  #serve(flight: Flight, call: Call, found: LookUp | typeof timedOut, joined = false): Promise<unknown> | unknown {
    if (found === timedOut) {
      this.#namespace.countMiss(call.key)
      throw this.#timedOut(call.key, call.settings.timeout)
    }
    const item = found.usable
    const { load } = flight
    if (
      item !== undefined &&
      this.#namespace.isFresh(item) &&
      !(call.options.forceRefresh === true && load !== undefined)
    )
      return this.#hit(call, item)
    if (load === undefined)
      return item === undefined ? this.#missed(call, flight, undefined) : this.#stale(call, item, 'loadFailed')
    const lookAgain = joined && (flight.doubtful || flight.arrived)
    if (joined && (item === undefined || (lookAgain && call.options.forceRefresh === true)))
      return this.#joined(flight, call, load, lookAgain)
    if (item === undefined) return this.#missed(call, flight, load)
    return this.#serveStaleOrWait(flight, call, item, load, joined)
  }

  /**
   * Waits for the end of a load that ran already when the caller came, and takes its value. Looks again instead for what is stored by
   * then where another process had made the value old (RACES R2), or when the caller came after a tag was invalidated that may turn
   * out to be one of the result's (R4): a load of their own, at once, would be one more for every invalidation.
   */
  async #joined(flight: Flight, call: Call, load: Promise<unknown>, lookAgain: boolean): Promise<unknown> {
    const ended = lookAgain ? load.then(nothingMore, nothingMore) : load
    let value: unknown
    try {
      value = await this.#patiently(flight, call, ended)
      if (value === timedOut) throw this.#timedOut(call.key, call.settings.timeout)
    } catch (error) {
      this.#namespace.countMiss(call.key)
      throw error
    }
    if (lookAgain || (await this.#isOutdated(flight))) return await this.#take({ ...call, looked: undefined })
    this.#namespace.countMiss(call.key)
    return value
  }

  /** Whether another process changed what the load depends on before a caller joined it (RACES R2). */
  async #isOutdated(flight: Flight): Promise<boolean> {
    // After `close` no load starts: the callers get the value.
    if (flight.outdated || this.#state.closed) return flight.outdated
    return flight.unchanged !== undefined && !(await flight.unchanged)
  }

  async #missed(call: Call, flight: Flight, load: Promise<unknown> | undefined): Promise<unknown> {
    this.#namespace.countMiss(call.key)
    const value = load === undefined ? undefined : await this.#patiently(flight, call, load)
    if (value === timedOut) throw this.#timedOut(call.key, call.settings.timeout)
    return value
  }

  /** A stale value is at hand: the load has `softTimeout` to be faster, and may fail. */
  async #serveStaleOrWait(
    flight: Flight,
    call: Call,
    item: Item,
    load: Promise<unknown>,
    joined: boolean,
  ): Promise<unknown> {
    const left = this.#left(call)
    const ms = call.options.forceRefresh === true ? left : Math.min(call.settings.softTimeout, left)
    if (ms === 0) {
      flight.background = true
      return this.#stale(call, item, 'refreshing')
    }
    let value: unknown
    try {
      value = await this.#waitWithin(flight, call, item, load, ms)
    } catch (error) {
      if (call.options.signal?.aborted === true || !isAlive(item, this.#state.now())) {
        this.#namespace.countMiss(call.key)
        throw error
      }
      return this.#stale(call, item, 'loadFailed')
    }
    if (value === timedOut) return this.#stale(call, item, 'slow')
    if (joined && (flight.doubtful || (await this.#isOutdated(flight))))
      return await this.#take({ ...call, looked: undefined })
    this.#namespace.countMiss(call.key)
    return value
  }

  /** The load's value within `ms`, or within the whole timeout where the life of the stale value ends before. */
  async #waitWithin(
    flight: Flight,
    call: Call,
    item: Item,
    load: Promise<unknown>,
    ms: number,
  ): Promise<unknown | typeof timedOut> {
    const value = await this.#patiently(flight, call, load, ms)
    if (value !== timedOut || isAlive(item, this.#state.now())) return value
    const late = await this.#patiently(flight, call, load)
    if (late === timedOut) throw this.#timedOut(call.key, call.settings.timeout)
    return late
  }

  #hit(call: Call, item: Item): unknown {
    this.#namespace.countHit(call.key, false)
    return item.value
  }

  #stale(call: Call, item: Item, reason: 'refreshing' | 'loadFailed' | 'slow'): unknown {
    const stale = !this.#namespace.isFresh(item)
    this.#namespace.countHit(call.key, stale)
    if (stale) this.#namespace.emitStale(call.key, reason)
    return item.value
  }

  #patiently<T>(
    flight: Flight,
    call: Call,
    work: Promise<T>,
    ms: number = this.#left(call),
  ): Promise<T | typeof timedOut> {
    const patience: WaitOptions = {
      ms,
      signal: call.options.signal,
      clock: this.#state.settings.clock,
      onLastAbort: (reason) => this.#abandon(flight, reason),
    }
    return waitFor(flight, work, patience)
  }

  /** What is left of the time that the caller waits; never more than all of it, though the clock was set back. */
  #left({ settings, since }: Call): number {
    return Math.max(0, Math.min(settings.timeout, since + settings.timeout - this.#state.now()))
  }

  #timedOut(key: string, timeout: number): CacheError {
    const message = `getOrSet: the load of '${key}' took longer than ${timeout} ms; its result will be stored when it comes`
    return new CacheError('LOAD_TIMEOUT', message, { operation: 'getOrSet', backend: this.#state.adapter.name, key })
  }

  #startBehind(flight: Flight, call: Call, found: LookUp, reason: 'ahead' | 'early'): void {
    flight.background = true
    this.#start(flight, call, found, reason)
  }

  #start(flight: Flight, call: Call, found: LookUp, reason: 'stale' | 'ahead' | 'early' = 'stale'): void {
    flight.stale = found.usable
    if (found.usable !== undefined && this.#state.listeners.has('refresh'))
      this.#namespace.emit('refresh', { key: call.key, reason })
    const load = this.#runs.run(flight, call, found).finally(() => {
      this.#end(flight)
      call.looked?.decided?.()
    })
    flight.load = load
    // Nobody may be waiting: a failure was told by an event, and must not end the process.
    load.catch(() => {})
  }
}
