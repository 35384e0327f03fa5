import {
  type Bus,
  type BusListener,
  type BusMessage,
  CacheError,
  checkBusListener,
  checkBusMessage,
} from '@cache/core/backend'

/**
 * A bus within one process, for several layered backends or for tests. Listeners receive a message before `publish`
 * resolves, in the order of their subscriptions.
 */
export class InProcessBus implements Bus {
  readonly name: string = 'in-process'
  readonly #listeners = new Set<(message: BusMessage) => void>()
  #closed = false

  async publish(message: BusMessage): Promise<void> {
    this.#check('publish')
    checkBusMessage(message)
    for (const deliver of [...this.#listeners]) deliver(message)
  }

  async subscribe(listener: BusListener): Promise<() => Promise<void>> {
    this.#check('subscribe')
    checkBusListener(listener)
    // A wrapper of its own: the same listener may subscribe twice, and each stop ends one of the two.
    const own = (message: BusMessage): void => listener.message(message)
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
    throw new CacheError('CLOSED', `${operation}: the bus was closed; make another one`, {
      operation,
      backend: this.name,
    })
  }
}
