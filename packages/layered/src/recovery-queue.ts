import {
  type BackendPart,
  BackoffTimer,
  type CacheBackend,
  type Clock,
  type EventHub,
  settleAll,
} from '@cache/core/backend'
import type { Announcement } from './bus-link.ts'
import type { ResolvedRecovery } from './options.ts'

/** A delete of one key, or of all keys with a prefix. */
interface PendingDelete {
  readonly kind: 'key' | 'prefix'
  readonly target: string
  /** Whether a call has resolved that relies on this delete. The others make room for such a delete. */
  isPromised: boolean
  /** The retry under way. */
  retry: Promise<void> | undefined
}

/**
 * Deletes that the authority has not done yet (RACES R11). Until then, this process reads the keys as missing; afterwards
 * it announces them. The queue is in memory and ends with the process.
 */
export class RecoveryQueue {
  readonly #authority: CacheBackend
  readonly #options: ResolvedRecovery
  readonly #hub: EventHub
  readonly #clock: Clock
  readonly #announce: (announcement: Announcement) => Promise<void>
  readonly #timer: BackoffTimer
  readonly #keys = new Map<string, PendingDelete>()
  readonly #prefixes = new Set<PendingDelete>()
  #failedAt = -Infinity
  #draining = false
  #isClosing = false

  constructor(
    authority: CacheBackend,
    options: ResolvedRecovery,
    hub: EventHub,
    clock: Clock,
    announce: (announcement: Announcement) => Promise<void>,
  ) {
    this.#authority = authority
    this.#options = options
    this.#hub = hub
    this.#clock = clock
    this.#announce = announce
    this.#timer = new BackoffTimer(clock, options.retryDelay, options.maxRetryDelay, () => void this.drain())
  }

  get size(): number {
    return this.#keys.size + this.#prefixes.size
  }

  get bound(): number {
    return this.#options.maxPending
  }

  describe(): BackendPart {
    const pending = this.size
    const state: Pick<BackendPart, 'status' | 'message'> =
      pending === 0
        ? { status: 'ok' }
        : { status: 'degraded', message: `${pending} removals wait for the last layer to do them` }
    return { kind: 'recovery', name: 'recovery', ...state, pending, limit: this.bound }
  }

  /** Whether the last addition is more recent than the delay of the first retry. */
  get hasJustFailed(): boolean {
    const age = this.#clock.now() - this.#failedAt
    return age >= 0 && age < this.#options.retryDelay
  }

