import type { Item } from '../../protocol/item.ts'

/**
 * The step that a flight is at.
 *
 * - `looking`: the key is being looked up, or the look-up ended without a load
 * - `loading`: the loader runs
 * - `storing`: the result is on its way into a store that other processes change too, on a condition
 * - `writing`: the result is on its way into a store without conditions; a later write waits for it
 * - `abandoned`: every caller left, or the flight held its key for too long; no load starts for it
 */
export type Phase = 'looking' | 'loading' | 'storing' | 'writing' | 'abandoned'

/**
 * The extent to which the result of a flight may be used.
 *
 * - `valid`: this process changed nothing that the result depends on
 * - `recheck`: this process invalidated a tag that the result may have; later callers look again
 * - `discarded`: this process changed the key or a tag of the result; it is not stored, and no caller joins
 */
export type Validity = 'valid' | 'recheck' | 'discarded'

/**
 * One look-up and, if needed, one load of a key, shared by all callers that ask while it runs (single flight, after Go's groupcache).
 * Its state changes through the methods below only.
 */
export class Flight {
  readonly key: string
  /** The tag records that the caller of the load declared. */
  readonly tags: readonly string[]
  /** The record that changes with every tag of the namespace. */
  readonly namespaceRecord: string
  readonly startedAt: number
  /** The instant until which the flight holds its key: twice the timeout of the call that began it (RACES R22). */
  readonly heldUntil: number
  /** Whether its loader may name tags that are unknown before the load ends. */
  namesTags = false
  /** The tag records that its loader has named. */
  named: readonly string[] = []
  /** Whether a caller came while its load ran already. */
  joined = false
  /** The look-up, shared while it is pending. */
  lookUp: Promise<unknown> | undefined
  /** The item of the look-up that may be served while the load runs. Later callers look again for themselves. */
  stale: Item | undefined
  /** Callers that wait; when the last one aborts, the load is aborted too (RACES R24). */
  waiting = 0
  /** Whether the load goes on without waiting callers (RACES R22, R23). */
  background = false
  /** Asks the store whether anything that the load depends on has changed; absent if the store cannot tell. */
  compareWithStore: (() => Promise<boolean>) | undefined
  #phase: Phase = 'looking'
  #validity: Validity = 'valid'
  #result: Promise<unknown> | undefined
  #write: Promise<unknown> | undefined
  /** Whether another process changed something that the load depends on. */
  #outdated = false
  /** Whether the store failed before it could tell that. */
  #isUncertain = false
  /** Resolves to whether nothing had changed just before this process changed something itself. */
  #unchanged: Promise<boolean> | undefined
  #controller: AbortController | undefined

  constructor(
    key: string,
    tags: readonly string[],
    namespaceRecord: string,
    { startedAt, timeout }: { readonly startedAt: number; readonly timeout: number },
  ) {
    this.key = key
    this.tags = tags
    this.namespaceRecord = namespaceRecord
    this.startedAt = startedAt
    this.heldUntil = startedAt + 2 * timeout
  }

  get phase(): Phase {
    return this.#phase
  }

  get validity(): Validity {
    return this.#validity
  }

  /** The load; resolves to its value. Absent until the look-up has shown that a load is needed. */
  get result(): Promise<unknown> | undefined {
    return this.#result
  }

  /** The unconditional write of the result. A later write of the key waits for it (RACES R1, R5). */
  get write(): Promise<unknown> | undefined {
    return this.#write
  }

  beginLoad(result: Promise<unknown>): void {
    this.#result = result
    if (this.#phase === 'looking') this.#phase = 'loading'
  }

  /** The result is being stored on a condition: callers who come from now on wait, and look it up in the store. */
  beginStore(): void {
    if (this.#phase === 'loading') this.#phase = 'storing'
  }

  /** The result is being stored without a condition. */
  beginWrite(write: Promise<unknown>): void {
    this.#write = write
    if (this.#phase === 'loading') this.#phase = 'writing'
  }

  /** Ends the load for its callers. The reason is that of the load's signal. */
  abandon(reason: unknown): void {
    this.#phase = 'abandoned'
    this.#controller ??= new AbortController()
    this.#controller.abort(reason)
  }

  /**
   * This process changes the key or a tag of the result: a delete, a clear, a set, a tag invalidation. Callers already waiting get the
   * value. It is not stored, and later callers start a flight of their own (RACES R1, R2, R4, R5).
   */
  invalidate(): void {
    this.#compareForJoined()
    this.#validity = 'discarded'
  }

  /** This process invalidates a tag that the result may have. The captured versions decide whether the result is stored (RACES R2, R4). */
  suspect(): void {
    this.#compareForJoined()
    if (this.#validity === 'valid') this.#validity = 'recheck'
  }

  /** Another process changed what the load depends on, or stored the value: callers who joined may have come after that (RACES R2). */
  markOutdated(): void {
    this.#outdated = true
  }

  /** The store failed, so it did not tell whether another process changed what the load depends on. It counts as a change. */
  markUncertain(): void {
    this.#outdated = true
    this.#isUncertain = true
  }

  /** Whether the store failed. Callers who look again then load, because they can expect nothing better of the store. */
  get isUncertain(): boolean {
    return this.#isUncertain
  }

  /** Resolves to whether the value is current for callers who joined the running load. */
  isCurrent(): Promise<boolean> | boolean {
    return !this.#outdated && (this.#unchanged ?? true)
  }

  /** Created only when a loader asks for it. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }

  /**
   * After a change by this process the result is no longer compared with the store, so an earlier change by another process would
   * stay undetected. Callers who joined after that change would get the old value (RACES R2).
   */
  #compareForJoined(): void {
    if (this.joined && this.waiting > 0) this.#unchanged ??= this.compareWithStore?.()
  }
}
