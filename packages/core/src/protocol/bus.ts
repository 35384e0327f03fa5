/**
 * One announcement of a change in the authority (the last layer), for the near layers of other processes.
 *
 * `version` is what the authority holds now: a near copy of that very version may stay. Messages may be lost, doubled or
 * reordered; receivers compare versions by equality and never clocks (RACES R13, R16).
 */
export type BusMessage =
  | {
      readonly kind: 'set'
      readonly source: string
      readonly keys: readonly string[]
      readonly versions: readonly string[]
    }
  | { readonly kind: 'delete'; readonly source: string; readonly keys: readonly string[] }
  | { readonly kind: 'clear'; readonly source: string; readonly prefix: string }
  /** Somebody outside this library wrote: all that is known is which keys (or, without keys, that anything may have changed). */
  | { readonly kind: 'foreign'; readonly source: string; readonly keys?: readonly string[] }

export interface BusListener {
  message(message: BusMessage): void
  /** Messages may have been missed from here on. Called when the connection is lost. */
  disconnected(): void
  /** Messages arrive again. Whatever was held before must be dropped first (RACES R14). */
  connected(): void
  /** A failure that does not end the subscription, such as a message nobody could read. */
  error?(error: Error): void
}

/** Publish and subscribe for invalidations. Delivery is best effort; the listener is told when it cannot be trusted. */
export interface Bus {
  readonly name: string
  /** Resolves when the message left this process. Rejects with a `CacheError` when it did not. */
  publish(message: BusMessage): Promise<void>
  /**
   * Starts listening; resolves once messages arrive, with the function that stops it. `connected` and `disconnected` are
   * called from then on at every change. Rejects with a `CacheError` when no subscription could be made.
   */
  subscribe(listener: BusListener): Promise<() => Promise<void>>
  /**
   * Publishes with the commit of an open transaction of the application, and not at all when it is rolled back. `publish`
   * resolves when the message is part of the transaction. Throws `INVALID_ARGUMENT`.
   */
  inTransaction?(transaction: unknown): Pick<Bus, 'publish'>
  /** Ends every subscription and closes what the bus itself opened. */
  close(): Promise<void>
}
