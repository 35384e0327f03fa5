import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import { type CacheErrorCode, cacheErrorCode } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import { createVersion } from '../../protocol/version.ts'
import type { Awaitable, Harness, Means } from '../harness/harness.ts'
import { assertItem } from './assert-item.ts'
import { getAll } from './batches.ts'
import { show } from './show.ts'
import { SkipRule } from './skip-rule.ts'

const canary = 'the canary of the suite'

/** What a rule works with: the handles it opens, its time, and the items it makes. Handles are closed when it ends. */
export class Stage {
  readonly harness: Harness
  #backend: CacheBackend | undefined
  /** When the first deadline was chosen that has not been let pass yet. */
  #chosenAt: number | undefined
  readonly #open = new Set<CacheBackend>()

  constructor(harness: Harness) {
    this.harness = harness
  }

  /** Milliseconds that something which must come may take. */
  get patience(): number {
    return this.harness.patience ?? 10_000
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

  /** Takes charge of a handle: closes it when the rule ends. */
  async opened(opening: Awaitable<CacheBackend>): Promise<CacheBackend> {
    const handle = await opening
    this.#open.add(handle)
    return handle
  }

  /** Closes a handle now. */
  async close(handle: CacheBackend): Promise<void> {
    this.#open.delete(handle)
    await this.within(this.patience, async () => handle.close?.(), 'close')
  }

  /** Closes what is open still and lets the harness clean up. */
  async end(): Promise<void> {
    try {
      for (const handle of [...this.#open]) await this.close(handle)
    } finally {
      await this.harness.dispose?.()
    }
  }

  skip(reason: string): never {
    throw new SkipRule(reason)
  }

  /** The instant by the clock that the backend goes by. */
  now(): number {
    return this.harness.clock?.now() ?? Date.now()
  }

  /** A deadline that comes soon: far enough to be met before it, near enough to be waited for. */
  soon(after: number = this.harness.clock ? 1000 : 200): number {
    this.#chosenAt ??= Date.now()
    return this.now() + after
  }

  /**
   * Lets time pass until the instant has come. Without a clock of its own it cannot know the store's clock to the
   * millisecond, so it stores one more item that ends a little later and polls until that one is gone.
   *
   * A store with a clock of its own is told the life that remains, and counts it from when it hears of it: an item whose
   * writing was held up ends later by as much. So the last one ends later by all the time since the deadline was chosen.
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
   * Runs `work` with a deadline that lies ahead until it is over. On a machine that was too slow for that, what it found says
   * nothing: then it runs again on an empty store, with a deadline farther away. Resolves to the deadline.
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

  /** Whether the deadline surely lies ahead still. Without a clock of its own the machine may have been slow. */
  before(instant: number): boolean {
    return this.now() < instant
  }

  /** Polls until the condition holds; fails when it does not hold in time. */
  async until(condition: () => Awaitable<boolean>, what: string, bound: number = this.patience): Promise<void> {
    const end = performance.now() + bound
    while (!(await condition())) {
      if (performance.now() > end) assert.fail(`waited ${bound} ms in vain for ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** The same outcome as `work`, or a failure when it has not settled after `bound` milliseconds. */
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

  /** An item with a new version, made now. */
  item(key: string, value: unknown, rest: Partial<Item> = {}): Item {
    return { key, value, version: createVersion(), createdAt: this.now(), ...rest }
  }

  placeholder(key: string, rest: Partial<Item> = {}): Item {
    return this.item(key, undefined, rest)
  }

  /** The store holds exactly this item. */
  async holds(item: Item, backend: CacheBackend = this.backend): Promise<void> {
    assertItem(await backend.get(item.key), item)
  }

  /** The store answers as if the key had never been set. */
  async lacks(key: string, backend: CacheBackend = this.backend): Promise<void> {
    assert.equal(await backend.get(key), undefined, `get(${show(key)})`)
  }

  /** The call rejects with a `CacheError` of that code; throwing before there is a promise does not count. */
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

  /** The number of items, counted by asking for each key; in slices, so that no limit for one answer decides. */
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
