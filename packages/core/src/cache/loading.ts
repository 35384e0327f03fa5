import { CacheError } from '../protocol/cache-error.ts'
import type { Item } from '../protocol/item.ts'
import { recordKey } from '../protocol/keyspace.ts'
import type { LoadSettings } from './cache-options.ts'
import type { Context } from './context.ts'
import { type Fence, Fill } from './fill.ts'
import { Flight } from './flights.ts'
import { checkGetOrSetOptions, type GetOrSetOptions } from './get-or-set-options.ts'
import { Lease } from './lease.ts'
import { freshUntil, isAlive, isFresh, type Lifetime, lifetime } from './lifetime.ts'
import { LoadContext, type Loader, notModified } from './load-context.ts'
import { runAsync } from './operation.ts'
import type { Found, Scope } from './scope.ts'
import { tagRecord } from './tags.ts'
import { traceLoad } from './tracing.ts'
import { aborted, type Patience, tooSlow, waitFor } from './waiting.ts'
import { checkFunction } from './write-options.ts'

/** One call of `getOrSet`, with everything about it resolved. */
interface Call {
  readonly key: string
  readonly stored: string
  readonly loader: Loader<unknown>
  readonly options: GetOrSetOptions
  readonly settings: LoadSettings
  readonly life: Lifetime
  readonly part: BatchPart | undefined
}

/** The place of a key in a batch. */
export interface BatchPart {
  /** The look-up that was made for the whole batch. */
  readonly found: Promise<Found>
  /** Called when it is known that this call starts no load; once more does no harm. */
  readonly decided: () => void
}

/** A lease on a load lives this long without a sign of its owner. */
const loadLeaseTtl = 10_000
const firstPoll = 20
const longestPoll = 250

/**
 * `getOrSet`: a look-up and, where it is needed, a load, both shared by all callers of a key. Stale values are served while a
 * load runs behind them, or when it fails.
 */
export class Loading {
  readonly #scope: Scope
  readonly #context: Context
  readonly #fill: Fill

  constructor(scope: Scope) {
    this.#scope = scope
    this.#context = scope.context
    this.#fill = new Fill(scope)
  }

