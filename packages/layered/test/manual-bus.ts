import { type Bus, type BusListener, type BusMessage, CacheError } from '@cache/core/backend'

interface Subscriber {
  readonly listener: BusListener
  connected: boolean
}

/** A bus whose messages a test may hold back, drop, deliver in any order, and whose connections it may cut. */
export class GatedBus implements Bus {
  readonly name: string = 'gated'
  readonly published: BusMessage[] = []
  /** Messages wait in `held` until they are delivered. */
  holding = false
  held: BusMessage[] = []
  failing = false
  subscribing: 'works' | 'fails' = 'works'
  closed = false
  readonly #subscribers: Subscriber[] = []

  async publish(message: BusMessage): Promise<void> {
    if (this.failing) throw new CacheError('UNAVAILABLE', 'publish: the test broke the bus', { backend: this.name })
    this.published.push(message)
    if (this.holding) this.held.push(message)
    else this.deliver(message)
  }

  async subscribe(listener: BusListener): Promise<() => Promise<void>> {
    if (this.subscribing === 'fails') throw new CacheError('UNAVAILABLE', 'subscribe: the test broke the bus')
    const subscriber = { listener, connected: true }
    this.#subscribers.push(subscriber)
    return async () => {
      this.#subscribers.splice(this.#subscribers.indexOf(subscriber), 1)
    }
  }

  async close(): Promise<void> {
    this.closed = true
  }

  get subscribers(): number {
    return this.#subscribers.length
  }

  deliver(message: BusMessage): void {
    for (const { listener, connected } of [...this.#subscribers]) if (connected) listener.message(message)
  }

  /** Cuts the connection of the subscriber that came in this place: it hears nothing. */
  disconnect(index: number): void {
    const subscriber = this.#subscribers[index] as Subscriber
    subscriber.connected = false
    subscriber.listener.disconnected()
  }

  reconnect(index: number): void {
    const subscriber = this.#subscribers[index] as Subscriber
    subscriber.connected = true
    subscriber.listener.connected()
  }
}
