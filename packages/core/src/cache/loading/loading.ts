import { isPromise, type MaybePromise } from '../../backend-kit/maybe-promise.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import type { Namespace } from '../items/namespace.ts'
import { namespaceTagRecord, tagRecord } from '../items/tag-records.ts'
import { aborted } from '../options/aborted.ts'
import { checkGetOrSetOptions, type GetOrSetOptions, lookUpIgnores } from '../options/get-or-set-options.ts'
import { lifetime } from '../options/lifetime.ts'
import { checkFunction } from '../options/write-options.ts'
import { Finder, type LookUp, nothingFound } from '../reading/finder.ts'
import type { CacheState } from '../state/cache-state.ts'
import { Flight } from '../state/flight.ts'
import { Answers } from './answers.ts'
import type { Call, KnownLookUp } from './call.ts'
import type { Loader } from './load-context.ts'
import { LoadRuns } from './load-runs.ts'
import { type RenewalReason, reasonToRenew } from './reason-to-renew.ts'
import { SharedTimeout } from './shared-timeout.ts'
import { timedOut } from './wait-for.ts'

const noTags: readonly string[] = []
const ignore = (): void => {}

/**
 * `getOrSet`: a look-up and, if needed, a load, both shared by all callers of a key. Stale values are served while a load runs, or
 * when it fails. `decide` chooses the answer for each caller.
 */
export class Loading {
  readonly #namespace: Namespace
  readonly #state: CacheState
  readonly #finder: Finder
  readonly #runs: LoadRuns
  readonly #answers: Answers
  readonly #timeouts: SharedTimeout
  readonly #namespaceRecord: string

