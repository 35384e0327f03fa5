import { BackoffTimer, type CacheBackend, type Clock, type EventHub } from '@cache/core/backend'
import type { ResolvedRecovery } from './options.ts'

/**
 * Deletes that were acknowledged and that the authority has not done yet (RACES R11). Until it has, this process reads the
 * keys as missing; then they are announced. The queue lives in memory and ends with the process.
 */
export class RecoveryQueue {
  readonly #authority: CacheBackend
  readonly #maxPending: number
  readonly #hub: EventHub
  readonly #announce: (key: string) => Promise<void>
  readonly #timer: BackoffTimer
  readonly #pending = new Set<string>()
  readonly #attempts = new Map<string, Promise<void>>()
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

  /** Takes all of the keys or, where they would pass the bound, none: `false`. */
  add(keys: Iterable<string>): boolean {
    const fresh = new Set<string>()
    for (const key of keys) if (!this.#pending.has(key)) fresh.add(key)
    if (this.#pending.size + fresh.size > this.#maxPending) {
      this.#tell('overflowed')
      return false
    }
    const first = this.#pending.size === 0
    for (const key of fresh) this.#pending.add(key)
    if (first && fresh.size > 0) this.#tell('started')
    this.#timer.schedule()
    return true
  }

  /**
   * Does the waiting delete of this key now. Rejects when the authority still fails; the key then goes on waiting. Whatever
   * changes the key goes through here first, so that a late retry never removes what was written after the delete.
   */
  settle(key: string): Promise<void> {
    const running = this.#attempts.get(key)
    if (running !== undefined) return running
    if (!this.#pending.has(key)) return Promise.resolve()
    const attempt = this.#attempt(key).finally(() => this.#attempts.delete(key))
    this.#attempts.set(key, attempt)
    return attempt
  }

  /** The authority was cleared of every key with this prefix. A delete that is being tried ends by itself. */
  cleared(prefix: string): void {
    for (const key of this.#pending) if (key.startsWith(prefix) && !this.#attempts.has(key)) this.#done(key)
  }

  /** Tries all that waits; stops at the first failure and plans the next try. */
  async drain(): Promise<void> {
    if (this.#draining) return
    this.#draining = true
    try {
      for (const key of [...this.#pending]) await this.settle(key)
    } catch {
      this.#timer.schedule()
    } finally {
      this.#draining = false
    }
  }

  /** Tries once more, then gives up what is left; resolves to how many deletes that were. */
  async close(): Promise<number> {
    await this.drain()
    this.#timer.reset()
    return this.#pending.size
  }

  async #attempt(key: string): Promise<void> {
    await this.#authority.delete(key)
    this.#done(key)
    await this.#announce(key)
  }

  #done(key: string): void {
    if (!this.#pending.delete(key) || this.#pending.size > 0) return
    this.#timer.reset()
    this.#tell('drained')
  }

  #tell(state: 'started' | 'drained' | 'overflowed'): void {
    this.#hub.emit({ type: 'recovery', state, pending: this.#pending.size })
  }
}
