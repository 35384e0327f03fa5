import { BackoffTimer, type CacheBackend, type Clock, type EventHub } from '@cache/core/backend'
import type { ResolvedRecovery } from './options.ts'

/**
 * Deletes whose calls have resolved before the authority has done them (RACES R11). Until then, this process reads the
 * keys as missing; afterwards it announces them. The queue is in memory and ends with the process.
 */
export class RecoveryQueue {
  readonly #authority: CacheBackend
  readonly #maxPending: number
  readonly #hub: EventHub
  readonly #announce: (key: string) => Promise<void>
  readonly #timer: BackoffTimer
  readonly #pending = new Set<string>()
  readonly #retries = new Map<string, Promise<void>>()
  #draining = false

  constructor(
    authority: CacheBackend,
    options: ResolvedRecovery,
    hub: EventHub,
    clock: Clock,
    announce: (key: string) => Promise<void>,
  ) {
    this.#authority = authority
    this.#maxPending = options.maxPending
    this.#hub = hub
    this.#announce = announce
    this.#timer = new BackoffTimer(clock, options.retryDelay, options.maxRetryDelay, () => void this.drain())
  }

  get size(): number {
    return this.#pending.size
  }

  get bound(): number {
    return this.#maxPending
  }

  has(key: string): boolean {
    return this.#pending.size !== 0 && this.#pending.has(key)
  }

  /** Adds all of the keys, or none and returns `false` if the queue would pass its bound. */
  add(keys: Iterable<string>): boolean {
    const added = new Set<string>()
    for (const key of keys) if (!this.#pending.has(key)) added.add(key)
    if (this.#pending.size + added.size > this.#maxPending) {
      this.#emit('overflowed')
      return false
    }
    const first = this.#pending.size === 0
    for (const key of added) this.#pending.add(key)
    if (first && added.size > 0) this.#emit('started')
    this.#timer.schedule()
    return true
  }

  /**
   * Does the pending delete of this key. Rejects when the authority fails again; the key then stays in the queue. Every
   * change of the key calls this first: a late retry must not remove an item that was written after the delete.
   */
  retry(key: string): Promise<void> {
    const running = this.#retries.get(key)
    if (running !== undefined) return running
    if (!this.#pending.has(key)) return Promise.resolve()
    const retrying = this.#delete(key).finally(() => this.#retries.delete(key))
    this.#retries.set(key, retrying)
    return retrying
  }

  /** Removes the keys of a prefix that the authority has cleared. A delete under way ends by itself. */
  cleared(prefix: string): void {
    for (const key of this.#pending) if (key.startsWith(prefix) && !this.#retries.has(key)) this.#done(key)
  }

  /** Retries all pending deletes. Stops at the first failure and plans the next retry. */
  async drain(): Promise<void> {
    if (this.#draining) return
    this.#draining = true
    try {
      for (const key of [...this.#pending]) await this.retry(key)
    } catch {
      this.#timer.schedule()
    } finally {
      this.#draining = false
    }
  }

  /** Retries once more. Resolves to the number of deletes that are lost. */
  async close(): Promise<number> {
    await this.drain()
    this.#timer.reset()
    return this.#pending.size
  }

  async #delete(key: string): Promise<void> {
    await this.#authority.delete(key)
    this.#done(key)
    await this.#announce(key)
  }

  #done(key: string): void {
    if (!this.#pending.delete(key) || this.#pending.size > 0) return
    this.#timer.reset()
    this.#emit('drained')
  }

  #emit(state: 'started' | 'drained' | 'overflowed'): void {
    this.#hub.emit({ type: 'recovery', state, pending: this.#pending.size })
  }
}