  constructor(namespace: Namespace) {
    this.#namespace = namespace
    this.#state = namespace.state
    this.#finder = new Finder(namespace)
    this.#runs = new LoadRuns(namespace)
    this.#answers = new Answers(namespace, {
      lookAgain: (call) => this.#take({ ...call, known: undefined }),
      abandon: (flight, reason) => this.#abandon(flight, reason),
    })
    this.#namespaceRecord = namespaceTagRecord(namespace.path)
    this.#timeouts = new SharedTimeout(namespace.state.settings.clock, namespace.state.settings.load.timeout)
  }

  /** `since` is the instant of the call, if that was earlier. */
  getOrSet(
    key: string,
    loader: Loader<unknown>,
    options?: GetOrSetOptions,
    known?: KnownLookUp,
    since?: number,
  ): Promise<unknown> {
    try {
      if (known === undefined && !this.#state.local && lookUpIgnores(options, this.#state.settings.load)) {
        const alone = this.#lookUpAlone(key, loader, options)
        if (alone !== undefined) return alone
      }
      return Promise.resolve(
        this.#take(this.#checkedCall(key, loader, options === undefined ? {} : options, known, since)),
      )
    } catch (error) {
      return Promise.reject(this.#state.addName(error))
    }
  }

  /**
   * A look-up without a flight, for a call that asks for nothing but a fresh value from a store that has to be waited for: a hit costs
   * a third of its cost with a flight. Everything else continues as a call whose look-up is known. `undefined` where a load runs.
   */
  #lookUpAlone(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions | undefined,
  ): Promise<unknown> | undefined {
    this.#namespace.assertOpen('getOrSet')
    const state = this.#state
    const { flights } = state.shared
    const backendKey = this.#namespace.backendKey(key, 'getOrSet')
    checkFunction(loader, 'loader', 'getOrSet')
    if (flights.get(backendKey) !== undefined) return undefined
    const { ended } = flights
    return new Promise((resolve, reject) => {
      state.begin()
      // The timeout starts before the store is asked: a store that blocks its caller uses up the time.
      const timeout = this.#timeouts.begin(() => reject(this.#answers.tookTooLong(key, state.settings.load.timeout)))
      const onError = (error: unknown): void => {
        this.#timeouts.end(timeout)
        state.end()
        reject(error)
      }
      const onFound = (found: LookUp): void => {
        this.#timeouts.end(timeout)
        state.end()
        const { usable } = found
        if (usable === undefined || !this.#namespace.isFresh(usable)) {
          // Another caller's load has ended meanwhile and may have stored its result after this look-up (RACES R18).
          const known = flights.endedSince(ended, backendKey) ? undefined : { found }
          resolve(this.#continue(key, loader, options, known, timeout.began))
          return
        }
        this.#namespace.countHit(key, false)
        resolve(usable.value)
      }
      try {
        const finding = this.#finder.find(backendKey, 'getOrSet', state.settings.load.readFailure)
        if (isPromise(finding)) finding.then(onFound, onError)
        else onFound(finding)
      } catch (error) {
        onError(error)
      }
    })
  }

  /** Runs even after the caller timed out: the next caller can use the result (RACES R22). */
  #continue(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions | undefined,
    known: KnownLookUp | undefined,
    since: number,
  ): Promise<unknown> {
    let going: Promise<unknown>
    try {
      going = Promise.resolve(
        this.#take(this.#checkedCall(key, loader, options === undefined ? {} : options, known, since)),
      )
    } catch (error) {
      going = Promise.reject(this.#state.addName(error))
    }
    // A caller that timed out does not see a failure; an event reports it.
    going.catch(ignore)
    return going
  }

  /** Serves a value that is still fresh, and renews it in the background if its options ask for that and no load runs. */
  serveFresh(key: string, loader: Loader<unknown>, options: GetOrSetOptions, item: Item): unknown {
    const { load } = this.#state.settings
    const refreshAhead = options.refreshAhead ?? load.refreshAhead
    const earlyExpiry = options.earlyExpiry ?? load.earlyExpiry
    const reason = reasonToRenew(item, { refreshAhead, earlyExpiry }, this.#state)
    if (reason !== undefined) this.#renewInBackground(key, loader, options, item, reason)
    this.#namespace.countHit(key, false)
    return item.value
  }

  #renewInBackground(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions,
    item: Item,
    reason: RenewalReason,
  ): void {
    const call = this.#checkedCall(key, loader, options)
    if (this.#state.shared.flights.get(call.backendKey) !== undefined || this.#paused(call)) return
    this.#startInBackground(this.#newFlight(call), call, { raw: item, usable: item }, reason)
  }

  #checkedCall(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions,
    known?: KnownLookUp,
    since: number = this.#state.now(),
  ): Call {
    this.#namespace.assertOpen('getOrSet')
    const backendKey = this.#namespace.backendKey(key, 'getOrSet')
    checkFunction(loader, 'loader', 'getOrSet')
    const settings = checkGetOrSetOptions(options, this.#state.settings.load, 'getOrSet')
    const life = lifetime(options, this.#state.settings.life, 'getOrSet')
    if (options.signal?.aborted === true) throw aborted(key, options.signal, 'getOrSet', this.#state.settings.name)
    return { key, backendKey, loader, options, settings, life, known, since }
  }

  #take(call: Call): MaybePromise<unknown> {
    const { flights } = this.#state.shared
    const running = flights.get(call.backendKey)
    if (running === undefined) return this.#lead(call)
    if (this.#state.now() > running.heldUntil) {
      // A load that never ends does not hold its key forever (RACES R22).
      const message = 'getOrSet: the load took too long'
      this.#abandon(
        running,
        new CacheError('LOAD_TIMEOUT', message, {
          operation: 'getOrSet',
          cache: this.#state.settings.name,
          key: call.key,
        }),
      )
    } else if (running.validity === 'recheck' && running.result === undefined) flights.drop(running)
    else return this.#follow(running, call)
    return this.#lead(call)
  }

  #newFlight(call: Call): Flight {
    const { tags } = call.options
    const records = tags === undefined ? noTags : [...new Set(tags)].map((tag) => tagRecord(this.#namespace.path, tag))
    const flight = new Flight(call.backendKey, records, this.#namespaceRecord, {
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
    flight.abandon(reason)
  }

  #lead(call: Call): MaybePromise<unknown> {
    const flight = this.#newFlight(call)
    const looking = this.#look(flight, call)
    if (!isPromise(looking)) return this.#answers.serve(flight, call, looking)
    flight.lookUp = looking
    return this.#answers.wait(flight, call, looking).then((found) => this.#answers.serve(flight, call, found))
  }

  async #follow(flight: Flight, call: Call): Promise<unknown> {
    call.known?.decided?.()
    if (flight.result === undefined) return await this.#followLookUp(flight, call)
    flight.joined = true
    // The stale value may have been invalidated since: newcomers look for themselves and share only the load. They count as waiting
    // meanwhile, or the load would end when the others leave (RACES R24).
    const found =
      flight.stale === undefined
        ? nothingFound
        : await this.#answers.wait(flight, call, Promise.resolve(this.#find(call)))
    return await this.#answers.serve(flight, call, found, true)
  }

  /** A load that follows begins after this call and may be shared as it is; the answer to the look-up may be older than the call. */
  async #followLookUp(flight: Flight, call: Call): Promise<unknown> {
    const shared = flight.lookUp as Promise<LookUp>
    const looking = this.#state.local ? shared : Promise.all([this.#find(call), shared]).then(([own]) => own)
    const found = await this.#answers.wait(flight, call, looking)
    // The look-up was enough for its own caller. A forced refresh, or a caller that finds nothing any more, needs a load.
    const enough = found === timedOut || (found.usable !== undefined && call.options.forceRefresh !== true)
    if (flight.result === undefined && !enough) return await this.#take({ ...call, known: undefined })
    return await this.#answers.serve(flight, call, found)
  }

  /** Looks the key up and starts a load if one is needed. Everything from the answer to the start happens at once. */
  #look(flight: Flight, call: Call): MaybePromise<LookUp> {
    const onFound = (found: LookUp): LookUp => {
      try {
        // No load starts when all callers have left by their signals.
        if (flight.phase !== 'abandoned') this.#startIfNeeded(flight, call, found)
        return found
      } finally {
        this.#endWithoutLoad(flight, call)
      }
    }
    const onError = (error: unknown): never => {
      this.#endWithoutLoad(flight, call)
      throw error
    }
    let finding: MaybePromise<LookUp>
    try {
      finding = this.#find(call)
    } catch (error) {
      return onError(error)
    }
    return isPromise(finding) ? finding.then(onFound, onError) : onFound(finding)
  }

  #endWithoutLoad(flight: Flight, call: Call): void {
    if (flight.result !== undefined) return
    this.#end(flight)
    call.known?.decided?.()
  }

  #find(call: Call): MaybePromise<LookUp> {
    return call.known?.found ?? this.#finder.find(call.backendKey, 'getOrSet', call.settings.readFailure)
  }

  #startIfNeeded(flight: Flight, call: Call, found: LookUp): void {
    const item = found.usable
    if (item === undefined || call.options.forceRefresh === true) this.#start(flight, call, found)
    else if (this.#paused(call)) return
    else if (!this.#namespace.isFresh(item)) this.#start(flight, call, found)
    else {
      const reason = reasonToRenew(item, call.settings, this.#state)
      if (reason !== undefined) this.#startInBackground(flight, call, found, reason)
    }
  }

  /** Whether a load of this key failed a moment ago. */
  #paused(call: Call): boolean {
    return this.#state.pauses.paused(call.backendKey, this.#state.now())
  }

  #announce({ key, settings }: Call, work: Promise<unknown>): void {
    try {
      settings.waitUntil?.(work)
    } catch (error) {
      this.#state.degraded(error, 'getOrSet', key)
    }
  }

  #startInBackground(flight: Flight, call: Call, found: LookUp, reason: RenewalReason): void {
    flight.background = true
    this.#start(flight, call, found, reason)
  }

  #start(flight: Flight, call: Call, found: LookUp, reason: 'stale' | RenewalReason = 'stale'): void {
    flight.stale = found.usable
    if (found.usable !== undefined && this.#state.listeners.has('refresh'))
      this.#namespace.emit('refresh', { key: call.key, reason })
    const result = this.#runs.run(flight, call, found).finally(() => {
      this.#end(flight)
      call.known?.decided?.()
    })
    flight.beginLoad(result)
    // If no caller waits, an event has reported a failure; it must not end the process.
    const work = result.catch(ignore)
    if (call.settings.waitUntil !== undefined) this.#announce(call, work)
  }
}