  async getOrSet(
    key: string,
    loader: Loader<unknown>,
    options: GetOrSetOptions = {},
    part?: BatchPart,
  ): Promise<unknown> {
    const call = this.#checkedCall(key, loader, options, part)
    const { flights } = this.#context.share
    const running = flights.get(call.stored)
    if (running !== undefined && !this.#outlived(running, call)) return await this.#follow(running, call)
    // A load that never ends does not hold its key for ever (RACES R22).
    if (running !== undefined)
      this.#abandon(running, new CacheError('LOAD_TIMEOUT', 'getOrSet: the load took too long', { key }))
    return await this.#lead(call)
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
    if (this.#context.share.flights.get(call.stored) !== undefined) return
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
    const now = this.#context.now()
    if (settings.refreshAhead < 1 && now - item.createdAt >= settings.refreshAhead * (end - item.createdAt))
      return 'ahead'
    if (settings.earlyExpiry === 0) return undefined
    const ahead =
      this.#context.recorder.meanLoadTime * settings.earlyExpiry * -Math.log(1 - this.#context.settings.random())
    return now + ahead >= end ? 'early' : undefined
  }

  #checkedCall(key: string, loader: Loader<unknown>, options: GetOrSetOptions, part?: BatchPart): Call {
    this.#scope.assertOpen('getOrSet')
    const stored = this.#scope.stored(key, 'getOrSet')
    checkFunction(loader, 'loader', 'getOrSet')
    const settings = checkGetOrSetOptions(options, this.#context.settings.load, 'getOrSet')
    const life = lifetime(options, this.#context.settings.life, 'getOrSet')
    if (options.signal?.aborted === true) throw aborted(key, options.signal)
    return { key, stored, loader, options, settings, life, part }
  }

  #newFlight(call: Call): Flight {
    const records = [...new Set(call.options.tags ?? [])].map((tag) => tagRecord(this.#scope.path, tag))
    const flight = new Flight(call.stored, records, this.#context.now())
    this.#context.share.flights.add(flight)
    this.#context.running.add(flight)
    return flight
  }

  #end(flight: Flight): void {
    this.#context.share.flights.end(flight)
    this.#context.running.delete(flight)
  }

  #outlived(flight: Flight, call: Call): boolean {
    return flight.load !== undefined && this.#context.now() - flight.startedAt > 2 * call.settings.timeout
  }

  #abandon(flight: Flight, reason: unknown): void {
    this.#context.share.flights.drop(flight)
    flight.abort(reason)
  }

  async #lead(call: Call): Promise<unknown> {
    const flight = this.#newFlight(call)
    const looked = this.#look(flight, call)
    flight.looked = looked
    return await this.#serve(flight, call, await this.#patiently(flight, call, looked))
  }

  async #follow(flight: Flight, call: Call): Promise<unknown> {
    call.part?.decided()
    if (flight.load === undefined) {
      return await this.#serve(flight, call, await this.#patiently(flight, call, flight.looked as Promise<Found>))
    }
    // What was served behind may have been invalidated since: newcomers look for themselves, and share only the load.
    const found =
      flight.stale === undefined
        ? { raw: undefined, usable: undefined }
        : await runAsync(this.#scope.lookupOrMiss(call.stored, 'getOrSet', call.settings.readFailure))
    return await this.#serve(flight, call, found)
  }

  /** Looks the key up and starts a load where one is needed. Everything from the answer to the start happens at once. */
  async #look(flight: Flight, call: Call): Promise<Found> {
    let found: Found
    try {
      found = await (call.part?.found ??
        runAsync(this.#scope.lookupOrMiss(call.stored, 'getOrSet', call.settings.readFailure)))
    } catch (error) {
      this.#end(flight)
      call.part?.decided()
      throw error
    }
    const item = found.usable
    const fresh = item !== undefined && isFresh(item, this.#context.now())
    if (flight.waiting === 0 && flight.fenced) {
      // All callers have left by their signals.
      this.#end(flight)
      call.part?.decided()
      return found
    }
    if (fresh && call.options.forceRefresh !== true) {
      const reason = this.reasonToRenew(item, call.settings)
      if (reason === undefined) this.#end(flight)
      else this.#startBehind(flight, call, found, reason)
    } else if (item !== undefined && !fresh && this.#context.pauses.paused(call.stored, this.#context.now())) {
      this.#end(flight)
    } else {
      this.#start(flight, call, found)
    }
    if (flight.load === undefined) call.part?.decided()
    return found
  }

  /** What one caller gets from what was found and the load that runs, counted as one hit or one miss. */
  async #serve(flight: Flight, call: Call, found: Found | typeof tooSlow): Promise<unknown> {
    if (found === tooSlow) throw this.#timedOut(call)
    const item = found.usable
    const { load } = flight
    const now = this.#context.now()
    if (item !== undefined && isFresh(item, now) && !(call.options.forceRefresh === true && load !== undefined))
      return this.#hit(call, item)
    if (load === undefined)
      return item === undefined ? this.#missed(call, flight, undefined) : this.#stale(call, item, 'loadFailed')
    if (item === undefined) return await this.#missed(call, flight, load)
    return await this.#stalely(flight, call, item, load)
  }

  async #missed(call: Call, flight: Flight, load: Promise<unknown> | undefined): Promise<unknown> {
    this.#scope.countMiss(call.key)
    const value = load === undefined ? undefined : await this.#patiently(flight, call, load)
    if (value === tooSlow) throw this.#timedOut(call)
    return value
  }

  /** A stale value is at hand: the load has `softTimeout` to be faster, and may fail. */
  async #stalely(flight: Flight, call: Call, item: Item, load: Promise<unknown>): Promise<unknown> {
    const ms =
      call.options.forceRefresh === true
        ? call.settings.timeout
        : Math.min(call.settings.softTimeout, call.settings.timeout)
    if (ms === 0) {
      flight.background = true
      return this.#stale(call, item, 'refreshing')
    }
    try {
      const value = await this.#patiently(flight, call, load, ms)
      if (value !== tooSlow) {
        this.#scope.countMiss(call.key)
        return value
      }
    } catch (error) {
      if (call.options.signal?.aborted === true || !isAlive(item, this.#context.now())) {
        this.#scope.countMiss(call.key)
        throw error
      }
      return this.#stale(call, item, 'loadFailed')
    }
    flight.background = true
    return this.#stale(call, item, 'slow')
  }

  #hit(call: Call, item: Item): unknown {
    this.#scope.countHit(call.key, false)
    return item.value
  }

  #stale(call: Call, item: Item, reason: 'refreshing' | 'loadFailed' | 'slow'): unknown {
    const stale = !isFresh(item, this.#context.now())
    this.#scope.countHit(call.key, stale)
    if (stale) this.#scope.tellStale(call.key, reason)
    return item.value
  }

