import {
  type BackendEvent,
  type BackendPart,
  type BackendStats,
  type CacheBackend,
  CacheError,
  CallsInFlight,
  CompositeParts,
  cacheErrorCode,
  checkComparison,
  checkIncrement,
  checkItem,
  checkItems,
  checkKey,
  checkKeys,
  checkPrefix,
  deleteMany,
  describeBackend,
  EventHub,
  forwardCapabilities,
  getMany,
  type Item,
  Lifecycle,
  type NearReader,
  openOrClosed,
  setMany,
} from '@cache/core/backend'
import { type Change, ChangedKeys } from './changed-keys.ts'
import { asCacheError } from './errors.ts'
import { type FailoverOptions, type ResolvedFailoverOptions, resolveFailover } from './failover-options.ts'

const name = 'failover'
/** Nobody stores it: the answer says only that the primary answers. */
const probeKey = '@!failover:probe'
const keysPerDelete = 500

/**
 * The primary while it can be reached, else the secondary ("Redis if it is there, else memory").
 *
 * The secondary takes over with the call that found the primary unreachable (`UNAVAILABLE`, `TIMEOUT`, `CIRCUIT_OPEN`), and is
 * empty then. While it serves, every changed key is remembered. When the primary answers again, what was changed is removed from
 * it, because it may be old there; only then does it serve again, and the secondary is cleared. Nothing is carried over in either
 * direction: a failover costs loads, never an old value. Counters, locks and rate limits begin anew at the secondary, in each
 * process for itself.
 *
 * The secondary belongs to this backend: nothing else may use it.
 */
export class FailoverBackend implements CacheBackend {
  readonly name: string = name
  readonly compareAndSet?: (key: string, expected: string | undefined, next: Item | undefined) => Promise<boolean>
  readonly increment?: (key: string, delta: number, expiresAt?: number) => Promise<number>
  readonly keys?: (prefix?: string) => AsyncIterable<string>
  readonly near?: NearReader
  readonly #options: ResolvedFailoverOptions
  readonly #hub = new EventHub()
  readonly #changed: ChangedKeys
  readonly #life = new Lifecycle(name)
  readonly #parts: CompositeParts
  /** Calls that the secondary is answering. */
  readonly #atSecondary = new CallsInFlight()
  #active: 'primary' | 'secondary' = 'primary'
  #failures = 0
  /** The secondary is known to hold nothing. */
  #empty = false
  #nextProbe = 0
  #takingOver: Promise<void> | undefined
  #returning: Promise<void> | undefined
  /** Calls wait here for the moment in which the primary takes over again. */
  #gate: Promise<void> | undefined

