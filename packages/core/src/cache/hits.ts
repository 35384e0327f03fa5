import type { NearReader } from '../protocol/backend.ts'
import type { Item } from '../protocol/item.ts'
import type { Context } from './context.ts'
import type { Listeners } from './events.ts'
import type { Recorder } from './recorder.ts'
import type { Scope } from './scope.ts'
import { getsAreTraced } from './tracing.ts'

const markerCode = 64

/**
 * Hits that need no waiting. What it answers with `undefined` (a miss, a failure, an item whose tags are not known here) goes the
 * way of the operations, which says what it is.
 */
export class Hits {
  readonly #context: Context
  readonly #scope: Scope
  readonly #recorder: Recorder
  readonly #listeners: Listeners
  /** Whether keys reach the backend as they are: no namespace, no `transformKey`. */
  readonly #plainKeys: boolean
  #reader: NearReader | undefined

  constructor(scope: Scope) {
    const { context } = scope
    this.#scope = scope
    this.#context = context
    this.#recorder = context.recorder
    this.#listeners = context.listeners
    this.#plainKeys = scope.path === '' && context.settings.transformKey === undefined
    this.#reader = context.reader
  }

  /** A fresh item of valid tags. The path of every hit: it allocates nothing. */
  find(key: string): Item | undefined {
    const reader = this.#reader
    if (reader === undefined || typeof key !== 'string' || this.#context.closed || getsAreTraced()) return undefined
    let item: Item | undefined
    try {
      item = reader.get(this.#stored(key))
      if (item === undefined || item.value === undefined) return undefined
      if (item.tags !== undefined && !this.#context.tags.validNow(item.tags, reader)) return undefined
    } catch {
      // The way that waits meets the same failure, and tells it.
      return undefined
    }
    return this.#context.isFresh(item) ? item : undefined
  }

  /** `find` for `get`, timed now and then. */
  sampled(key: string): Item | undefined {
    return this.#recorder.samples ? this.#timed(key) : this.find(key)
  }

  count(key: string): void {
    this.#recorder.hits += 1
    if (this.#listeners.hit) this.#scope.tell('hit', { key, stale: false })
  }

  /** The backend's key, where the store has to be waited for and there is nothing to check or trace. */
  farKey(key: string): string | undefined {
    if (this.#reader !== undefined || typeof key !== 'string' || this.#scope.isClosed || getsAreTraced())
      return undefined
    try {
      return this.#stored(key)
    } catch {
      // The way of the operations meets the same failure, and tells it.
      return undefined
    }
  }

  close(): void {
    this.#reader = undefined
  }

  #stored(key: string): string {
    return this.#plainKeys && key.charCodeAt(0) !== markerCode ? key : this.#scope.stored(key, 'get')
  }

  #timed(key: string): Item | undefined {
    const started = performance.now()
    const item = this.find(key)
    if (item !== undefined) this.#recorder.gotSince(started)
    return item
  }
}
