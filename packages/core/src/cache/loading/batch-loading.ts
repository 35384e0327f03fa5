import type { Namespace } from '../items/namespace.ts'
import { checkGetOrSetOptions, type GetOrSetOptions } from '../options/get-or-set-options.ts'
import { checkFunction, checkKeys } from '../options/write-options.ts'
import { Finder, type LookUp } from '../reading/finder.ts'
import type { Entries } from '../writing/entries.ts'
import { loadedValues, pairsInOrder } from './batch-result.ts'
import type { LoadContext } from './load-context.ts'
import type { Loading } from './loading.ts'

/** The second argument of a batch loader. */
export interface BatchContext {
  /** Aborted when no caller waits for any of the keys. */
  readonly signal: AbortSignal
  /**
   * The pairs of the keys and these values, which are in the order of the keys; `undefined` is "not there". For values that are arrays
   * themselves, which a plain array of values could not be told from pairs. Throws `INVALID_ARGUMENT` unless there is one for each key.
   */
  readonly inOrder: <Value>(values: readonly Value[]) => Iterable<readonly [string, Exclude<Value, undefined>]>
}

/** Makes the values of several keys at once, as pairs of a key and a value: a `Map`, or an array of pairs. */
export type PairsLoader<Value> = (
  keys: readonly string[],
  context: BatchContext,
) => Promise<Iterable<readonly [string, Value]>> | Iterable<readonly [string, Value]>

/**
 * Makes the values of several keys at once: pairs in any order, an object, or an array of values in the order of the keys. A key
 * without a value, or whose value is `undefined`, is "not there" and not stored. Values that are arrays need pairs or `inOrder`.
 */
export type BatchLoader<Value> = (
  keys: readonly string[],
  context: BatchContext,
) => Promise<BatchResult<Value>> | BatchResult<Value>

/** A result of a batch loader. The promises of an array are awaited one by one, so that each key has its own failure. */
export type BatchResult<Value> = Entries<Value> | readonly (InOrder<Value> | Promise<InOrder<Value>>)[]

/** A value in the order of the keys, where an array would look like a pair. */
type InOrder<Value> = (Value extends readonly unknown[] ? never : Value) | undefined

/**
 * `getOrSetMany`: one look-up of all keys and one load of all that are missing. Each key goes through `getOrSet` with a loader that
 * waits for the batch, so that flights, fences and stale values are the same.
 */
export async function getOrSetMany(
  namespace: Namespace,
  loading: Loading,
  keys: readonly string[],
  loader: BatchLoader<unknown>,
  options: GetOrSetOptions = {},
): Promise<unknown[]> {
  namespace.assertOpen('getOrSetMany')
  checkKeys(keys, 'getOrSetMany')
  checkFunction(loader, 'loader', 'getOrSetMany')
  const { readFailure } = checkGetOrSetOptions(options, namespace.state.settings.load, 'getOrSetMany')
  const unique = [...new Set(keys)]
  const looking = namespace.state.run(new Finder(namespace).findMany(unique, 'getOrSetMany', readFailure))
  // Each key that waits for it rejects by itself; those that joined a load do not wait.
  looking.catch(() => {})
  const batch = new Batch(unique, loader)
  const values = await Promise.all(
    unique.map((key, index) => {
      const found = looking.then((all) => all[index] as LookUp)
      found.catch(() => {})
      return loading.getOrSet(key, (context) => batch.value(key, context), options, {
        found,
        decided: () => batch.decided(key),
      })
    }),
  )
  const byKey = new Map(unique.map((key, index) => [key, values[index]]))
  return keys.map((key) => byKey.get(key))
}

/** Collects the keys that need a load until it is known of every key whether it does; then loads them at once. */
class Batch {
  readonly #keys: readonly string[]
  readonly #loader: BatchLoader<unknown>
  readonly #undecided: Set<string>
  readonly #wanted = new Map<string, LoadContext>()
  readonly #loaded: Promise<Map<string, unknown>>
  #start: () => void = () => {}

  constructor(keys: readonly string[], loader: BatchLoader<unknown>) {
    this.#keys = keys
    this.#loader = loader
    this.#undecided = new Set(keys)
    this.#loaded = new Promise<void>((resolve) => {
      this.#start = resolve
    }).then(() => this.#load(this.#wanted))
    // Callers in `value` see the rejection; without callers no load starts.
    this.#loaded.catch(() => {})
  }

  async value(key: string, context: LoadContext): Promise<unknown> {
    // Too late for the batch, having waited for another process' lease: a load of its own.
    if (!this.#undecided.has(key)) return (await this.#load(new Map([[key, context]]))).get(key)
    this.#wanted.set(key, context)
    this.decided(key)
    return (await this.#loaded).get(key)
  }

  decided(key: string): void {
    if (this.#undecided.delete(key) && this.#undecided.size === 0) this.#start()
  }

  async #load(wanted: ReadonlyMap<string, LoadContext>): Promise<Map<string, unknown>> {
    if (wanted.size === 0) return new Map()
    const { signal } = commonAbort([...wanted.values()].map((context) => context.signal))
    // In the order of the request, although the conditions were captured in any order.
    const keys = this.#keys.filter((key) => wanted.has(key))
    const inOrder: BatchContext['inOrder'] = (values) => pairsInOrder(keys, values)
    return loadedValues(keys, await this.#loader(keys, { signal, inOrder }))
  }
}

/** One load for all: it stops only when no caller waits for any of its keys (RACES R24). */
function commonAbort(signals: readonly AbortSignal[]): AbortController {
  const controller = new AbortController()
  let waiting = signals.length
  const leave = (reason: unknown): void => {
    waiting -= 1
    if (waiting === 0) controller.abort(reason)
  }
  for (const signal of signals) {
    if (signal.aborted) leave(signal.reason)
    else signal.addEventListener('abort', () => leave(signal.reason))
  }
  return controller
}
