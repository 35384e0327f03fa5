import type { Item } from '../../protocol/item.ts'
import { recordKey } from '../../protocol/keyspace.ts'
import { Lease } from '../coordination/lease.ts'
import { TimeLeft } from '../coordination/time-left.ts'
import type { Namespace } from '../items/namespace.ts'
import { Finder, type LookUp } from '../reading/finder.ts'
import type { CacheState } from '../state/cache-state.ts'
import type { Flight } from '../state/flight.ts'
import { runAsync } from '../state/steps.ts'
import { traceLoad } from '../state/tracing.ts'
import type { Call } from './call.ts'
import { type LoadContext, notModified } from './load-context.ts'
import { ResultStore, type StoreCondition } from './result-store.ts'
import { RunningLoad } from './running-load.ts'

/** A lease on a load lives this long without a sign of its owner. */
const loadLeaseTtl = 10_000
const firstPoll = 20
const longestPoll = 250

/** Runs loaders: captures the condition before, stores the result after, and takes a lease if `lock` asks for it. */
export class LoadRuns {
  readonly #namespace: Namespace
  readonly #state: CacheState
  readonly #finder: Finder
  readonly #results: ResultStore

  constructor(namespace: Namespace) {
    this.#namespace = namespace
    this.#state = namespace.state
    this.#finder = new Finder(namespace)
    this.#results = new ResultStore(namespace)
  }

