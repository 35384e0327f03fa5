import type { Cache } from '../cache/cache.ts'
import type { Health, HealthOptions } from '../cache/health/health.ts'
import type { Namespace } from '../cache/items/namespace.ts'
import { namespaceOf } from '../cache/items/namespace-of.ts'
import { checkOptions, invalidArgument, nonEmptyString, wholeNumber } from '../protocol/argument.ts'
import type { CacheBackend } from '../protocol/backend.ts'
import { CacheError } from '../protocol/cache-error.ts'
import { type Duration, milliseconds } from '../protocol/duration.ts'
import { itemKey, itemPrefix, parseItemKey } from '../protocol/keyspace.ts'
import { Cursors, type OpenScan } from './cursors.ts'
import { KeyScan, type ScanLimits } from './key-scan.ts'
import { type Figures, figuresOf, type LayerFigures, layersOf } from './layers.ts'
import { Observation } from './observation.ts'
import type { KeyPage, NamespacePage, PageOptions } from './pages.ts'

/** Namespaces that one iteration tells apart. */
const mostNamespaces = 1000

export interface InspectOptions {
  /** How many keys of the store one call looks at. Default 10,000. */
  readonly maxScanned?: number | undefined
  /** How long one call may take. Default `'1s'`. */
  readonly timeout?: Duration | undefined
}

/** An item as it is stored. */
export interface InspectedEntry {
  readonly key: string
  readonly value: unknown
  readonly version: string
  readonly tags: readonly string[]
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Milliseconds for which it is still fresh; `Infinity` without an end, 0 when it is stale. */
  readonly freshFor: number
  /** Milliseconds until it is gone; `Infinity` without an end. */
  readonly livesFor: number
  /** Where the application gave one. */
  readonly cost?: number
  /** The nearest store that has it, such as `layered / memory`; absent where it is gone meanwhile. */
  readonly layer?: string
}

interface OpenNamespaces extends OpenScan {
  readonly counts: Map<string, { readonly namespace: readonly string[]; keys: number }>
  otherKeys: number
}

/** The inspection of a cache, or of one of its namespaces. Throws `INVALID_ARGUMENT`. */
export function inspect(cache: Cache<never> | Cache<unknown>, options: InspectOptions = {}): Inspection {
  const operation = 'inspect'
  const namespace = namespaceOf(cache)
  if (namespace === undefined)
    throw invalidArgument('cache', cache, 'a Cache of the same copy of @cache/core', operation)
  checkOptions(options, ['maxScanned', 'timeout'], operation)
  return new Inspection(cache as Cache, namespace, {
    maxScanned: wholeNumber(options.maxScanned ?? 10_000, 'maxScanned', operation, 1),
    timeout: timeLimit(options.timeout ?? '1s', operation),
  })
}

/**
 * Shows a running cache. Every call does bounded work, however many keys the store has. Reads count neither as hits nor as misses.
 * Methods reject with the errors of the store, and with `UNSUPPORTED` where it cannot list keys.
 */
export class Inspection {
  readonly #cache: Cache
  readonly #namespace: Namespace
  readonly #limits: ScanLimits
  readonly #keyCursors: Cursors<OpenScan & { readonly start: string; readonly prefix: string }>
  readonly #namespaceCursors: Cursors<OpenNamespaces>

  /** Only `inspect` calls it. */
  constructor(cache: Cache, namespace: Namespace, limits: Omit<ScanLimits, 'clock'>) {
    this.#cache = cache
    this.#namespace = namespace
    const { clock } = namespace.state.settings
    this.#limits = { ...limits, clock }
    this.#keyCursors = new Cursors(clock)
    this.#namespaceCursors = new Cursors(clock)
  }