  #patiently<T>(
    flight: Flight,
    call: Call,
    work: Promise<T>,
    ms: number = call.settings.timeout,
  ): Promise<T | typeof tooSlow> {
    const patience: Patience = {
      ms,
      signal: call.options.signal,
      clock: this.#context.settings.clock,
      onLastAbort: (reason) => this.#abandon(flight, reason),
    }
    return waitFor(flight, work, patience)
  }

  #timedOut(call: Call): CacheError {
    const message = `getOrSet: the load of '${call.key}' took longer than ${call.settings.timeout} ms; its result will be stored when it comes`
    return new CacheError('LOAD_TIMEOUT', message, {
      operation: 'getOrSet',
      backend: this.#context.store.name,
      key: call.key,
    })
  }

  #startBehind(flight: Flight, call: Call, found: Found, reason: 'ahead' | 'early'): void {
    flight.background = true
    this.#start(flight, call, found, reason)
  }

  #start(flight: Flight, call: Call, found: Found, reason: 'stale' | 'ahead' | 'early' = 'stale'): void {
    flight.stale = found.usable
    if (found.usable !== undefined && this.#context.listeners.has('refresh'))
      this.#scope.tell('refresh', { key: call.key, reason })
    const load = this.#load(flight, call, found).finally(() => {
      this.#end(flight)
      call.part?.decided()
    })
    flight.load = load
    // Nobody may be waiting: a failure was told by an event, and must not end the process.
    load.catch(() => {})
  }

  async #load(flight: Flight, call: Call, found: Found): Promise<unknown> {
    if (!call.settings.lock || this.#context.local || this.#context.store.swap === undefined)
      return await this.#run(flight, call, found)
    const lease = await this.#lease(call, found)
    if (lease !== undefined && 'value' in lease) return lease.value
    try {
      return await this.#run(flight, call, lease === undefined ? found : await this.#lookAgain(call, found))
    } finally {
      await lease?.release().catch((error) => this.#context.degraded(error, 'getOrSet', call.key))
    }
  }

  /**
   * The lease on loading this key, or the item that its holder stored meanwhile, or `undefined` when the wait is over: a load
   * without the lease is wasteful but right (RACES R19).
   */
  async #lease(call: Call, found: Found): Promise<Lease | Item | undefined> {
    const record = recordKey('!', this.#scope.path, `load:${call.stored}`)
    const until = this.#context.now() + call.settings.timeout
    for (let pause = firstPoll; this.#context.now() < until; pause = Math.min(2 * pause, longestPoll)) {
      try {
        const lease = await Lease.acquire(this.#context, record, loadLeaseTtl)
        if (lease !== undefined) return lease
      } catch (error) {
        this.#context.degraded(error, 'getOrSet', call.key)
        return undefined
      }
      await new Promise<void>((resolve) => this.#context.settings.clock.after(pause, resolve))
      const now = await this.#lookAgain(call, found)
      if (this.#isNewer(now, found)) return now.usable
    }
    return undefined
  }

  async #lookAgain(call: Call, found: Found): Promise<Found> {
    const again = await runAsync(this.#scope.lookupOrMiss(call.stored, 'getOrSet', 'miss'))
    return again.raw === undefined ? { raw: undefined, usable: found.usable } : again
  }

  #isNewer(again: Found, found: Found): boolean {
    return (
      again.usable !== undefined &&
      again.usable.version !== found.raw?.version &&
      isFresh(again.usable, this.#context.now())
    )
  }

  async #run(flight: Flight, call: Call, found: Found): Promise<unknown> {
    const fence = await this.#raise(flight, call, found)
    if (fence !== undefined && 'key' in fence) return fence.value
    const context = new LoadContext(call.key, found.usable && this.#scope.published(found.usable, call.key), flight)
    const started = this.#context.now()
    let value: unknown
    try {
      value = await traceLoad(call.key, async () => this.#made(call, context))
    } catch (error) {
      this.#failed(call, flight, error, started)
      if (fence !== undefined)
        await this.#fill
          .withdraw(flight, fence)
          .catch((failure) => this.#context.degraded(failure, 'getOrSet', call.key))
      throw error
    }
    const stored = fence !== undefined && (await this.#store(flight, fence, value, context, call))
    this.#loaded(call, stored, started)
    return value === notModified ? context.stale?.value : value
  }

  /** What the loader makes, unless a newer value still waits to be written to the database that the loader reads. */
  #made(call: Call, context: LoadContext): unknown {
    const queued = this.#scope.writer?.queued(this.#scope.writerKey(call.key))
    if (queued === undefined) return call.loader(context)
    return queued.deleted ? undefined : queued.value
  }

  #store(flight: Flight, fence: Fence, value: unknown, context: LoadContext, call: Call): Promise<boolean> {
    const storing = this.#fill.store(flight, fence, value, context, call.options, call.settings, call.life)
    this.#context.track(storing)
    return storing
  }

  /** Nothing is stored without a fence: when the backend fails, the load still serves its callers. */
  async #raise(flight: Flight, call: Call, found: Found): Promise<Fence | Item | undefined> {
    try {
      return await this.#fill.raise(flight, found.raw, call.settings, call.loader.length > 0)
    } catch (error) {
      this.#context.degraded(error, 'getOrSet', call.key)
      return undefined
    }
  }

  #failed(call: Call, flight: Flight, error: unknown, started: number): void {
    const { recorder, listeners, pauses } = this.#context
    recorder.loads += 1
    recorder.loadFailures += 1
    recorder.loadTime += this.#context.now() - started
    if (flight.stale !== undefined) pauses.pause(call.stored, this.#context.now() + call.settings.retryAfter)
    if (listeners.has('loadFailed')) this.#scope.tell('loadFailed', { key: call.key, error })
  }

  #loaded(call: Call, stored: boolean, started: number): void {
    const { recorder, listeners } = this.#context
    const ms = this.#context.now() - started
    recorder.loads += 1
    recorder.loadTime += ms
    this.#context.pauses.resume(call.stored)
    if (stored) this.#scope.countSet(call.key)
    if (listeners.has('load')) this.#scope.tell('load', { key: call.key, ms, stored })
  }
}
