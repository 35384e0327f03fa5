import { invalidArgument } from '../../protocol/argument.ts'
import type { CacheBackend, SyncCacheBackend } from '../../protocol/backend.ts'
import { itemKey } from '../../protocol/keyspace.ts'
import type { Namespace } from '../items/namespace.ts'
import { runSync, type Steps } from '../state/steps.ts'
import { Finder } from './finder.ts'

/** Number of values that one batch of an iteration reads. */
const batchSize = 100

type Pair = readonly [key: string, value: unknown]

/** Iterates over the keys of a namespace, and over its values in batches. */
export class Iteration {
  readonly #namespace: Namespace
  readonly #finder: Finder

  constructor(namespace: Namespace) {
    this.#namespace = namespace
    this.#finder = new Finder(namespace)
  }

  async *keys(prefix: unknown): AsyncGenerator<string, void, undefined> {
    for await (const backendKey of this.#backendKeys(prefix, 'keys')) {
      const key = this.#namespace.keyOf(backendKey)
      if (key !== undefined) yield key
    }
  }

  async *entries(prefix: unknown): AsyncGenerator<Pair, void, undefined> {
    let batch: string[] = []
    for await (const backendKey of this.#backendKeys(prefix, 'entries')) {
      if (this.#namespace.keyOf(backendKey) === undefined) continue
      batch.push(backendKey)
      if (batch.length < batchSize) continue
      yield* await this.#namespace.state.run(this.#pairsOf(batch))
      batch = []
    }
    yield* await this.#namespace.state.run(this.#pairsOf(batch))
  }

  *keysSync(prefix: unknown): Generator<string, void, undefined> {
    for (const backendKey of this.#backendKeysSync(prefix, 'keys')) {
      const key = this.#namespace.keyOf(backendKey)
      if (key !== undefined) yield key
    }
  }

  *entriesSync(prefix: unknown): Generator<Pair, void, undefined> {
    for (const backendKey of this.#backendKeysSync(prefix, 'entries'))
      if (this.#namespace.keyOf(backendKey) !== undefined)
        yield* this.#namespace.state.named(() => runSync(this.#pairsOf([backendKey])))
  }

  async *#backendKeys(prefix: unknown, method: string): AsyncGenerator<string, void, undefined> {
    const { state } = this.#namespace
    const start = this.#start(prefix, method)
    const backend = state.backend as CacheBackend
    if (backend.keys === undefined) throw state.unsupported(method, 'iteration (keys)')
    try {
      yield* backend.keys(start)
    } catch (error) {
      throw state.failed(error, method)
    }
  }

  #backendKeysSync(prefix: unknown, method: string): Iterable<string> {
    const { state } = this.#namespace
    const start = this.#start(prefix, method)
    const adapter = state.adapter as SyncCacheBackend
    if (adapter.keys === undefined) throw state.unsupported(method, 'iteration (keys)')
    return adapter.keys(start)
  }

  /** The prefix of the backend's keys. */
  #start(prefix: unknown, method: string): string {
    this.#namespace.assertOpen(method)
    if (typeof prefix !== 'string')
      throw this.#namespace.state.addName(invalidArgument('prefix', prefix, 'a string', method))
    return itemKey(this.#namespace.path, prefix)
  }

  /** The pairs of the keys that have a fresh value of valid tags. */
  *#pairsOf(backendKeys: readonly string[]): Steps<Pair[]> {
    const found = yield* this.#finder.findAll(backendKeys, 'entries', 'reject')
    const pairs: Pair[] = []
    for (const [index, { usable }] of found.entries()) {
      if (usable === undefined || !this.#namespace.isFresh(usable)) continue
      pairs.push([this.#namespace.keyOf(backendKeys[index] as string) as string, usable.value])
    }
    return pairs
  }
}
