import type { BackendEvent } from '../protocol/backend.ts'
import { checkListener } from './check-call.ts'

type EventType = BackendEvent['type']

/** The listeners of one backend. `wants` before the construction of an event avoids an allocation that has no listener. */
export class EventHub {
  readonly #listeners = new Map<(event: BackendEvent) => void, readonly EventType[] | undefined>()

  get active(): boolean {
    return this.#listeners.size > 0
  }

  /** Whether there is a listener for events of this type. */
  wants(type: EventType): boolean {
    if (this.#listeners.size === 0) return false
    for (const types of this.#listeners.values()) if (types === undefined || types.includes(type)) return true
    return false
  }

  /** The `listen` member of a backend. Throws `INVALID_ARGUMENT` for a listener that is no function, and for unknown types. */
  readonly listen = (listener: (event: BackendEvent) => void, types?: readonly EventType[]): (() => void) => {
    checkListener(listener, types)
    // A wrapper of its own: the same function may be added twice, and each removal removes one of them.
    const own = (event: BackendEvent): void => listener(event)
    this.#listeners.set(own, types)
    return () => {
      this.#listeners.delete(own)
    }
  }

  emit(event: BackendEvent): void {
    for (const [listener, types] of this.#listeners) {
      if (types === undefined || types.includes(event.type)) listener(event)
    }
  }
}