  /** Resolves to at most `limit` (default 100) keys of this namespace that start with `prefix` (default: all). */
  async keys(options: PageOptions & { readonly prefix?: string; readonly limit?: number } = {}): Promise<KeyPage> {
    const operation = 'keys'
    checkOptions(options, ['cursor', 'prefix', 'limit'], operation)
    const limit = wholeNumber(options.limit ?? 100, 'limit', operation, 1)
    const { prefix = '' } = options
    if (typeof prefix !== 'string') throw invalidArgument('prefix', prefix, 'a string', operation)
    const start = itemKey(this.#namespace.path, prefix)
    const open =
      options.cursor === undefined
        ? { scan: this.#scan(start, operation), start, prefix }
        : this.#keyCursors.take(nonEmptyString(options.cursor, 'cursor', operation), operation)
    if (options.prefix !== undefined && open.prefix !== options.prefix)
      throw invalidArgument('prefix', options.prefix, 'that of the first page, or absent, with a cursor', operation)
    const keys: string[] = []
    const scanned = await this.#advance(open.scan, operation, (stored) => {
      const key = stored.startsWith(open.start) ? this.#namespace.keyOf(stored) : undefined
      if (key?.startsWith(open.prefix) === true) keys.push(key)
      return keys.length < limit
    })
    return { keys, scanned, complete: open.scan.isComplete, ...cursorOf(this.#keyCursors.keep(open)) }
  }

  /** Resolves to the namespaces within this one that have keys, with the numbers of their keys as far as they were counted. */
  async namespaces(options: PageOptions = {}): Promise<NamespacePage> {
    const operation = 'namespaces'
    checkOptions(options, ['cursor'], operation)
    const { segments, path } = this.#namespace
    const open: OpenNamespaces =
      options.cursor === undefined
        ? { scan: this.#scan(itemPrefix(path), operation), counts: new Map(), otherKeys: 0 }
        : this.#namespaceCursors.take(nonEmptyString(options.cursor, 'cursor', operation), operation)
    const scanned = await this.#advance(open.scan, operation, (stored) => {
      const item = parseItemKey(stored)
      if (item === undefined || segments.some((segment, index) => segment !== item.segments[index])) return true
      countKey(open, item.segments.slice(segments.length))
      return true
    })
    const namespaces = [...open.counts.values()].map((counts) => ({ ...counts }))
    const page = { namespaces, otherKeys: open.otherKeys, scanned, complete: open.scan.isComplete }
    return { ...page, ...cursorOf(this.#namespaceCursors.keep(open)) }
  }

  /** Resolves to the item of a key, fresh or stale, where it was found before this read; `undefined` where there is none, or a tag of it was invalidated. */
  async entry(key: string): Promise<InspectedEntry | undefined> {
    return this.#inTime('entry', this.#entry(key))
  }

  /** Resolves to the figures of the cache and of each of its stores. A store that fails or is late has a `failure`. */
  async figures(): Promise<Figures> {
    const { recorder, backend } = this.#namespace.state
    this.#namespace.assertOpen('figures')
    const { evictions, expired, items, size, ...cache } = recorder.snapshot({})
    const layers = layersOf(backend as CacheBackend).map((layer): Promise<LayerFigures> => {
      const late = (error: Error): LayerFigures => ({ layer: layer.name, failure: error.message })
      return this.#inTime('figures', figuresOf(layer)).catch(late)
    })
    return { cache, layers: await Promise.all(layers) }
  }

  /** The state of the cache, its store and the parts of it. */
  health(options?: HealthOptions): Promise<Health> {
    return this.#cache.health(options)
  }

  /**
   * Begins to count what is read, loaded and invalidated by this process, and returns the counts. Each read costs more until its `stop`; without an
   * observation it costs nothing.
   */
  observe(): Observation {
    return new Observation(this.#cache, this.#namespace.segments, this.#limits.clock)
  }

  /** Ends the iterations of cursors that were not used. */
  close(): void {
    this.#keyCursors.close()
    this.#namespaceCursors.close()
  }

  async #entry(key: string): Promise<InspectedEntry | undefined> {
    const { state } = this.#namespace
    this.#namespace.assertOpen('entry')
    // First: the read of the item copies it into the nearer layers.
    const layer = await this.#layerOf(this.#namespace.backendKey(key, 'entry'))
    const item = await this.#cache.item(key)
    if (item === undefined) return undefined
    const { value, version, createdAt, cost, staleAt = Infinity, expiresAt = Infinity } = item
    const now = state.now()
    const left = (end: number): number => Math.max(0, end - now)
    return {
      key,
      value,
      version,
      tags: Object.keys(item.tags ?? {}),
      createdAt,
      freshFor: left(Math.min(staleAt, expiresAt)),
      livesFor: left(expiresAt),
      ...(cost !== undefined && { cost }),
      ...(layer !== undefined && { layer }),
    }
  }

  async #layerOf(backendKey: string): Promise<string | undefined> {
    for (const { name, backend } of layersOf(this.#namespace.state.backend as CacheBackend)) {
      // A near layer that fails is passed over, as by the layered backend itself.
      const found = await backend.get(backendKey).catch(() => undefined)
      if (found?.value !== undefined) return name
    }
    return undefined
  }

  #scan(start: string, operation: string): KeyScan {
    this.#namespace.assertOpen(operation)
    const { state } = this.#namespace
    const backend = state.backend as CacheBackend
    if (backend.keys === undefined) throw state.unsupported(operation, 'iteration (keys)')
    // A synchronous store would search all of its keys in one step for the first that has the prefix.
    const keys = state.local && backend.sync?.keys !== undefined ? backend.sync.keys() : backend.keys(start)
    return new KeyScan(keys, this.#limits)
  }

  async #advance(scan: KeyScan, operation: string, visit: (stored: string) => boolean): Promise<number> {
    try {
      return await scan.advance(visit)
    } catch (error) {
      throw this.#namespace.state.failed(error, operation)
    }
  }

  /** The result, or a rejection with `TIMEOUT`. */
  async #inTime<Result>(operation: string, work: Promise<Result>): Promise<Result> {
    const { clock, timeout } = this.#limits
    let stop = (): void => {}
    const late = new Promise<never>((_resolve, reject) => {
      const fail = (): void =>
        reject(new CacheError('TIMEOUT', `${operation}: no answer within ${timeout} ms`, { operation }))
      stop = clock.after(timeout, fail, true)
    })
    try {
      return await Promise.race([work, late])
    } finally {
      stop()
    }
  }
}

function countKey(open: OpenNamespaces, namespace: readonly string[]): void {
  const id = JSON.stringify(namespace)
  const counts = open.counts.get(id)
  if (counts !== undefined) counts.keys += 1
  else if (open.counts.size < mostNamespaces) open.counts.set(id, { namespace, keys: 1 })
  else open.otherKeys += 1
}

function cursorOf(cursor: string | undefined): { readonly cursor?: string } {
  return cursor === undefined ? {} : { cursor }
}

function timeLimit(given: Duration, operation: string): number {
  const timeout = milliseconds(given, 'timeout', operation)
  if (timeout === 0 || timeout === Infinity)
    throw invalidArgument('timeout', given, 'more than 0, and not Infinity', operation)
  return timeout
}
