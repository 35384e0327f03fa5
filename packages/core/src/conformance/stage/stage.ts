import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import { type CacheErrorCode, cacheErrorCode } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import { createVersion } from '../../protocol/version.ts'
import type { Awaitable, Harness, Means } from '../harness/harness.ts'
import { assertItem } from './assert-item.ts'
import { getAll } from './batches.ts'
import { CallLog } from './call-log.ts'
import { show } from './show.ts'
import { SkipRule } from './skip-rule.ts'

/** The key of an extra item whose expiry shows that an instant has passed by the clock of the store. */
export const canary = 'the canary of the suite'

/** The environment of one rule: its handles, its time and its items. The suite closes the handles when the rule ends. */
export class Stage {
  readonly harness: Harness
  #backend: CacheBackend | undefined
  /** The instant at which the first deadline that has not passed yet was chosen. */
  #chosenAt: number | undefined
  readonly #open = new Set<CacheBackend>()
  readonly #calls = new CallLog()

  constructor(harness: Harness) {
    this.harness = harness
  }

  /** Milliseconds that the suite waits for an expected effect. */
  get patience(): number {
    return this.harness.patience ?? 10_000
  }

  /** Settles like the check of the rule. Rejects when a call of a handle does not settle within three times the patience. */
  check(work: () => Promise<void>): Promise<void> {
    return this.#calls.bounded(3 * Math.max(this.patience, 5000), work)
  }

  /** The first handle. */
  get backend(): CacheBackend {
    assert(this.#backend !== undefined, 'the rule opens no handle by itself')
    return this.#backend
  }

  async openFirst(means: readonly Means[] = []): Promise<CacheBackend> {
    this.#backend = await this.opened(this.harness.open(means))
    return this.#backend
  }

  /** Registers a handle, which is closed when the rule ends. */
  async opened(opening: Awaitable<CacheBackend>): Promise<CacheBackend> {
    const handle = this.#calls.watched(await opening)
    this.#open.add(handle)
    return handle
  }

  /** Another handle on the same data where the harness can open one, else the first handle. */
  async anotherHandle(): Promise<CacheBackend> {
    return this.harness.openSecond === undefined ? this.backend : await this.opened(this.harness.openSecond())
  }

  /** Closes a handle now. */
  async close(handle: CacheBackend): Promise<void> {
    this.#open.delete(handle)
    await this.within(this.patience, async () => handle.close?.(), 'close')
  }

  /** Closes the open handles and calls `dispose` of the harness. */
  async end(): Promise<void> {
    try {
      for (const handle of [...this.#open]) await this.close(handle)
    } finally {
      await this.harness.dispose?.()
    }
  }

  /** Ends the rule as skipped. `lacking` is the absent member of the backend or the harness, where one is the reason. */
  skip(reason: string, lacking?: string): never {
    throw new SkipRule(reason, lacking)
  }

  /** The current instant by the clock of the backend. */
  now(): number {
    return this.harness.clock?.now() ?? Date.now()
  }

  /** A deadline that is near enough to wait for, and far enough for a few calls before it. */
  soon(after: number = this.harness.clock ? 1000 : 200): number {
    this.#chosenAt ??= Date.now()
    return this.now() + after
  }

  /**
   * Waits until the instant has passed. Without an injected clock, the time of the store is not known to the millisecond.
   * Therefore this method stores one more item that expires a little later, and polls until it is gone.
   *
   * A store with its own clock receives a remaining lifetime and counts it from the arrival of the write: an item whose write
   * was delayed expires later. So the extra item expires later by the whole time since the deadline was chosen.
   */
  async pass(instant: number, backend: CacheBackend = this.backend): Promise<void> {
    if (this.harness.clock) {
      this.harness.clock.advance(Math.max(0, instant - this.harness.clock.now()))
      return
    }
    const now = Date.now()
    const end = instant + 20 + (now - (this.#chosenAt ?? now))
    this.#chosenAt = undefined
    await backend.set(this.item(canary, 'sings', { expiresAt: end }))
    const over = async (): Promise<boolean> => (await backend.get(canary)) === undefined && Date.now() >= instant
    const bound = this.patience + Math.max(0, end - now)
    await this.until(over, `an item with expiresAt ${instant} to expire`, bound)
  }

  /**
   * Runs `work`, whose checks hold only before its deadline. If the deadline has passed when `work` fails, the machine was too
   * slow: `work` runs again on an empty store with a later deadline. Resolves to the deadline.
   */
  async inTime(work: (deadline: number) => Promise<void>): Promise<number> {
    for (let after = this.harness.clock ? 1000 : 200; ; after *= 4) {
      const deadline = this.soon(after)
      try {
        await work(deadline)
        return deadline
      } catch (error) {
        if (this.before(deadline) || after > this.patience) throw error
        await this.backend.clear()
      }
    }
  }

  /** Whether the instant is certainly in the future. */
  before(instant: number): boolean {
    return this.now() < instant
  }

  /** Polls until the condition is true, and fails after `bound` milliseconds. */
  async until(condition: () => Awaitable<boolean>, what: string, bound: number = this.patience): Promise<void> {
    const end = performance.now() + bound
    while (!(await condition())) {
      if (performance.now() > end) assert.fail(`waited ${bound} ms without success for ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** Settles like `work`, and fails if `work` has not settled after `bound` milliseconds. */
  async within<Value>(bound: number, work: () => Awaitable<Value>, what: string): Promise<Value> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new assert.AssertionError({ message: `${what} had not settled after ${bound} ms` })),
        bound,
      )
    })
    try {
      return await Promise.race([work(), late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** An item with a new version, created now. */
  item(key: string, value: unknown, rest: Partial<Item> = {}): Item {
    return { key, value, version: createVersion(), createdAt: this.now(), ...rest }
  }

  placeholder(key: string, rest: Partial<Item> = {}): Item {
    return this.item(key, undefined, rest)
  }

  /** Fails unless the store holds exactly this item. */
  async holds(item: Item, backend: CacheBackend = this.backend): Promise<void> {
    assertItem(await backend.get(item.key), item)
  }

  /** Fails unless `get` of the key is a miss. */
  async lacks(key: string, backend: CacheBackend = this.backend): Promise<void> {
    assert.equal(await backend.get(key), undefined, `get(${show(key)})`)
  }

  /** Fails unless the call rejects with a `CacheError` of one of these codes. A synchronous throw fails, too. */
  async rejects(call: () => unknown, ...codes: readonly CacheErrorCode[]): Promise<void> {
    let promise: unknown
    try {
      promise = call()
    } catch (error) {
      assert.fail(`threw instead of rejecting: ${String(error)}`)
    }
    let answer: unknown
    try {
      answer = await promise
    } catch (error) {
      const code = cacheErrorCode(error)
      assert(
        code !== undefined && codes.includes(code),
        `rejected with ${show(error)} instead of ${codes.join(' or ')}`,
      )
      return
    }
    assert.fail(`resolved to ${show(answer)} instead of rejecting with ${codes.join(' or ')}`)
  }

  /** The number of keys that have an item, counted in batches of 1,000 keys. */
  async count(keys: Iterable<string>, backend: CacheBackend = this.backend): Promise<number> {
    const all = [...keys]
    let count = 0
    for (let start = 0; start < all.length; start += 1000) {
      const found = await getAll(backend, all.slice(start, start + 1000))
      count += found.filter((item) => item !== undefined).length
    }
    return count
  }
}
