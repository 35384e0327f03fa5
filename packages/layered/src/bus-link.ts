import {
  type BackendPart,
  BackoffTimer,
  type Bus,
  type BusMessage,
  type Clock,
  createVersion,
} from '@cache/core/backend'

/** Unsent keys that are remembered. With more, the message says that any key may have changed. */
const mostUnsent = 10_000
const keysPerMessage = 500

/** The events of the link. */
export interface BusLinkListener {
  message(message: BusMessage): void
  connected(): void
  disconnected(): void
  error(error: unknown, operation: string): void
}

/** A message of this handle without its `source`. */
export type Announcement = BusMessage extends infer Message
  ? Message extends BusMessage
    ? Omit<Message, 'source'>
    : never
  : never

/**
 * The connection of one handle to its bus. It subscribes, and retries until that succeeds. It keeps announcements that
 * could not be sent and sends them later, because the copies of other processes are wrong until then.
 */
export class BusLink {
  /** Identifies the messages of this handle, which the bus delivers to it as well (RACES R12). */
  readonly source: string = createVersion()
  readonly #bus: Bus
  readonly #listener: BusLinkListener
  readonly #subscribeTimer: BackoffTimer
  readonly #sendTimer: BackoffTimer
  readonly #unsentKeys = new Set<string>()
  readonly #unsentPrefixes = new Set<string>()
  #unsentAll = false
  #closed = false
  /** Whether the subscription is lost. The bus can probably not send either. */
  #isLost = false
  /** Whether messages arrive. */
  #isConnected = false
  /** Messages on their way that no caller waits for. */
  readonly #sending = new Set<Promise<void>>()
  #stop: (() => Promise<void>) | undefined
  #subscription: Promise<void>

  constructor(bus: Bus, clock: Clock, listener: BusLinkListener) {
    this.#bus = bus
    this.#listener = listener
    this.#subscribeTimer = new BackoffTimer(clock, 100, 10_000, () => {
      this.#subscription = this.#subscribe()
    })
    this.#sendTimer = new BackoffTimer(clock, 100, 10_000, () => void this.#sendUnsent())
    this.#subscription = this.#subscribe()
  }

  /**
   * Sends a message, or keeps it for later if that fails. Resolves when one of both is done. While the bus is lost it
   * resolves at once: the caller has waited for the authority, and must not wait for a second timeout. Never rejects.
   */
  async publish(announcement: Announcement): Promise<void> {
    const sending = this.#send(announcement)
    if (!this.#isLost) return sending
    this.#sending.add(sending)
    void sending.then(() => this.#sending.delete(sending))
  }

  async #send(announcement: Announcement): Promise<void> {
    try {
      await this.#bus.publish({ ...announcement, source: this.source } as BusMessage)
    } catch (error) {
      this.#keep(announcement)
      this.#listener.error(error, 'publish')
      if (!this.#closed) this.#sendTimer.schedule()
    }
  }

  /** The state of the bus. Without it, other processes keep old copies, and the near layers of this one are not used. */
  describe(): BackendPart {
    const pending = this.#unsent
    const state: Pick<BackendPart, 'status' | 'message'> = !this.#isConnected
      ? { status: 'degraded', message: 'no messages arrive: the bus is not connected' }
      : pending > 0
        ? { status: 'degraded', message: `${pending} announcements could not be sent yet` }
        : { status: 'ok' }
    return { kind: 'bus', name: this.#bus.name, ...state, pending, limit: mostUnsent }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#subscribeTimer.reset()
    await this.#subscription
    await Promise.all(this.#sending)
    await this.#sendUnsent()
    this.#sendTimer.reset()
    try {
      await this.#stop?.()
    } catch (error) {
      this.#listener.error(error, 'unsubscribe')
    }
  }

  async #subscribe(): Promise<void> {
    // The bus may report a lost connection before `subscribe` resolves. That report is the later one.
    let isLost = false
    try {
      this.#stop = await this.#bus.subscribe({
        message: (message) => {
          if (message.source !== this.source && !this.#closed) this.#listener.message(message)
        },
        disconnected: () => {
          isLost = true
          this.#isLost = true
          this.#isConnected = false
          if (!this.#closed) this.#listener.disconnected()
        },
        connected: () => {
          isLost = false
          this.#connected()
        },
        error: (error) => this.#listener.error(error, 'listen'),
      })
    } catch (error) {
      this.#isLost = true
      this.#listener.error(error, 'subscribe')
      if (!this.#closed) this.#subscribeTimer.schedule()
      return
    }
    if (!isLost) this.#connected()
  }

  #connected(): void {
    if (this.#closed) return
    this.#isLost = false
    this.#isConnected = true
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

  /** Sends the keys without versions, which may be old by now: receivers ask the authority. */
  async #sendUnsent(): Promise<void> {
    for (;;) {
      const announcement = this.#takeUnsent()
      if (announcement === undefined) return this.#sendTimer.reset()
      try {
        await this.#bus.publish({ ...announcement, source: this.source } as BusMessage)
      } catch (error) {
        this.#keep(announcement)
        this.#listener.error(error, 'publish')
        if (!this.#closed) this.#sendTimer.schedule()
        return
      }
    }
  }

  /** Removes the keys before they are sent: a key that changes again meanwhile is then kept again. */
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
