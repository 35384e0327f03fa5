import type { BackendEvent } from '../../protocol/backend.ts'
import type { CacheError } from '../../protocol/cache-error.ts'
import { namespacePath, parseItemKey } from '../../protocol/keyspace.ts'
import type { CacheEventName } from '../state/events.ts'
import type { Namespace } from './namespace.ts'

/** Forwards events of the backend that concern the cache's namespace as events of the cache. */
export class BackendEvents {
  readonly #namespace: Namespace
  readonly #stops: (() => void)[] = []
  readonly #listened = new Set<BackendEvent['type']>()

  constructor(namespace: Namespace) {
    this.#namespace = namespace
    this.#listen(['error'])
    // Evictions and expiries are frequent: the backend emits them only once the cache has a listener for them.
    namespace.state.onListener = (name: CacheEventName) => {
      if (name === 'evict' || name === 'expire' || name === 'busMessage' || name === 'recovery') this.#listen([name])
    }
  }

  close(): void {
    for (const stop of this.#stops) stop()
  }

  #listen(types: readonly BackendEvent['type'][]): void {
    if (types.every((type) => this.#listened.has(type))) return
    for (const type of types) this.#listened.add(type)
    const stop = this.#namespace.state.backend.listen?.((event) => {
      // A backend may ignore `types`.
      if (types.includes(event.type)) this.#forward(event)
    }, types)
    if (stop !== undefined) this.#stops.push(stop)
  }

  #forward(event: BackendEvent): void {
    if (event.type === 'error') this.#reportUnseen(event.error)
    else if (event.type === 'evict' || event.type === 'expire') this.#forwardKey(event)
    else if (event.type === 'busMessage') this.#forwardKeys(event.kind, event.keys)
    else this.#namespace.emit('recovery', { state: event.state, pending: event.pending })
  }

  #reportUnseen(error: CacheError): void {
    const { state } = this.#namespace
    state.report(error)
    state.unseen(error)
  }

  #forwardKey(event: BackendEvent & { readonly key: string }): void {
    const item = this.#ownItem(event.key)
    if (item === undefined) return
    const { listeners } = this.#namespace.state
    if (event.type === 'evict') listeners.emit('evict', { key: item.key, reason: event.reason }, item.segments)
    else listeners.emit('expire', { key: item.key }, item.segments)
  }

  /** One event for each namespace that is concerned; a message without keys concerns all. */
  #forwardKeys(kind: string, stored: readonly string[]): void {
    if (stored.length === 0) {
      this.#namespace.emit('busMessage', { kind, keys: [] })
      return
    }
    const concerned = new Map<string, { readonly namespace: readonly string[]; readonly keys: string[] }>()
    for (const one of stored) {
      const item = this.#ownItem(one)
      if (item === undefined) continue
      const path = namespacePath(item.segments)
      const place = concerned.get(path) ?? { namespace: item.segments, keys: [] }
      place.keys.push(item.key)
      concerned.set(path, place)
    }
    for (const { keys, namespace } of concerned.values())
      this.#namespace.state.listeners.emit('busMessage', { kind, keys }, namespace)
  }

  /** The namespace and key of an item of this cache; `undefined` for those of others, and for records of the cache itself. */
  #ownItem(stored: string): { readonly segments: readonly string[]; readonly key: string } | undefined {
    const item = parseItemKey(stored)
    const own = this.#namespace.segments
    return item === undefined || own.some((segment, index) => segment !== item.segments[index]) ? undefined : item
  }
}
