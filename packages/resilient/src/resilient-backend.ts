import {
  type BackendEvent,
  type BackendPart,
  type BackendStats,
  type CacheBackend,
  CacheError,
  CompositeParts,
  checkComparison,
  checkIncrement,
  checkItem,
  checkItems,
  checkKey,
  checkKeys,
  checkPrefix,
  describeBackend,
  EventHub,
  forwardCapabilities,
  type Item,
  Lifecycle,
  type NearReader,
  openOrClosed,
} from '@cache/core/backend'
import type { Call } from './errors.ts'
import { type CircuitStateName, Guard, type Kind } from './guard.ts'
import { type ResilientOptions, resolveOptions } from './options.ts'

/**
 * A backend around a backend, for stores that hang, blink or drown: each call has a time limit, calls that may be repeated are
 * tried again, a store that keeps failing is left alone for a while, and only so many calls are under way at once. Built on
 * cockatiel.
 *
 * Rejects with `TIMEOUT`, `CIRCUIT_OPEN`, `QUEUE_FULL`, or what the backend itself rejected with.
 */
export class ResilientBackend implements CacheBackend {
  readonly name: string
  readonly compareAndSet?: (key: string, expected: string | undefined, next: Item | undefined) => Promise<boolean>
  readonly increment?: (key: string, delta: number, expiresAt?: number) => Promise<number>
  readonly keys?: (prefix?: string) => AsyncIterable<string>
  readonly stats?: () => Promise<BackendStats>
  readonly near?: NearReader
  readonly inTransaction?: (transaction: unknown) => CacheBackend
  readonly getMany?: (keys: readonly string[]) => Promise<(Item | undefined)[]>
  readonly setMany?: (items: readonly Item[]) => Promise<void>
  readonly deleteMany?: (keys: readonly string[]) => Promise<number>
  readonly #backend: CacheBackend
  readonly #guard: Guard
  readonly #hub = new EventHub()
  readonly #life: Lifecycle
  readonly #parts: CompositeParts

  /** Throws `INVALID_ARGUMENT` for unknown options and values that are not allowed. */
  constructor(options: ResilientOptions) {
    const resolved = resolveOptions(options)
    const { backend } = resolved
    this.#backend = backend
    this.name = backend.name
    this.#life = new Lifecycle(this.name)
    this.#guard = new Guard(resolved, (failure) => this.#opened(failure))
    forwardCapabilities<ResilientBackend>(this, [backend], {
      getMany: (getMany) => (keys) =>
        this.#run(
          'read',
          'getMany',
          undefined,
          () => getMany(keys),
          () => checkKeys(keys, 'getMany'),
        ),
      setMany: (setMany) => (items) =>
        this.#run(
          'write',
          'setMany',
          undefined,
          () => setMany(items),
          () => checkItems(items, 'setMany'),
        ),
      deleteMany: (deleteMany) => (keys) =>
        this.#run(
          'write',
          'deleteMany',
          undefined,
          () => deleteMany(keys),
          () => checkKeys(keys, 'deleteMany'),
        ),
      compareAndSet: (compareAndSet) => (key, expected, next) =>
        this.#run(
          'once',
          'compareAndSet',
          key,
          () => compareAndSet(key, expected, next),
          () => checkComparison(key, expected, next),
        ),
      increment: (increment) => (key, delta, expiresAt) =>
        this.#run(
          'once',
          'increment',
          key,
          () => increment(key, delta, expiresAt),
          () => checkIncrement(key, delta, expiresAt),
        ),
      keys: (keys) => (prefix) => this.#keys(keys, prefix),
      stats: (stats) => () => this.#run('read', 'stats', undefined, () => stats()),
      describe: 'own',
      listen: 'own',
      // Not guarded: a failure ends the transaction, so a second try would fail as well.
      inTransaction: (inTransaction) => inTransaction,
      near: (near) => ({
        get: (key) => (this.#life.isClosed ? undefined : near.get(key)),
        generation: () => (this.#life.isClosed ? undefined : near.generation?.()),
      }),
      sync: { absent: 'a time limit and a retry need calls that return promises' },
      close: 'own',
    })
    this.#parts = new CompositeParts([backend], resolved.closeParts)
  }

  /** `open`: calls are refused. `halfOpen`: one call probes the store, others wait for its outcome. */
  get circuit(): CircuitStateName {
    return this.#guard.state
  }

  get(key: string): Promise<Item | undefined> {
    return this.#run(
      'read',
      'get',
      key,
      () => this.#backend.get(key),
      () => checkKey(key, 'get'),
    )
  }

  set(item: Item): Promise<void> {
    return this.#run(
      'write',
      'set',
      item?.key,
      () => this.#backend.set(item),
      () => checkItem(item, 'set'),
    )
  }

  /** Resolves to what the last try met: `false` also where an earlier try removed the item and its answer was lost. */
  delete(key: string): Promise<boolean> {
    return this.#run(
      'write',
      'delete',
      key,
      () => this.#backend.delete(key),
      () => checkKey(key, 'delete'),
    )
  }

  clear(prefix?: string): Promise<void> {
    const { clear } = this.#backend
    return this.#run(
      'write',
      'clear',
      undefined,
      () => (prefix === undefined ? clear.call(this.#backend) : clear.call(this.#backend, prefix)),
      () => checkPrefix(prefix, 'clear'),
    )
  }

  /** The backend inside, the circuit and the queue of the bulkhead. An open circuit makes the whole `down`. */
  describe(): BackendPart {
    const parts = [{ ...describeBackend(this.#backend), essential: true }, ...this.#guard.describe()]
    return { kind: 'store', name: 'resilient', ...openOrClosed(this.#life.isClosed), backend: this, parts }
  }

  /** What the backend tells, and an `error` with `CIRCUIT_OPEN` each time that the circuit opens. */
  listen(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void {
    const ends = [this.#hub.listen(listener, types), this.#backend.listen?.(listener, types)]
    return () => {
      for (const end of ends.splice(0)) end?.()
    }
  }

  /**
   * Waits for calls in flight, at most as long as their time limit, then closes the backend. A backend with another open user
   * stays open; with `closeParts: false` it always does.
   */
  close(): Promise<void> {
    return this.#life.closeInTime((deadline) => this.#parts.close(deadline))
  }

  /** `check` throws for wrong arguments, before the guard counts the call. */
  #run<Answer>(
    kind: Kind,
    operation: string,
    key: string | undefined,
    work: () => Promise<Answer>,
    check: () => void = () => {},
  ): Promise<Answer> {
    const call: Call = { operation, backend: this.name, key }
    return this.#life.run(operation, key, () => {
      check()
      return this.#guard.run(kind, call, work)
    })
  }

  async *#keys(keysOf: NonNullable<CacheBackend['keys']>, prefix: string | undefined): AsyncGenerator<string> {
    checkPrefix(prefix, 'keys')
    const steps = keysOf(prefix)[Symbol.asyncIterator]()
    let ended = false
    try {
      for (;;) {
        const step = await this.#run('once', 'keys', undefined, () => steps.next())
        ended = step.done === true
        if (step.done) return
        yield step.value
      }
    } finally {
      // Not waited for: after a step that timed out it would wait as long as that step does.
      if (!ended) void Promise.resolve(steps.return?.()).catch(() => {})
    }
  }

  #opened(failure: unknown): void {
    if (!this.#hub.wants('error')) return
    const details = { operation: 'circuit', backend: this.name, cause: failure }
    this.#hub.emit({ type: 'error', error: new CacheError('CIRCUIT_OPEN', 'the circuit has opened', details) })
  }
}
