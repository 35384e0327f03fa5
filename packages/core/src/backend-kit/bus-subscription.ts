import type { BusListener, BusMessage } from '../protocol/bus.ts'

/** What a source of messages tells. */
export interface SourceEvents {
  message(message: BusMessage): void
  error(error: Error): void
  /** Messages may be missed from now on. Once is enough; the source is then closed and opened anew. */
  lost(): void
}

/** Opens a source; resolves once its messages arrive, with the function that closes it. */
export type OpenSource = (events: SourceEvents) => Promise<() => Promise<void>>

/** Pauses between attempts to come back, in ms. */
const shortestPause = 50
const longestPause = 1000

/**
 * The listeners of a bus and the source that they share: opened for the first, closed after the last, opened anew whenever it
 * is lost. Listeners are told of both (RACES R14).
 */
export class BusSubscription {
  readonly #open: OpenSource
  readonly #listeners = new Set<BusListener>()
  #opening: Promise<void> | undefined
  #close: (() => Promise<void>) | undefined
  #retry: NodeJS.Timeout | undefined
  #failures = 0
  /** Counts sources: what an earlier one still tells does not concern its successor. */
  #generation = 0

  constructor(open: OpenSource) {
    this.#open = open
  }

  /** Resolves once messages reach the listener; rejects, and forgets it, when the source cannot be opened. */
  async add(listener: BusListener): Promise<() => Promise<void>> {
    // A wrapper of its own, so that the same listener may be added twice.
    const own: BusListener = {
      message: (message) => listener.message(message),
      disconnected: () => listener.disconnected(),
      connected: () => listener.connected(),
      error: (error) => listener.error?.(error),
    }
    this.#listeners.add(own)
    try {
      if (this.#close === undefined) await (this.#opening ?? this.#attempt())
    } catch (error) {
      await this.#remove(own)
      throw error
    }
    return () => this.#remove(own)
  }

  async stop(): Promise<void> {
    this.#listeners.clear()
    this.#generation += 1
    clearTimeout(this.#retry)
    this.#retry = undefined
    await this.#opening?.catch(() => {})
    await this.#closeSource()
  }

  async #remove(listener: BusListener): Promise<void> {
    this.#listeners.delete(listener)
    if (this.#listeners.size === 0) await this.stop()
  }

  #attempt(): Promise<void> {
    clearTimeout(this.#retry)
    this.#opening = this.#openSource().finally(() => {
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
        if (isCurrent()) this.#each((listener) => listener.message(message))
      },
      error: (error) => {
        if (isCurrent()) this.#each((listener) => listener.error?.(error))
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
    this.#failures = 0
  }

  #lost(): void {
    this.#each((listener) => listener.disconnected())
    this.#generation += 1
    this.#closeSource().catch(() => {})
    this.#comeBack()
  }

  #comeBack(): void {
    const pause = Math.min(shortestPause * 2 ** this.#failures, longestPause)
    this.#failures += 1
    this.#retry = setTimeout(() => {
      this.#attempt().then(
        () => {
          if (this.#close !== undefined) this.#each((listener) => listener.connected())
        },
        () => {
          if (this.#listeners.size > 0) this.#comeBack()
        },
      )
    }, pause)
    // Waiting for a server to come back is no reason to keep a process alive.
    this.#retry.unref()
  }

  async #closeSource(): Promise<void> {
    const close = this.#close
    this.#close = undefined
    await close?.()
  }

  #each(tell: (listener: BusListener) => void): void {
    for (const listener of this.#listeners) tell(listener)
  }
}
