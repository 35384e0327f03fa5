import type { Item } from '../../protocol/item.ts'
import { isFresh } from '../items/item-life.ts'
import type { Namespace } from '../items/namespace.ts'
import { namespaceTagRecord, tagRecord } from '../items/tag-records.ts'
import type { LoadSettings } from '../options/cache-options.ts'
import { lifetime } from '../options/lifetime.ts'
import { resolveSyncGetOrSetOptions, type SyncGetOrSetOptions } from '../options/sync-get-or-set-options.ts'
import { checkFunction, checkKeys } from '../options/write-options.ts'
import { Finder, type LookUp } from '../reading/finder.ts'
import type { CacheState } from '../state/cache-state.ts'
import { Flight } from '../state/flight.ts'
import { answer, type Steps } from '../state/steps.ts'
import { traceLoadNow } from '../state/tracing.ts'
import type { Entries } from '../writing/entries.ts'
import type { BatchContext } from './batch-loading.ts'
import { loadedValues, pairsInOrder } from './batch-result.ts'
import { type LoadContext, notModified } from './load-context.ts'
import { type Keeping, ResultStore, type StoreCondition } from './result-store.ts'
import { RunningLoad } from './running-load.ts'

/** Makes the value of a key at once. `undefined` means "not there" and is not stored; `null` is a value. */
export type SyncLoader<Value> = (context: Omit<LoadContext, 'signal'>) => Value | typeof notModified

/** Makes the values of several keys at once, as pairs; see `PairsLoader`. */
export type SyncPairsLoader<Value> = (
  keys: readonly string[],
  context: Pick<BatchContext, 'inOrder'>,
) => Iterable<readonly [string, Value]>

/** Makes the values of several keys at once; see `BatchLoader`. */
export type SyncBatchLoader<Value> = (
  keys: readonly string[],
  context: Pick<BatchContext, 'inOrder'>,
) => SyncBatchResult<Value>

/** A result of a batch loader: pairs, an object, or values in the order of the keys. Arrays as values need pairs or `inOrder`. */
export type SyncBatchResult<Value> =
  | Entries<Value>
  | readonly ((Value extends readonly unknown[] ? never : Value) | undefined)[]

/** A key that is being loaded. */
interface Run {
  readonly key: string
  readonly found: LookUp
  readonly flight: Flight
  readonly condition: StoreCondition
  readonly load: LoadContext
}

/**
 * `getOrSet` without waiting. Only the loader itself can change the key during the load; then its result is returned and not
 * stored (RACES R1, R4, R5).
 */
export class SyncLoading {
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

