import type { GetOrSetOptions } from './get-or-set-options.ts'
import type { LoadContext } from './load-context.ts'
import type { Loading } from './loading.ts'
import { runAsync } from './operation.ts'
import type { Found, Scope } from './scope.ts'
import { checkFunction, checkKeys } from './write-options.ts'
import { type Entries, pairsOf } from './writes.ts'

/** Makes the values of several keys at once. A key that is missing from the result is "not there" and not stored. */
export type BatchLoader<Value> = (
  keys: readonly string[],
  context: { readonly signal: AbortSignal },
) => Promise<Entries<Value>> | Entries<Value>

/**
 * `getOrSetMany`: one look-up of all keys and one load of all that are missing. Each key goes through `getOrSet` with a loader that
 * waits for the batch, so that flights, fences and stale values are the same.
 */
export async function getOrSetMany(
  scope: Scope,
  loading: Loading,
  keys: readonly string[],
  loader: BatchLoader<unknown>,
  options: GetOrSetOptions = {},
): Promise<unknown[]> {
  scope.assertOpen('getOrSetMany')
  checkKeys(keys, 'getOrSetMany')
  checkFunction(loader, 'loader', 'getOrSetMany')
  const unique = [...new Set(keys)]
  const failure = options.readFailure ?? scope.context.settings.load.readFailure
  const looking = runAsync(scope.lookupMany(unique, 'getOrSetMany', failure))
  const batch = new Batch(unique, loader)
  const values = await Promise.all(
    unique.map((key, index) => {
      const found = looking.then((all) => all[index] as Found)
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
  readonly #loader: BatchLoader<unknown>
  readonly #undecided: Set<string>
  readonly #wanted = new Map<string, LoadContext>()
  readonly #loaded: Promise<Map<string, unknown>>
  #start: () => void = () => {}

  constructor(keys: readonly string[], loader: BatchLoader<unknown>) {
    this.#loader = loader
    this.#undecided = new Set(keys)
    this.#loaded = new Promise<void>((resolve) => {
      this.#start = resolve
    }).then(() => this.#load())
    // Rejects for those who wait in `value`; without any, nothing is loaded.
    this.#loaded.catch(() => {})
  }

  async value(key: string, context: LoadContext): Promise<unknown> {
    this.#wanted.set(key, context)
    this.decided(key)
    return (await this.#loaded).get(key)
  }

  decided(key: string): void {
    if (this.#undecided.delete(key) && this.#undecided.size === 0) this.#start()
  }

  async #load(): Promise<Map<string, unknown>> {
    if (this.#wanted.size === 0) return new Map()
    // One load for all: it stops only when nobody waits for any of its keys.
    const controller = new AbortController()
    let waiting = this.#wanted.size
    for (const { signal } of this.#wanted.values()) {
      signal.addEventListener('abort', () => {
        waiting -= 1
        if (waiting === 0) controller.abort(signal.reason)
      })
    }
    return new Map(pairsOf(await this.#loader([...this.#wanted.keys()], { signal: controller.signal })))
  }
}
