import type { BusListener, BusMessage } from '../protocol/bus.ts'
import { type Clock, systemClock } from '../protocol/clock.ts'
import { BackoffTimer } from './backoff-timer.ts'
import { checkBusListener } from './check-call.ts'

/** The events of a source of messages. */
export interface SourceEvents {
  message(message: BusMessage): void
  error(error: Error): void
  /** Messages may be missed from now on. One call is enough: the source is then closed, and another one is opened. */
  lost(): void
}

/** Opens a source. Resolves once its messages arrive, with the function that closes it. */
export type OpenSource = (events: SourceEvents) => Promise<() => Promise<void>>

/** Delays before another attempt to open the source, in milliseconds. */
const firstDelay = 50
const longestDelay = 1000

/**
 * The listeners of a bus and the source that they share. The source is opened for the first listener and closed after the
 * last one. When it is lost, another one is opened; `disconnected` and `connected` inform the listeners (RACES R14).
 */
export class BusSubscription {
  readonly #open: OpenSource
  readonly #listeners = new Set<BusListener>()
  /** Listeners that expect `connected`, because `disconnected` was the last that they heard. */
  readonly #disconnected = new Set<BusListener>()
  readonly #retry: BackoffTimer
  #opening: Promise<void> | undefined
  #close: (() => Promise<void>) | undefined
  /** The number of the current source. Events of an earlier source are ignored. */
  #generation = 0

  constructor(open: OpenSource, clock: Clock = systemClock) {
    this.#open = open
    this.#retry = new BackoffTimer(clock, firstDelay, longestDelay, () => this.#reopen())
  }

  /**
   * Resolves once messages reach the listener. Rejects, and removes the listener, when the source cannot be opened. Rejects
   * with `INVALID_ARGUMENT` for a listener without its required methods.
   */
  async add(listener: BusListener): Promise<() => Promise<void>> {
    checkBusListener(listener)
    // A wrapper of its own, so that the same listener may be added twice.
    const own: BusListener = {
      message: (message) => listener.message(message),
      disconnected: () => listener.disconnected(),
      connected: () => listener.connected(),
      error: (error) => listener.error?.(error),
    }
    this.#listeners.add(own)
    try {
      // Again when the attempt belonged to listeners that are gone: their source was closed as soon as it was open.
      while (this.#close === undefined) {
        await this.#attempt()
        if (!this.#listeners.has(own)) throw new Error('Connection is closed.')
      }
    } catch (error) {
      await this.#remove(own)
      throw error
    }
    return () => this.#remove(own)
  }

  /** Removes all listeners and closes the source. */
  async stop(): Promise<void> {
    this.#listeners.clear()
    this.#disconnected.clear()
    this.#generation += 1
    this.#retry.reset()
    // Both begin now: a listener that is added during the wait gets a source of its own.
    await Promise.all([this.#closeSource(), this.#opening?.catch(() => {})])
  }

  async #remove(listener: BusListener): Promise<void> {
    this.#listeners.delete(listener)
    this.#disconnected.delete(listener)
    if (this.#listeners.size === 0) await this.stop()
  }

  /** One attempt at a time: callers share it. */
  #attempt(): Promise<void> {
    this.#opening ??= this.#openSource().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #openSource(): Promise<void> {
    this.#generation += 1
    const generation = this.#generation
    const isCurrent = (): boolean => generation === this.#generation
    let isLost = false
    const close = await this.#open({
      message: (message) => {
        if (isCurrent()) this.#deliver((listener) => listener.message(message))
      },
      error: (error) => {
        if (isCurrent()) this.#deliver((listener) => listener.error?.(error))
      },
      lost: () => {
        isLost = true
        if (isCurrent() && this.#close !== undefined) this.#lost()
      },
    })
    if (!isCurrent() || isLost) {
      await close()
      if (isCurrent()) throw new Error('Connection is closed.')
      return
    }
    this.#close = close
    this.#retry.reset()
    for (const listener of this.#disconnected) {
      this.#disconnected.delete(listener)
      listener.connected()
    }
  }

  #lost(): void {
    this.#deliver((listener) => {
      this.#disconnected.add(listener)
      listener.disconnected()
    })
    this.#generation += 1
    this.#closeSource().catch(() => {})
    this.#retry.schedule()
  }

  #reopen(): void {
    this.#attempt().catch(() => {
      if (this.#listeners.size > 0) this.#retry.schedule()
    })
  }

  async #closeSource(): Promise<void> {
    const close = this.#close
    this.#close = undefined
    await close?.()
  }

  #deliver(call: (listener: BusListener) => void): void {
    for (const listener of this.#listeners) call(listener)
  }
}