  *getOrSet(key: string, loader: SyncLoader<unknown>, options: SyncGetOrSetOptions): Steps<unknown> {
    const { stored, keeping } = this.#checked([key], loader, options, 'getOrSet')
    const { readFailure } = keeping.settings
    const found = yield* answer(this.#finder.find(stored[0] as string, 'getOrSet', readFailure))
    const namesTags = loader.length > 0 || this.#state.anyNamesTags
    const loaded = yield* this.#load([key], [found], stored, keeping, namesTags, (runs) =>
      runs.map((run) =>
        traceLoadNow(this.#namespace, run.key, () => {
          const value = loader(run.load)
          return value === notModified ? run.load.notModified() : value
        }),
      ),
    )
    return loaded[0]
  }

  *getOrSetMany(
    keys: readonly string[],
    loader: SyncBatchLoader<unknown>,
    options: SyncGetOrSetOptions,
  ): Steps<unknown[]> {
    this.#namespace.assertOpen('getOrSetMany')
    checkKeys(keys, 'getOrSetMany')
    const unique = [...new Set(keys)]
    const { stored, keeping } = this.#checked(unique, loader, options, 'getOrSetMany')
    const found = yield* this.#finder.findMany(unique, 'getOrSetMany', keeping.settings.readFailure)
    const values = yield* this.#load(unique, found, stored, keeping, false, (runs) => {
      const loaded = traceLoadNow(this.#namespace, undefined, () => {
        const missing = runs.map((run) => run.key)
        return loadedValues(missing, loader(missing, { inOrder: (values) => pairsInOrder(missing, values) }))
      })
      return runs.map((run) => loaded.get(run.key))
    })
    const byKey = new Map(unique.map((key, index) => [key, values[index]]))
    return keys.map((key) => byKey.get(key))
  }

  #checked(
    keys: readonly string[],
    loader: unknown,
    options: SyncGetOrSetOptions,
    operation: string,
  ): { readonly stored: readonly string[]; readonly keeping: Keeping } {
    this.#namespace.assertOpen(operation)
    const stored = keys.map((key) => this.#namespace.backendKey(key, operation))
    checkFunction(loader, 'loader', operation)
    const settings = resolveSyncGetOrSetOptions(options, this.#state.settings.load, operation)
    return { stored, keeping: { options, settings, life: lifetime(options, this.#state.settings.life, operation) } }
  }

  /** The values of all these keys: those that are there, and those that `make` makes of the others, all at once. */
  *#load(
    keys: readonly string[],
    found: readonly LookUp[],
    stored: readonly string[],
    keeping: Keeping,
    namesTags: boolean,
    make: (runs: readonly Run[]) => readonly unknown[],
  ): Steps<unknown[]> {
    const values: unknown[] = []
    const runs = new Map<number, Run>()
    for (const [index, key] of keys.entries()) {
      const item = this.#servable(found[index] as LookUp, stored[index] as string, keeping)
      if (item !== undefined) values[index] = this.#serve(key, item)
      else runs.set(index, yield* this.#begin(key, stored[index] as string, found[index] as LookUp, keeping, namesTags))
    }
    if (runs.size === 0) return values
    const all = [...runs.values()]
    const started = this.#state.now()
    const made = this.#made(all, make, started, keeping.settings)
    for (const [position, [index, run]] of [...runs].entries())
      values[index] =
        made === undefined
          ? this.#serve(run.key, run.found.usable as Item)
          : yield* this.#store(run, made[position], started, keeping)
    return values
  }

  /** The item that is served without a load. */
  #servable({ usable }: LookUp, stored: string, { options }: Keeping): Item | undefined {
    if (usable === undefined || (options as SyncGetOrSetOptions).forceRefresh === true) return undefined
    const now = this.#state.now()
    return isFresh(usable, now) || this.#state.pauses.paused(stored, now) ? usable : undefined
  }

  #serve(key: string, item: Item): unknown {
    const stale = !this.#namespace.isFresh(item)
    this.#namespace.countHit(key, stale)
    if (stale) this.#namespace.emitStale(key, 'loadFailed')
    return item.value
  }

  *#begin(key: string, stored: string, found: LookUp, keeping: Keeping, namesTags: boolean): Steps<Run> {
    const { flights } = this.#state.shared
    const records = [...new Set(keeping.options.tags ?? [])].map((tag) => tagRecord(this.#namespace.path, tag))
    const namespaceRecord = namespaceTagRecord(this.#namespace.path)
    const startedAt = this.#state.now()
    const flight = new Flight(stored, records, namespaceRecord, { startedAt, timeout: Infinity })
    // No caller can wait for it: a call while it runs comes from its own loader, and must load for itself.
    flight.suspect()
    const condition = (yield* this.#results.reserve(flight, found.raw, keeping.settings, namesTags)) as StoreCondition
    // A load of a Cache on the same backend may be under way; this one is newer, and its result is fenced off.
    flights.invalidate(stored)
    flights.add(flight)
    const { usable } = found
    return {
      key,
      found,
      flight,
      condition,
      load: new RunningLoad(key, usable && this.#namespace.published(usable, key), flight),
    }
  }

  /** The loaded values, or `undefined` if the loader threw and every key has a stale value. */
  #made(
    runs: readonly Run[],
    make: (runs: readonly Run[]) => readonly unknown[],
    started: number,
    settings: LoadSettings,
  ): readonly unknown[] | undefined {
    try {
      return make(runs)
    } catch (error) {
      for (const run of runs) this.#failed(run, error, started, settings)
      if (runs.every((run) => run.found.usable !== undefined)) return undefined
      for (const run of runs) this.#namespace.countMiss(run.key)
      throw error
    } finally {
      for (const run of runs) this.#state.shared.flights.end(run.flight)
    }
  }

  *#store(run: Run, value: unknown, started: number, keeping: Keeping): Steps<unknown> {
    const { recorder, listeners, pauses } = this.#state
    this.#namespace.countMiss(run.key)
    const stored = yield* this.#results.storeResult(run.flight, run.condition, value, run.load, keeping)
    const ms = this.#state.since(started)
    recorder.loads += 1
    recorder.loadTime += ms
    pauses.resume(run.flight.key)
    if (stored) this.#namespace.countSet(run.key)
    if (listeners.has('load')) this.#namespace.emit('load', { key: run.key, ms, stored })
    return value === notModified ? run.load.stale?.value : value
  }

  #failed(run: Run, error: unknown, started: number, settings: LoadSettings): void {
    const { recorder, listeners, pauses } = this.#state
    recorder.loads += 1
    recorder.loadFailures += 1
    recorder.loadTime += this.#state.since(started)
    if (run.found.usable !== undefined) pauses.pause(run.flight.key, this.#state.now(), settings.retryAfter)
    if (listeners.has('loadFailed')) this.#namespace.emit('loadFailed', { key: run.key, error })
  }
}
