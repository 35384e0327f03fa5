import type { EvictionReason } from '../../protocol/backend.ts'
import type { CacheError } from '../../protocol/cache-error.ts'

/** The events of a cache and its namespaces, by name. Keys are the application's keys within `namespace`. */
export type CacheEvents = {
  readonly [Name in keyof EventPayloads]: EventPayloads[Name] & {
    /** The `name` of the cache. */
    readonly cache: string
    readonly namespace: readonly string[]
  }
}

/** The members of each event besides `cache` and `namespace`. */
interface EventPayloads {
  hit: { readonly key: string; readonly stale: boolean }
  miss: { readonly key: string }
  set: { readonly key: string }
  delete: { readonly key: string }
  /** Everything, or all below a prefix or namespace, was removed. */
  clear: { readonly prefix: string }
  /** A tag was invalidated. */
  invalidate: { readonly tag: string }
  /** The values of a tag became stale. */
  expireTag: { readonly tag: string }
  evict: { readonly key: string; readonly reason: EvictionReason }
  expire: { readonly key: string }
  /** A load ended and its result was stored (`stored`), or was not, because of a delete, a newer value, or the loader's wish. */
  load: { readonly key: string; readonly ms: number; readonly stored: boolean }
  loadFailed: { readonly key: string; readonly error: unknown }
  /** A load in the background began. */
  refresh: { readonly key: string; readonly reason: 'stale' | 'ahead' | 'early' }
  /** A stale value was served. */
  stale: { readonly key: string; readonly reason: 'refreshing' | 'loadFailed' | 'slow' | 'asked' }
  /** A failure, also one that no caller sees. */
  error: { readonly error: CacheError }
  busMessage: { readonly kind: string; readonly keys: readonly string[] }
  recovery: { readonly state: 'started' | 'drained' | 'overflowed'; readonly pending: number }
  /** Write-behind gave up on these keys, or could not write them yet. */
  writeFailed: { readonly keys: readonly string[]; readonly error: unknown; readonly willRetry: boolean }
}

export type CacheEventName = keyof CacheEvents

/** An event without the members that every event has. */
export type EventPayload<Name extends CacheEventName> = Omit<CacheEvents[Name], 'cache' | 'namespace'>

const names: readonly CacheEventName[] = [
  'hit',
  'miss',
  'set',
  'delete',
  'clear',
  'invalidate',
  'expireTag',
  'evict',
  'expire',
  'load',
  'loadFailed',
  'refresh',
  'stale',
  'error',
  'busMessage',
  'recovery',
  'writeFailed',
]

/**
 * The listeners of one cache and its namespaces. Call `has` before building a payload: without a listener nothing is
 * allocated. A listener that throws does not harm the cache: its error is thrown again in a microtask of its own.
 */
export class Listeners {
  readonly #listeners = new Map<CacheEventName, Set<(event: never) => void>>()
  readonly #cache: string
  /** Fields rather than look-ups for the two that lie on the path of a hit. */
  hit = false
  miss = false

  /** `cache` is the name that every event carries. */
  constructor(cache: string) {
    this.#cache = cache
  }

  static isName(name: unknown): name is CacheEventName {
    return names.includes(name as CacheEventName)
  }

  static readonly names: readonly CacheEventName[] = names

  has(name: CacheEventName): boolean {
    return this.#listeners.has(name)
  }

  add<Name extends CacheEventName>(name: Name, listener: (event: CacheEvents[Name]) => void): () => void {
    const own = (event: CacheEvents[Name]): void => listener(event)
    const all = this.#listeners.get(name) ?? new Set()
    all.add(own)
    this.#listeners.set(name, all)
    this.#note()
    return () => {
      all.delete(own)
      if (all.size === 0 && this.#listeners.get(name) === all) this.#listeners.delete(name)
      this.#note()
    }
  }

  emit<Name extends CacheEventName>(name: Name, payload: EventPayload<Name>, namespace: readonly string[]): void {
    const all = this.#listeners.get(name)
    if (all === undefined) return
    const event = { ...payload, cache: this.#cache, namespace } as unknown as CacheEvents[Name]
    for (const listener of all as Set<(event: CacheEvents[Name]) => void>) {
      try {
        listener(event)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  #note(): void {
    this.hit = this.#listeners.has('hit')
    this.miss = this.#listeners.has('miss')
  }
}
