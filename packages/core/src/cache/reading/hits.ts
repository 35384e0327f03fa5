import type { NearReader } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'
import type { Namespace } from '../items/namespace.ts'
import type { CacheState } from '../state/cache-state.ts'
import type { Listeners } from '../state/events.ts'
import type { Recorder } from '../state/recorder.ts'
import { getsName } from '../state/tracing.ts'
import { tracingChannel } from '../state/tracing-channel.ts'

const markerCode = 64

/** The five channels of a traced get. As module constants they cost a hit nothing: V8 assumes their state until a tool subscribes. */
const { start, end, asyncStart, asyncEnd, error } = tracingChannel(getsName)

/** The source of hits; absent after `close`. */
interface Near {
  readonly reader: NearReader | undefined
}

/** Stands for "the store, asked already, has nothing under this key". Never an item of a caller. */
export const nothingStored: Item = Object.freeze({ key: '', value: undefined, version: '', createdAt: 0 })

const nothingNear: Near = { reader: undefined }

/**
 * Hits that need no waiting. For everything else (a failure, a stale item, an item whose tags are not known here) it returns
 * `undefined`, and the caller takes the slower path.
 *
 * V8 inlines a hit completely while the bytecode of all functions on its path stays below a limit (920 bytes by default). Each call
 * that is not inlined costs a tenth of a hit, so this file holds as little code as possible.
 */
export class Hits {
  readonly #state: CacheState
  readonly #namespace: Namespace
  readonly #recorder: Recorder
  readonly #listeners: Listeners
  /** Whether keys reach the backend as they are: no namespace, no `transformKey`. */
  readonly #plainKeys: boolean
  /** The state, whose reader goes when it is closed. */
  #near: Near

  constructor(namespace: Namespace) {
    const { state } = namespace
    this.#namespace = namespace
    this.#state = state
    this.#recorder = state.recorder
    this.#listeners = state.listeners
    this.#plainKeys = namespace.path === '' && state.settings.transformKey === undefined
    this.#near = state
  }

  /**
   * A fresh item of valid tags, or `nothingStored` where the store of this process has none; `undefined` where only the slower path
   * can decide. The path of every hit: it allocates nothing.
   */
  find(key: string): Item | undefined {
    const { reader } = this.#near
    if (reader === undefined || typeof key !== 'string' || isTraced()) return undefined
    try {
      const item = reader.get(this.#stored(key))
      if (item === undefined) return this.#state.local ? nothingStored : undefined
      if (item.value === undefined) return undefined
      if (item.tags !== undefined && !this.#namespace.tags.validNow(item.tags, reader)) return undefined
      return item.staleAt === undefined || this.#namespace.isFresh(item) ? item : undefined
    } catch {
      // The slower path meets the same failure and reports it.
      return undefined
    }
  }

  /** `find` for `get`, timed now and then. */
  sampled(key: string): Item | undefined {
    return this.#recorder.samples ? this.#timed(key) : this.find(key)
  }

  count(key: string): void {
    this.#recorder.hits += 1
    if (this.#listeners.hit) this.#namespace.emit('hit', { key, stale: false })
  }

  close(): void {
    this.#near = nothingNear
  }

  #stored(key: string): string {
    return this.#plainKeys && key.charCodeAt(0) !== markerCode ? key : this.#namespace.backendKey(key, 'get')
  }

  #timed(key: string): Item | undefined {
    const started = performance.now()
    const item = this.find(key)
    if (item !== undefined) this.#recorder.gotSince(started)
    return item
  }
}

function isTraced(): boolean {
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers
  )
}
