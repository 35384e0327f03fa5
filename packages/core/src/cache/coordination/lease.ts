import type { Item } from '../../protocol/item.ts'
import { createVersion } from '../../protocol/version.ts'
import type { CacheState } from '../state/cache-state.ts'

/**
 * A record in the backend that only one process holds at a time, by compare-and-set. It runs out by the backend's own clock
 * when its owner does not renew it. Owners differ by version, and no clocks are compared (RACES R16, R19).
 */
export class Lease {
  /** Called once, when the lease ran out or was taken before it was released. */
  onLost: () => void = () => {}
  readonly #state: CacheState
  readonly #record: string
  readonly #ttl: number
  /** Versions that the record may have: the last confirmed one, and those of renewals whose reply never came. */
  #versions: string[]
  #held = true
  /** Whether `close` of the cache releases the lease. Otherwise its holder loses it. */
  readonly #endsWithCache: boolean
  #renewing: Promise<boolean> | undefined
  #stopRenewing: () => void = () => {}
  #stopDeadline: () => void = () => {}

  private constructor(state: CacheState, ttl: number, item: Item, endsWithCache: boolean) {
    this.#state = state
    this.#endsWithCache = endsWithCache
    this.#record = item.key
    this.#ttl = ttl
    this.#versions = [item.version]
    state.leases.add(this)
    this.#confirmed(item)
  }

  /** The lease, or `undefined` while another holds it. Rejects when the backend fails. */
  static async acquire(
    state: CacheState,
    record: string,
    ttl: number,
    endsWithCache: boolean,
  ): Promise<Lease | undefined> {
    const item = leaseItem(state, record, ttl)
    try {
      if ((await state.adapter.compareAndSet?.(record, undefined, item)) !== true) return undefined
    } catch (error) {
      // The record may exist all the same, and would block the lease for its whole life.
      void state.track(giveBack(state, record, item.version).catch(() => {}))
      throw error
    }
    return new Lease(state, ttl, item, endsWithCache)
  }

  get held(): boolean {
    return this.#held
  }

  /** Gives the lease back. Resolves to `false` when it was lost before. */
  async release(): Promise<boolean> {
    if (!this.#held) return false
    this.#end()
    for (const version of this.#versions) if (await giveBack(this.#state, this.#record, version)) return true
    return false
  }

  /** Holds it for another life; resolves to whether it was still held when this was called. */
  async renew(): Promise<boolean> {
    // One at a time: a renewal must know the version that the earlier one left.
    while (this.#renewing !== undefined) await this.#renewing.catch(() => {})
    if (!this.#held) return false
    this.#renewing = this.#renew()
    try {
      return await this.#renewing
    } finally {
      this.#renewing = undefined
    }
  }

  async #renew(): Promise<boolean> {
    const item = leaseItem(this.#state, this.#record, this.#ttl)
    const known = [...this.#versions]
    this.#versions.push(item.version)
    for (const version of known) {
      if ((await this.#state.adapter.compareAndSet?.(this.#record, version, item)) !== true) continue
      // The record still had our version, so no other process held the lease in between, by any clock.
      this.#versions = [item.version]
      if (this.#held) this.#confirmed(item)
      else await giveBack(this.#state, this.#record, item.version)
      return this.#held
    }
    this.lose()
    return false
  }

  /** The cache is being closed, and nothing will be renewed any more. */
  close(): void {
    if (this.#endsWithCache) void this.#state.track(this.release().catch(() => {}))
    else this.lose()
  }

  /** Stops the renewals and calls `onLost`. */
  lose(): void {
    if (!this.#held) return
    this.#end()
    this.onLost()
  }

  /** Renewed at a third of its life, so that two renewals may fail before it runs out. */
  #confirmed(item: Item): void {
    this.#stopTimers()
    if (this.#ttl === Infinity) return
    // Never more than a life, where the clock was set back meanwhile.
    const left = Math.min(this.#ttl, item.createdAt + this.#ttl - this.#state.now())
    this.#renewAfter(this.#ttl / 3)
    // A renewal that does not come back, or a process that was paused: after a whole life without a confirmation it is lost.
    this.#stopDeadline = this.#state.settings.clock.after(Math.max(0, left), () => this.lose())
  }

  #renewAfter(ms: number): void {
    this.#stopRenewing = this.#state.settings.clock.after(ms, () => void this.#renewInTime())
  }

  async #renewInTime(): Promise<void> {
    try {
      await this.renew()
    } catch (error) {
      // Unknown whether the write happened: the next try knows both versions.
      this.#state.failed(error, 'renew', this.#record)
      if (this.#held) this.#renewAfter(this.#ttl / 6)
    }
  }

  #end(): void {
    this.#held = false
    this.#stopTimers()
    this.#state.leases.delete(this)
  }

  #stopTimers(): void {
    this.#stopRenewing()
    this.#stopDeadline()
  }
}

async function giveBack(state: CacheState, record: string, version: string): Promise<boolean> {
  return (await state.adapter.compareAndSet?.(record, version, undefined)) === true
}

function leaseItem(state: CacheState, record: string, ttl: number): Item {
  const now = state.now()
  const item = { key: record, value: 1, version: createVersion(), createdAt: now }
  return ttl === Infinity ? item : { ...item, expiresAt: now + ttl }
}
