import type { MaybePromise } from '../../backend-kit/maybe-promise.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import { isAlive } from '../items/item-life.ts'
import type { Namespace } from '../items/namespace.ts'
import type { LookUp } from '../reading/finder.ts'
import type { CacheState } from '../state/cache-state.ts'
import type { Flight } from '../state/flight.ts'
import type { Call } from './call.ts'
import { decide } from './decide.ts'
import { timedOut, type WaitOptions, waitFor } from './wait-for.ts'

const ignore = (): void => {}

/** The parts of loading that an answer needs. */
interface Loads {
  /** Another look-up for a call whose load cannot be trusted. */
  lookAgain(call: Call): MaybePromise<unknown>
  abandon(flight: Flight, reason: unknown): void
}

/** The answer to each caller of a flight: a value at hand, the result of the load, or another look-up, as `decide` says. */
export class Answers {
  readonly #namespace: Namespace
  readonly #state: CacheState
  readonly #loads: Loads

  constructor(namespace: Namespace, loads: Loads) {
    this.#namespace = namespace
    this.#state = namespace.state
    this.#loads = loads
  }

  /** The answer to one caller, counted as one hit or one miss. */
  serve(flight: Flight, call: Call, found: LookUp | typeof timedOut, joined = false): MaybePromise<unknown> {
    if (found === timedOut) {
      this.#namespace.countMiss(call.key)
      throw this.tookTooLong(call.key, call.settings.timeout)
    }
    const item = found.usable
    const forceRefresh = call.options.forceRefresh === true
    const left = this.#left(call)
    const ms = item === undefined || forceRefresh ? left : Math.min(call.settings.softTimeout, left)
    const decision = decide({
      found: item === undefined ? 'none' : this.#namespace.isFresh(item) ? 'fresh' : 'stale',
      // A flight that was abandoned before its load has none to wait for.
      phase: flight.result === undefined ? 'looking' : flight.phase,
      validity: flight.validity,
      joined,
      forceRefresh,
      patience: ms === 0 ? 'none' : ms < left ? 'soft' : 'whole',
    })
    switch (decision) {
      case 'hit':
        return this.#hit(call, item as Item)
      case 'miss':
        this.#namespace.countMiss(call.key)
        return undefined
      case 'stale':
        if (flight.result === undefined) return this.#stale(call, item as Item, 'loadFailed')
        flight.background = true
        return this.#stale(call, item as Item, 'refreshing')
      case 'wait':
        return item === undefined
          ? this.#waitForResult(flight, call, joined)
          : this.#serveStaleOrWait(flight, call, item, ms, joined, false)
      case 'wait, then look again':
        return item === undefined || forceRefresh
          ? this.#waitAndLookAgain(flight, call)
          : this.#serveStaleOrWait(flight, call, item, ms, joined, true)
    }
  }

  /** Waits for the result. A joined caller looks again if another process made the result old before the call (RACES R2). */
  async #waitForResult(flight: Flight, call: Call, joined: boolean): Promise<unknown> {
    if (!joined) this.#namespace.countMiss(call.key)
    let value: unknown
    try {
      value = await this.wait(flight, call, flight.result as Promise<unknown>)
      if (value === timedOut) throw this.tookTooLong(call.key, call.settings.timeout)
    } catch (error) {
      if (joined) this.#namespace.countMiss(call.key)
      throw error
    }
    if (!joined) return value
    if (!(await this.#isCurrent(flight))) return await this.#lookAgain(flight, call)
    this.#namespace.countMiss(call.key)
    return value
  }

  /** The store of an uncertain flight is expected to fail again. That leads to a load, also with `readFailure: 'reject'`. */
  async #lookAgain(flight: Flight, call: Call): Promise<unknown> {
    if (!flight.isUncertain) return await this.#loads.lookAgain(call)
    return await this.#loads.lookAgain({ ...call, settings: { ...call.settings, readFailure: 'miss' } })
  }

  /** Waits for the end of the load, then looks again: a load of its own, at once, would be one more for every invalidation. */
  async #waitAndLookAgain(flight: Flight, call: Call): Promise<unknown> {
    const ended = (flight.result as Promise<unknown>).then(ignore, ignore)
    try {
      if ((await this.wait(flight, call, ended)) === timedOut) throw this.tookTooLong(call.key, call.settings.timeout)
    } catch (error) {
      this.#namespace.countMiss(call.key)
      throw error
    }
    return await this.#loads.lookAgain(call)
  }

  /** A value is at hand: the load has `ms` to be faster, and may fail. */
  async #serveStaleOrWait(
    flight: Flight,
    call: Call,
    item: Item,
    ms: number,
    joined: boolean,
    lookAgain: boolean,
  ): Promise<unknown> {
    let value: unknown
    try {
      value = await this.#waitWithin(flight, call, item, ms)
    } catch (error) {
      if (call.options.signal?.aborted === true || !isAlive(item, this.#state.now())) {
        this.#namespace.countMiss(call.key)
        throw error
      }
      return this.#stale(call, item, 'loadFailed')
    }
    if (value === timedOut) return this.#stale(call, item, 'slow')
    if (lookAgain || (joined && !(await this.#isCurrent(flight)))) return await this.#lookAgain(flight, call)
    this.#namespace.countMiss(call.key)
    return value
  }

  /** The load's value within `ms`, or within the whole timeout if the life of the stale value ends before. */
  async #waitWithin(flight: Flight, call: Call, item: Item, ms: number): Promise<unknown | typeof timedOut> {
    const load = flight.result as Promise<unknown>
    const value = await this.wait(flight, call, load, ms)
    if (value !== timedOut || isAlive(item, this.#state.now())) return value
    const late = await this.wait(flight, call, load)
    if (late === timedOut) throw this.tookTooLong(call.key, call.settings.timeout)
    return late
  }

  /** After `close` no load starts, so joined callers get the value in any case. */
  #isCurrent(flight: Flight): MaybePromise<boolean> {
    return this.#state.closed || flight.isCurrent()
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

  wait<T>(flight: Flight, call: Call, work: Promise<T>, ms: number = this.#left(call)): Promise<T | typeof timedOut> {
    const options: WaitOptions = {
      ms,
      signal: call.options.signal,
      cache: this.#state.settings.name,
      clock: this.#state.settings.clock,
      onLastAbort: (reason) => this.#loads.abandon(flight, reason),
    }
    return waitFor(flight, work, options)
  }

  /** The rest of the time that the caller waits; never more than all of it, even if the clock was set back. */
  #left({ settings, since }: Call): number {
    return Math.max(0, Math.min(settings.timeout, since + settings.timeout - this.#state.now()))
  }

  tookTooLong(key: string, timeout: number): CacheError {
    const message = `getOrSet: the load of '${key}' took longer than ${timeout} ms; its result will be stored when it comes`
    return new CacheError('LOAD_TIMEOUT', message, {
      operation: 'getOrSet',
      backend: this.#state.adapter.name,
      cache: this.#state.settings.name,
      key,
    })
  }
}
