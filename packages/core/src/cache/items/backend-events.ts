import type { BackendEvent } from '../../protocol/backend.ts'
import { namespacePath, parseItemKey } from '../../protocol/keyspace.ts'
import type { CacheEventName } from '../state/events.ts'
import type { Scope } from './namespace.ts'

/** Passes on what the backend tells without being asked, as events of the cache, as far as it concerns the cache's namespace. */
export class BackendEvents {
  readonly #scope: Scope
  readonly #stops: (() => void)[] = []
  readonly #heard = new Set<BackendEvent['type']>()

  constructor(scope: Scope) {
    this.#scope = scope
    this.#hear(['error'])
    // Evictions and expiries are many: the backend is asked for them only once somebody wants to know.
    scope.context.onListener = (name: CacheEventName) => {
      if (name === 'evict' || name === 'expire' || name === 'busMessage' || name === 'recovery') this.#hear([name])
    }
  }

  close(): void {
    for (const stop of this.#stops) stop()
  }

  #hear(types: readonly BackendEvent['type'][]): void {
    if (types.every((type) => this.#heard.has(type))) return
    for (const type of types) this.#heard.add(type)
    const stop = this.#scope.context.backend.listen?.((event) => {
      // A backend may ignore `types`.
      if (types.includes(event.type)) this.#pass(event)
    }, types)
    if (stop !== undefined) this.#stops.push(stop)
  }

  #pass(event: BackendEvent): void {
    if (event.type === 'error') this.#scope.context.report(event.error)
    else if (event.type === 'evict' || event.type === 'expire') this.#passKey(event)
    else if (event.type === 'busMessage') this.#passKeys(event.kind, event.keys)
    else this.#scope.tell('recovery', { state: event.state, pending: event.pending })
  }

  #passKey(event: BackendEvent & { readonly key: string }): void {
    const item = this.#ownItem(event.key)
    if (item === undefined) return
    const { listeners } = this.#scope.context
    if (event.type === 'evict')
      listeners.emit('evict', { key: item.key, reason: event.reason, namespace: item.segments })
    else listeners.emit('expire', { key: item.key, namespace: item.segments })
  }

  /** One event for each namespace that is concerned; a message without keys concerns all. */
  #passKeys(kind: string, stored: readonly string[]): void {
    if (stored.length === 0) {
      this.#scope.tell('busMessage', { kind, keys: [] })
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
    for (const place of concerned.values()) this.#scope.context.listeners.emit('busMessage', { kind, ...place })
  }

  /** The namespace and key of an item of this cache; `undefined` for those of others, and for records of the cache itself. */
  #ownItem(stored: string): { readonly segments: readonly string[]; readonly key: string } | undefined {
    const item = parseItemKey(stored)
    const own = this.#scope.segments
    return item === undefined || own.some((segment, index) => segment !== item.segments[index]) ? undefined : item
  }
}