  /** Resolves to the value, even if it could not be stored. Rejects with the error of the loader. */
  async run(flight: Flight, call: Call, found: LookUp): Promise<unknown> {
    if (!call.settings.lock || this.#state.local || this.#state.adapter.compareAndSet === undefined)
      return await this.#load(flight, call, found)
    const lease = await this.#lease(flight, call, found)
    if (lease === undefined) return await this.#load(flight, call, found)
    if ('value' in lease) return this.#others(flight, lease)
    try {
      // The earlier holder of the lease may have stored a value since the look-up (RACES R19).
      const now = await this.#lookAgain(call, found)
      if (this.#isNewer(now, found)) return this.#others(flight, now.usable as Item)
      return await this.#load(flight, call, now)
    } finally {
      await lease.release().catch((error) => this.#state.degraded(error, 'getOrSet', call.key))
    }
  }

  /**
   * The lease on loading this key, or the item that its holder has stored, or `undefined` when the wait is over: a load without the
   * lease is wasteful but correct (RACES R19).
   */
  async #lease(flight: Flight, call: Call, found: LookUp): Promise<Lease | Item | undefined> {
    const record = recordKey('!', this.#namespace.path, `load:${call.backendKey}`)
    const time = new TimeLeft(call.settings.timeout, this.#state.now())
    for (let pause = firstPoll; time.at(this.#state.now()) > 0; pause = Math.min(2 * pause, longestPoll)) {
      try {
        const lease = await Lease.acquire(this.#state, record, loadLeaseTtl, true)
        if (lease !== undefined) return lease
      } catch (error) {
        this.#state.degraded(error, 'getOrSet', call.key)
        return undefined
      }
      // Otherwise two batches that hold leases on each other's keys would wait for the whole timeout.
      call.known?.decided?.()
      await new Promise<void>((resolve) => this.#state.settings.clock.after(pause, resolve, true))
      time.at(this.#state.now(), pause)
      if (flight.phase === 'abandoned') return undefined
      const now = await this.#lookAgain(call, found)
      if (this.#isNewer(now, found)) return now.usable
    }
    return undefined
  }

  async #lookAgain(call: Call, found: LookUp): Promise<LookUp> {
    const again = await this.#finder.find(call.backendKey, 'getOrSet', 'miss')
    return again.raw === undefined ? { raw: undefined, usable: found.usable } : again
  }

  #isNewer(again: LookUp, found: LookUp): boolean {
    return (
      again.usable !== undefined && again.usable.version !== found.raw?.version && this.#namespace.isFresh(again.usable)
    )
  }

  async #load(flight: Flight, call: Call, found: LookUp): Promise<unknown> {
    const condition = await this.#reserve(flight, call, found)
    if (condition !== undefined && 'key' in condition) return this.#others(flight, condition)
    // All callers left while the condition was captured. The loader could not notice that.
    if (flight.phase === 'abandoned') {
      if (condition !== undefined) await this.#cancel(flight, condition, call)
      throw flight.signal.reason
    }
    if (condition?.expected !== undefined) flight.compareWithStore = () => this.#results.unchanged(flight, condition)
    const context = new RunningLoad(call.key, found.usable && this.#namespace.published(found.usable, call.key), flight)
    const started = this.#state.now()
    let value: unknown
    try {
      const made = traceLoad(this.#namespace, call.key, async () => await this.#made(call, context))
      value = await (condition === undefined
        ? made
        : made.finally(this.#results.renewBeforeExpiry(flight, condition, call.settings)))
      // `notModified` of another load's context is refused if this load has no stale value.
      if (value === notModified) context.notModified()
    } catch (error) {
      this.#failed(call, flight, this.#state.addName(error), started)
      if (condition !== undefined) await this.#cancel(flight, condition, call)
      throw error
    }
    if (condition?.expected !== undefined) flight.beginStore()
    const stored =
      condition !== undefined &&
      (await this.#state.run(this.#results.storeResult(flight, condition, value, context, call)))
    this.#loaded(call, stored, started)
    return value === notModified ? context.stale?.value : value
  }

  /** The value that another process stored. Callers that joined after it was read look again. */
  #others(flight: Flight, item: Item): unknown {
    flight.markOutdated()
    return item.value
  }

  async #cancel(flight: Flight, condition: StoreCondition, call: Call): Promise<void> {
    await runAsync(this.#results.cancel(flight, condition)).catch((error) =>
      this.#state.degraded(error, 'getOrSet', call.key),
    )
  }

  /** The result of the loader, unless a newer value still waits to be written to the database that the loader reads. */
  async #made(call: Call, context: LoadContext): Promise<unknown> {
    const { writer } = this.#namespace
    const queued = writer === undefined ? undefined : await writer.queued(this.#namespace.writerKey(call.key))
    if (queued === undefined) return await call.loader(context)
    return queued.deleted ? undefined : queued.value
  }

  /** Captures the condition. If the backend fails, the load still serves its callers, and nothing is stored. */
  async #reserve(flight: Flight, call: Call, found: LookUp): Promise<StoreCondition | Item | undefined> {
    // The loader of a batch has no way to name tags.
    const mayName = call.loader.length > 0 || this.#state.anyNamesTags
    const namesTags = call.known?.decided === undefined && mayName
    flight.namesTags = namesTags
    try {
      return await runAsync(this.#results.reserve(flight, found.raw, call.settings, namesTags))
    } catch (error) {
      this.#state.degraded(error, 'getOrSet', call.key)
      // Nothing will show a change by another process, so callers who join may have come after one (RACES R2).
      flight.markUncertain()
      return undefined
    }
  }

  #failed(call: Call, flight: Flight, error: unknown, started: number): void {
    const { recorder, listeners, pauses } = this.#state
    recorder.loads += 1
    recorder.loadFailures += 1
    recorder.loadTime += this.#state.since(started)
    if (flight.stale !== undefined) pauses.pause(call.backendKey, this.#state.now(), call.settings.retryAfter)
    if (listeners.has('loadFailed')) this.#namespace.emit('loadFailed', { key: call.key, error })
  }

  #loaded(call: Call, stored: boolean, started: number): void {
    const { recorder, listeners } = this.#state
    const ms = this.#state.since(started)
    recorder.loads += 1
    recorder.loadTime += ms
    this.#state.pauses.resume(call.backendKey)
    if (stored) this.#namespace.countSet(call.key)
    if (listeners.has('load')) this.#namespace.emit('load', { key: call.key, ms, stored })
  }
}
