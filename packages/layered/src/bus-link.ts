import { BackoffTimer, type Bus, type BusMessage, type Clock, createVersion } from '@cache/core/backend'

/** Keys whose announcement could not be sent that are remembered one by one; with more, "anything may have changed" is sent. */
const mostUnsent = 10_000
const keysPerMessage = 500

/** What the link tells the layered backend. */
export interface BusLinkListener {
  message(message: BusMessage): void
  connected(): void
  disconnected(): void
  error(error: unknown, operation: string): void
}

/** A message of this handle, before it carries the handle's name. */
export type Announcement = BusMessage extends infer Message
  ? Message extends BusMessage
    ? Omit<Message, 'source'>
    : never
  : never

/**
 * The connection of one handle to its bus: subscribes, again and again where that fails, and publishes. An announcement that
 * could not be sent is kept and sent later, since the others' copies are wrong until they hear of it.
 */
export class BusLink {
  /** Own messages come back, and are known by it (RACES R12). */
  readonly source: string = createVersion()
  readonly #bus: Bus
  readonly #listener: BusLinkListener
  readonly #subscribing: BackoffTimer
  readonly #sending: BackoffTimer
  readonly #unsentKeys = new Set<string>()
  readonly #unsentPrefixes = new Set<string>()
  #unsentAll = false
  #closed = false
  #stop: (() => Promise<void>) | undefined
  #subscription: Promise<void>

  constructor(bus: Bus, clock: Clock, listener: BusLinkListener) {
    this.#bus = bus
    this.#listener = listener
    this.#subscribing = new BackoffTimer(clock, 100, 10_000, () => {
      this.#subscription = this.#subscribe()
    })
    this.#sending = new BackoffTimer(clock, 100, 10_000, () => void this.#sendUnsent())
    this.#subscription = this.#subscribe()
  }

  /** Resolves when the message left this process, or is kept to be sent later. Never rejects. */
  async publish(announcement: Announcement): Promise<void> {
    try {
      await this.#bus.publish({ ...announcement, source: this.source } as BusMessage)
    } catch (error) {
      this.#keep(announcement)
      this.#listener.error(error, 'publish')
      if (!this.#closed) this.#sending.schedule()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#subscribing.reset()
    await this.#subscription
    await this.#sendUnsent()
    this.#sending.reset()
    try {
      await this.#stop?.()
    } catch (error) {
      this.#listener.error(error, 'unsubscribe')
    }
  }

  async #subscribe(): Promise<void> {
    // What the bus says of its state while it is still subscribing counts more than that it has subscribed.
    let lost = false
    try {
      this.#stop = await this.#bus.subscribe({
        message: (message) => {
          if (message.source !== this.source && !this.#closed) this.#listener.message(message)
        },
        disconnected: () => {
          lost = true
          if (!this.#closed) this.#listener.disconnected()
        },
        connected: () => {
          lost = false
          this.#connected()
        },
        error: (error) => this.#listener.error(error, 'listen'),
      })
    } catch (error) {
      this.#listener.error(error, 'subscribe')
      if (!this.#closed) this.#subscribing.schedule()
      return
    }
    if (!lost) this.#connected()
  }

  #connected(): void {
    if (this.#closed) return
    this.#listener.connected()
    if (this.#unsent > 0) void this.#sendUnsent()
  }

  get #unsent(): number {
    return this.#unsentKeys.size + this.#unsentPrefixes.size + (this.#unsentAll ? 1 : 0)
  }

  #keep(announcement: Announcement): void {
    if (announcement.kind === 'clear') this.#unsentPrefixes.add(announcement.prefix)
    else if (announcement.keys === undefined) this.#unsentAll = true
    else for (const key of announcement.keys) this.#unsentKeys.add(key)
    if (this.#unsent > mostUnsent) this.#unsentAll = true
    if (!this.#unsentAll) return
    this.#unsentKeys.clear()
    this.#unsentPrefixes.clear()
  }

  /** Versions may be old by now, so the keys are sent as changed, without one: whoever holds a copy asks the authority. */
  async #sendUnsent(): Promise<void> {
    for (;;) {
      const announcement = this.#takeUnsent()
      if (announcement === undefined) return this.#sending.reset()
      try {
        await this.#bus.publish({ ...announcement, source: this.source } as BusMessage)
      } catch (error) {
        this.#keep(announcement)
        this.#listener.error(error, 'publish')
        if (!this.#closed) this.#sending.schedule()
        return
      }
    }
  }

  /** Taken before it is sent, so that a key which changes again meanwhile is kept again. */
  #takeUnsent(): Announcement | undefined {
    if (this.#unsentAll) {
      this.#unsentAll = false
      return { kind: 'foreign' }
    }
    for (const prefix of this.#unsentPrefixes) {
      this.#unsentPrefixes.delete(prefix)
      return { kind: 'clear', prefix }
    }
    if (this.#unsentKeys.size === 0) return undefined
    const keys: string[] = []
    for (const key of this.#unsentKeys) if (keys.push(key) === keysPerMessage) break
    for (const key of keys) this.#unsentKeys.delete(key)
    return { kind: 'delete', keys }
  }
}
