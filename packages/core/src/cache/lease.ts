import type { Item } from '../protocol/item.ts'
import { createVersion } from '../protocol/version.ts'
import type { Context } from './context.ts'

/**
 * A record in the backend that only one process holds at a time, by compare-and-set. It runs out by the backend's own clock
 * when its owner does not renew it; owners are told apart by version, and no clocks are compared (RACES R16, R19).
 */
export class Lease {
  /** Called once, when the lease ran out or was taken before it was released. */
  onLost: () => void = () => {}
  readonly #context: Context
  readonly #record: string
  readonly #ttl: number
  #version: string
  #held = true
  #stopTimer: () => void = () => {}

  private constructor(context: Context, record: string, ttl: number, version: string) {
    this.#context = context
    this.#record = record
    this.#ttl = ttl
    this.#version = version
    this.#schedule()
  }

  /** The lease, or `undefined` while another holds it. Rejects when the backend fails. */
  static async acquire(context: Context, record: string, ttl: number): Promise<Lease | undefined> {
    const item = leaseItem(context, record, ttl)
    return (await context.store.swap?.(record, undefined, item)) === true
      ? new Lease(context, record, ttl, item.version)
      : undefined
  }

  get held(): boolean {
    return this.#held
  }

  /** Gives the lease back. Resolves to `false` when it was lost before. */
  async release(): Promise<boolean> {
    if (!this.#held) return false
    this.#held = false
    this.#stopTimer()
    return (await this.#context.store.swap?.(this.#record, this.#version, undefined)) === true
  }

  /** Holds it for another life; resolves to whether it was still held. */
  async renew(): Promise<boolean> {
    if (!this.#held) return false
    const item = leaseItem(this.#context, this.#record, this.#ttl)
    const renewed = await this.#context.store.swap?.(this.#record, this.#version, item)
    if (renewed === true) this.#version = item.version
    else this.#lose()
    return this.#held
  }

  /** Renewed at a third of its life, so that two renewals may fail before it runs out. */
  #schedule(): void {
    if (this.#ttl === Infinity) return
    const started = this.#context.now()
    this.#stopTimer = this.#context.settings.clock.after(this.#ttl / 3, () => {
      if (this.#held) void this.#renewInTime(started)
    })
  }

  async #renewInTime(lastRenewed: number): Promise<void> {
    try {
      if (await this.renew()) this.#schedule()
    } catch (error) {
      this.#context.failed(error, 'renew', this.#record)
      // Unknown whether the write happened. What is certain: after a whole life without a confirmed renewal it is not ours.
      if (this.#context.now() - lastRenewed >= this.#ttl) this.#lose()
      else if (this.#held) this.#retry(lastRenewed)
    }
  }

  #retry(lastRenewed: number): void {
    this.#stopTimer = this.#context.settings.clock.after(this.#ttl / 6, () => {
      if (this.#held) void this.#renewInTime(lastRenewed)
    })
  }

  #lose(): void {
    if (!this.#held) return
    this.#held = false
    this.#stopTimer()
    this.onLost()
  }
}

function leaseItem(context: Context, record: string, ttl: number): Item {
  const now = context.now()
  const item = { key: record, value: 1, version: createVersion(), createdAt: now }
  return ttl === Infinity ? item : { ...item, expiresAt: now + ttl }
}
