import { type Bus, type BusListener, type BusMessage, CacheError } from '@cache/core/backend'

type Deliver = (message: BusMessage) => void

/**
 * A bus within one process: joins several layered backends there, and stands in for a real one in tests. Listeners hear a
 * message before `publish` resolves, in the order in which they subscribed.
 */
export class InProcessBus implements Bus {
  readonly name: string = 'in-process'
  readonly #listeners = new Set<Deliver>()
  #closed = false

  async publish(message: BusMessage): Promise<void> {
    this.#check('publish')
    for (const deliver of [...this.#listeners]) deliver(message)
  }

  async subscribe(listener: BusListener): Promise<() => Promise<void>> {
    this.#check('subscribe')
    // A wrapper of its own, so that the same listener may subscribe twice and each stop ends one of them.
    const own: Deliver = (message) => listener.message(message)
    this.#listeners.add(own)
    return async () => {
      this.#listeners.delete(own)
    }
  }

  /** Later calls reject with `CLOSED`. */
  async close(): Promise<void> {
    this.#closed = true
    this.#listeners.clear()
  }

  #check(operation: string): void {
    if (!this.#closed) return
    throw new CacheError('CLOSED', `${operation}: the bus was closed`, { operation, backend: this.name })
  }
}
