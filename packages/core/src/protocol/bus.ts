/**
 * A message about a change in the authority (the last layer), for the near layers of other processes.
 *
 * `versions` are the versions that the authority holds now: a near copy of the same version may stay. Messages may be lost,
 * duplicated or reordered. Receivers compare versions by equality, and do not compare clocks (RACES R13, R16).
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
  /** A write from outside this library. Without `keys`, any key may have changed. */
  | { readonly kind: 'foreign'; readonly source: string; readonly keys?: readonly string[] }

export interface BusListener {
  message(message: BusMessage): void
  /** Messages may be missed from now on. Called when the connection is lost. */
  disconnected(): void
  /** Messages arrive again. Copies from before must be dropped first (RACES R14). */
  connected(): void
  /** A failure that does not end the subscription, such as an unreadable message. */
  error?(error: Error): void
}

/** Publish and subscribe for invalidations. Delivery is best effort; `disconnected` marks times of unreliable delivery. */
export interface Bus {
  readonly name: string
  /** Resolves when the message has left this process. Rejects with a `CacheError` when it could not be sent. */
  publish(message: BusMessage): Promise<void>
  /**
   * Adds a listener. Resolves once messages arrive, with the function that removes it. From then on the bus calls
   * `disconnected` and `connected` at every change. Rejects with a `CacheError` when it cannot subscribe.
   */
  subscribe(listener: BusListener): Promise<() => Promise<void>>
  /**
   * Publishes with the commit of an open transaction of the application; a rollback drops the messages. `publish` resolves
   * when the message is part of the transaction. Throws `INVALID_ARGUMENT`.
   */
  inTransaction?(transaction: unknown): Pick<Bus, 'publish'>
  /** Ends every subscription and closes everything that the bus opened. */
  close(): Promise<void>
}