  /** Whether a delete of the key, or of a prefix of it, is pending. */
  has(key: string): boolean {
    return this.size !== 0 && (this.#keys.has(key) || this.#covers(key))
  }

  /**
   * Adds all of the keys, or none and returns `false` if the queue would pass its bound. `isPromised`: the call of the
   * application resolves, and relies on the queue.
   */
  add(keys: readonly string[], isPromised = true): boolean {
    const added = new Set(keys.filter((key) => !this.#isCovered(key)))
    if (!this.#makeRoom(added.size, isPromised)) return false
    const isFirst = this.size === 0
    for (const target of added) this.#keys.set(target, { kind: 'key', target, isPromised, retry: undefined })
    if (isPromised) this.rely(keys)
    this.#added(isFirst && added.size > 0)
    return true
  }

  /** A call of the application relies on the pending deletes of these keys from now on. */
  rely(keys: readonly string[]): void {
    for (const key of keys) {
      const own = this.#keys.get(key)
      if (own !== undefined) own.isPromised = true
    }
  }

  /** Adds all keys with the prefix, or returns `false` if the queue would pass its bound. */
  addPrefix(prefix: string): boolean {
    if (this.#covers(prefix, true)) {
      this.#added(false)
      return true
    }
    const isFirst = this.size === 0
    this.#removeIdle(prefix)
    if (!this.#makeRoom(1, true)) return false
    this.#prefixes.add({ kind: 'prefix', target: prefix, isPromised: true, retry: undefined })
    this.#added(isFirst)
    return true
  }

  /**
   * Does the pending deletes of this key. Rejects when the authority fails again; the deletes then stay in the queue.
   * Every change of the key calls this first: a late retry must not remove an item that was written after the delete.
   */
  async retry(key: string): Promise<void> {
    await settleAll(this.#of(key).map((pending) => this.#retry(pending)))
  }

  /**
   * Waits for the retries of this key that are under way. A delete that begins now must not join them: the authority may
   * have done them before another process wrote the key.
   */
  async retriesEnded(key: string): Promise<void> {
    await Promise.allSettled(this.#of(key).map((pending) => pending.retry))
  }

  /** Removes the deletes that a clear of the authority has done. A retry under way ends by itself. */
  cleared(prefix: string): void {
    const before = this.size
    this.#removeIdle(prefix)
    if (before > 0) this.#checkDrained()
  }

  /** Retries all pending deletes. Stops at the first failure and plans the next retry. */
  async drain(): Promise<void> {
    if (this.#draining) return
    this.#draining = true
    try {
      for (const pending of [...this.#prefixes, ...this.#keys.values()]) await this.#retry(pending)
    } catch {
      if (!this.#isClosing) this.#timer.schedule()
    } finally {
      this.#draining = false
    }
  }

  /** Retries once more. What `size` counts afterwards is lost. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#timer.reset()
    await this.drain()
  }

  #of(key: string): PendingDelete[] {
    const found = [...this.#prefixes].filter(({ target }) => key.startsWith(target))
    const own = this.#keys.get(key)
    return own === undefined ? found : [...found, own]
  }

  /** Whether a pending prefix includes the key. With `idle`, a prefix whose retry is under way does not count. */
  #covers(key: string, idle = false): boolean {
    for (const { target, retry } of this.#prefixes) {
      if (key.startsWith(target) && !(idle && retry !== undefined)) return true
    }
    return false
  }

  /** Whether a delete of the key that has not begun is pending. */
  #isCovered(key: string): boolean {
    const own = this.#keys.get(key)
    return (own !== undefined && own.retry === undefined) || this.#covers(key, true)
  }

  #makeRoom(count: number, isPromised: boolean): boolean {
    let excess = this.size + count - this.bound
    if (excess <= 0) return true
    const movable = isPromised
      ? [...this.#keys.values()].filter((one) => !one.isPromised && one.retry === undefined)
      : []
    if (movable.length < excess) {
      this.#emit('overflowed')
      return false
    }
    for (const { target } of movable) {
      if (excess <= 0) break
      this.#keys.delete(target)
      excess -= 1
    }
    return true
  }

  #added(isStart: boolean): void {
    this.#failedAt = this.#clock.now()
    if (isStart) this.#emit('started')
    if (!this.#isClosing) this.#timer.schedule()
  }

  /** Removes the deletes under the prefix whose retry is not under way. */
  #removeIdle(prefix: string): void {
    for (const [key, { retry }] of this.#keys) {
      if (retry === undefined && key.startsWith(prefix)) this.#keys.delete(key)
    }
    for (const pending of this.#prefixes) {
      if (pending.retry === undefined && pending.target.startsWith(prefix)) this.#prefixes.delete(pending)
    }
  }

  #retry(pending: PendingDelete): Promise<void> {
    if (!this.#isPending(pending)) return Promise.resolve()
    pending.retry ??= this.#attempt(pending).finally(() => {
      pending.retry = undefined
    })
    return pending.retry
  }

  #isPending(pending: PendingDelete): boolean {
    return pending.kind === 'key' ? this.#keys.get(pending.target) === pending : this.#prefixes.has(pending)
  }

  async #attempt(pending: PendingDelete): Promise<void> {
    const { kind, target } = pending
    if (kind === 'key') await this.#authority.delete(target)
    else await (target === '' ? this.#authority.clear() : this.#authority.clear(target))
    if (kind === 'prefix') this.#prefixes.delete(pending)
    else if (this.#keys.get(target) === pending) this.#keys.delete(target)
    this.#checkDrained()
    await this.#announce(kind === 'key' ? { kind: 'delete', keys: [target] } : { kind: 'clear', prefix: target })
  }

  #checkDrained(): void {
    if (this.size > 0) return
    this.#timer.reset()
    this.#emit('drained')
  }

  #emit(state: 'started' | 'drained' | 'overflowed'): void {
    this.#hub.emit({ type: 'recovery', state, pending: this.size })
  }
}
