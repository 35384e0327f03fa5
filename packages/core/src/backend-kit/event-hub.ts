import type { BackendEvent } from '../protocol/backend.ts'

/** The listeners of one backend. `emit` costs one comparison while nobody listens; check `active` before building an event. */
export class EventHub {
  readonly #listeners = new Set<(event: BackendEvent) => void>()

  get active(): boolean {
    return this.#listeners.size > 0
  }

  /** The `listen` member of a backend. */
  readonly listen = (listener: (event: BackendEvent) => void): (() => void) => {
    // A wrapper of its own, so that the same function may listen twice and each stop ends one of them.
    const own = (event: BackendEvent): void => listener(event)
    this.#listeners.add(own)
    return () => {
      this.#listeners.delete(own)
    }
  }

  emit(event: BackendEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}