  /** `[primary, secondary]`. Throws `INVALID_ARGUMENT` for anything else, unknown options and values that are not allowed. */
  constructor(backends: readonly [CacheBackend, CacheBackend], options: FailoverOptions = {}) {
    this.#options = resolveFailover(backends, options)
    this.#changed = new ChangedKeys(this.#options.maxChanged)
    const { primary, secondary } = this.#options
    const serves = (): boolean => this.#serves('primary') && !this.#life.isClosed
    forwardCapabilities<FailoverBackend>(this, [primary, secondary], {
      getMany: 'own',
      setMany: 'own',
      deleteMany: 'own',
      compareAndSet: (atPrimary, atSecondary) => (key, expected, next) =>
        this.#run(
          'compareAndSet',
          key,
          (backend) => (backend === primary ? atPrimary : atSecondary)(key, expected, next),
          { keys: [key] },
          () => checkComparison(key, expected, next),
        ),
      increment: (atPrimary, atSecondary) => (key, delta, expiresAt) =>
        this.#run(
          'increment',
          key,
          (backend) => (backend === primary ? atPrimary : atSecondary)(key, delta, expiresAt),
          { keys: [key] },
          () => checkIncrement(key, delta, expiresAt),
        ),
      keys: (atPrimary, atSecondary) => (prefix) => this.#keys(atPrimary, atSecondary, prefix),
      stats: 'own',
      describe: 'own',
      listen: 'own',
      inTransaction: { absent: "a transaction belongs to the primary's database, so the secondary cannot take over" },
      near: {
        from: [primary],
        make: (near) => ({
          get: (key) => (serves() ? near.get(key) : undefined),
          generation: () => (serves() ? near.generation?.() : undefined),
        }),
      },
      sync: { absent: 'the primary may be remote, so calls return promises' },
      close: 'own',
    })
    this.#parts = new CompositeParts([primary, secondary], this.#options.closeParts)
  }

  /** Which of the two serves now. */
  get active(): 'primary' | 'secondary' {
    return this.#active
  }

  get(key: string): Promise<Item | undefined> {
    return this.#run(
      'get',
      key,
      (backend) => backend.get(key),
      undefined,
      () => checkKey(key, 'get'),
    )
  }

  getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.#run(
      'getMany',
      undefined,
      (backend) => getMany(backend, keys),
      undefined,
      () => checkKeys(keys, 'getMany'),
    )
  }

  set(item: Item): Promise<void> {
    return this.#run(
      'set',
      item?.key,
      (backend) => backend.set(item),
      { keys: [item?.key] },
      () => checkItem(item, 'set'),
    )
  }

  setMany(items: readonly Item[]): Promise<void> {
    const change = { keys: Array.isArray(items) ? items.map((item) => item?.key) : [] }
    return this.#run(
      'setMany',
      undefined,
      (backend) => setMany(backend, items),
      change,
      () => checkItems(items, 'setMany'),
    )
  }

  delete(key: string): Promise<boolean> {
    return this.#run(
      'delete',
      key,
      (backend) => backend.delete(key),
      { keys: [key] },
      () => checkKey(key, 'delete'),
    )
  }

  deleteMany(keys: readonly string[]): Promise<number> {
    return this.#run(
      'deleteMany',
      undefined,
      (backend) => deleteMany(backend, keys),
      { keys },
      () => checkKeys(keys, 'deleteMany'),
    )
  }

  clear(prefix?: string): Promise<void> {
    const clear = (backend: CacheBackend): Promise<void> =>
      prefix === undefined ? backend.clear() : backend.clear(prefix)
    return this.#run('clear', undefined, clear, { prefix: prefix ?? '' }, () => checkPrefix(prefix, 'clear'))
  }

  stats(): Promise<BackendStats> {
    return this.#run('stats', undefined, async (backend) => (await backend.stats?.()) ?? {})
  }

  /** Both backends, and the changes that the primary has yet to learn. The whole is down when both are. */
  describe(): BackendPart {
    const { primary, secondary, maxChanged } = this.#options
    const state: Pick<BackendPart, 'status' | 'message'> = this.#serves('primary')
      ? { status: 'ok' }
      : { status: 'degraded', message: 'the secondary serves in place of the primary' }
    const recovery: BackendPart = {
      kind: 'recovery',
      name: 'changes since the take-over',
      ...state,
      pending: this.#changed.size,
      limit: maxChanged,
    }
    const parts = [describeBackend(primary), describeBackend(secondary), recovery]
    return { kind: 'store', name, ...openOrClosed(this.#life.isClosed), backend: this, parts }
  }

  /**
   * What both backends tell; an `error` with `UNAVAILABLE` when the secondary takes over; `recovery` with `started` at the first
   * change there, `overflowed` when all of the primary has to be cleared for it, and `drained` when the primary serves again.
   */
  listen(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void {
    const { primary, secondary } = this.#options
    const ends = [
      this.#hub.listen(listener, types),
      primary.listen?.(listener, types),
      secondary.listen?.(listener, types),
    ]
    return () => {
      for (const end of ends.splice(0)) end?.()
    }
  }

  /**
   * Waits for calls in flight, then closes both backends. A backend with another open user stays open; with
   * `closeParts: false` both do. Rejects with the first failure, after both have closed.
   */
  close(): Promise<void> {
    return this.#life.closeInTime(
      async (deadline) => {
        try {
          await deadline.wait("the primary's return", this.#returned(), 0.7)
        } finally {
          await this.#parts.close(deadline)
        }
      },
      { clock: this.#options.clock },
    )
  }

  /** Resolves when no return to the primary is under way. */
  async #returned(): Promise<void> {
    await this.#returning?.catch(() => {})
  }

  #run<Answer>(
    operation: string,
    key: string | undefined,
    call: (backend: CacheBackend) => Promise<Answer>,
    change?: Change,
    check: () => void = () => {},
  ): Promise<Answer> {
    return this.#life.run(operation, key, () => {
      check()
      return this.#answer(call, change)
    })
  }

  async #answer<Answer>(call: (backend: CacheBackend) => Promise<Answer>, change: Change | undefined): Promise<Answer> {
    for (;;) {
      if (this.#gate !== undefined) await this.#gate
      // Nothing may come between this look and the call: a change at the secondary must be remembered before the primary returns.
      if (this.#serves('secondary')) return this.#answerBySecondary(call, change)
      try {
        const answer = await call(this.#options.primary)
        this.#failures = 0
        return answer
      } catch (error) {
        if (!isUnreachable(error)) throw error
        await this.#takeOver(error)
      }
    }
  }

  #serves(backend: 'primary' | 'secondary'): boolean {
    return this.#active === backend
  }

  #answerBySecondary<Answer>(
    call: (backend: CacheBackend) => Promise<Answer>,
    change: Change | undefined,
  ): Promise<Answer> {
    // Before the call, not after: the primary is old from the moment in which the secondary may have changed, and also where
    // the primary did the change itself and only its answer was lost.
    if (change !== undefined) this.#remember(change)
    if (this.#probeIsDue()) this.#probe()
    return this.#atSecondary.run(() => call(this.#options.secondary))
  }

  /** Resolves when the secondary serves; rejects with the primary's error when it does not, or not yet. */
  async #takeOver(error: unknown): Promise<void> {
    if (this.#serves('secondary')) return
    this.#failures += 1
    if (this.#failures < this.#options.failures) throw error
    this.#takingOver ??= this.#empty ? Promise.resolve() : this.#options.secondary.clear()
    try {
      await this.#takingOver
    } catch {
      throw error
    } finally {
      this.#takingOver = undefined
    }
    // Another call of the same moment may have been here before.
    if (this.#serves('secondary')) return
    this.#active = 'secondary'
    this.#empty = false
    this.#nextProbe = this.#options.clock.now() + this.#options.probeEvery
    this.#tellTakeOver(error)
  }

  #probeIsDue(): boolean {
    const left = this.#nextProbe - this.#options.clock.now()
    // Farther away than it was ever put: the clock was set back.
    return left <= 0 || left > this.#options.probeEvery
  }

  #probe(): void {
    if (this.#returning !== undefined || this.#life.isClosed) return
    this.#returning = this.#return()
      .catch(() => {})
      .finally(() => {
        this.#returning = undefined
        this.#nextProbe = this.#options.clock.now() + this.#options.probeEvery
      })
  }

  /** Asks the primary; if it answers, removes what is old there and lets it serve. Rejects when it fails at any of this. */
  async #return(): Promise<void> {
    const { primary, secondary } = this.#options
    await primary.get(probeKey)
    // Most of it while the secondary goes on serving, the rest behind the gate.
    await this.#removeOld()
    let open = (): void => {}
    this.#gate = new Promise((resolve) => {
      open = resolve
    })
    try {
      await this.#atSecondary.idle()
      await this.#removeOld()
      this.#active = 'primary'
      this.#failures = 0
    } finally {
      this.#gate = undefined
      open()
    }
    if (this.#hub.wants('recovery')) this.#hub.emit({ type: 'recovery', state: 'drained', pending: 0 })
    await secondary.clear()
    this.#empty = this.#serves('primary')
  }

  async #removeOld(): Promise<void> {
    const { primary } = this.#options
    for (
      let change = this.#changed.take(keysPerDelete);
      change !== undefined;
      change = this.#changed.take(keysPerDelete)
    ) {
      try {
        if ('keys' in change) await deleteMany(primary, change.keys)
        else await (change.prefix === '' ? primary.clear() : primary.clear(change.prefix))
      } catch (error) {
        this.#changed.add(change)
        throw error
      }
    }
  }

  #remember(change: Change): void {
    const first = this.#changed.size === 0
    const overflowed = this.#changed.add(change)
    if (!this.#hub.wants('recovery')) return
    const pending = this.#changed.size
    if (first && pending > 0) this.#hub.emit({ type: 'recovery', state: 'started', pending })
    if (overflowed) this.#hub.emit({ type: 'recovery', state: 'overflowed', pending })
  }

  #tellTakeOver(cause: unknown): void {
    if (!this.#hub.wants('error')) return
    const details = { operation: 'failover', backend: name, cause }
    const error = new CacheError('UNAVAILABLE', 'the primary cannot be reached: the secondary has taken over', details)
    this.#hub.emit({ type: 'error', error })
  }

  async *#keys(
    atPrimary: NonNullable<CacheBackend['keys']>,
    atSecondary: NonNullable<CacheBackend['keys']>,
    prefix: string | undefined,
  ): AsyncGenerator<string> {
    this.#life.refuseWhenClosed('keys')
    checkPrefix(prefix, 'keys')
    if (this.#gate !== undefined) await this.#gate
    if (this.#serves('primary')) {
      try {
        yield* atPrimary(prefix)
        return
      } catch (error) {
        if (!isUnreachable(error)) throw asCacheError(error, { operation: 'keys', backend: name })
        await this.#takeOver(error)
      }
    }
    yield* atSecondary(prefix)
  }
}

/** The store cannot be reached. Other failures are answers. */
function isUnreachable(error: unknown): boolean {
  const code = cacheErrorCode(error)
  return code === 'UNAVAILABLE' || code === 'TIMEOUT' || code === 'CIRCUIT_OPEN'
}
