import { type Bus, type BusListener, type BusMessage, BusSubscription, CacheError } from '@cache/core/backend'
import { Connection } from '../connection.ts'
import { redisError } from '../errors.ts'
import { type RedisTrackingBusOptions, resolveTrackingOptions } from '../options.ts'
import { BackendKeys } from '../wire/backend-keys.ts'
import { openTracking } from './open-tracking.ts'

/**
 * A bus on which Redis itself announces every change under a prefix (`CLIENT TRACKING` with broadcasting). This
 * includes writes of other programs, expiry and eviction. An announcement contains keys only.
 *
 * The server does work for each listener at every write: with one listener, it carried out two thirds of the writes per
 * second.
 */
export class RedisTrackingBus implements Bus {
  readonly name: string = 'redis tracking'
  readonly #finder: Connection
  readonly #subscription: BusSubscription
  #closing: Promise<void> | undefined

  /** Connects with the first listener. Throws `INVALID_ARGUMENT` for options that are unknown or out of range. */
  constructor(options: RedisTrackingBusOptions) {
    const { connection, prefix, heartbeat } = resolveTrackingOptions(options)
    this.#finder = new Connection(connection, () => {})
    const source = { connection, heartbeat, keys: new BackendKeys(prefix), finder: this.#finder }
    this.#subscription = new BusSubscription((events) => openTracking(source, events))
  }

  /** Sends nothing: Redis announces the change to every listener. */
  async publish(_message: BusMessage): Promise<void> {
    this.#refuseWhenClosed('publish')
  }

  async subscribe(listener: BusListener): Promise<() => Promise<void>> {
    this.#refuseWhenClosed('subscribe')
    try {
      return await this.#subscription.add(listener)
    } catch (error) {
      throw redisError(this.#finder.reasonOf(error), 'subscribe')
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#subscription.stop()
    await this.#finder.close()
  }

  #refuseWhenClosed(operation: string): void {
    if (this.#closing === undefined) return
    throw new CacheError('CLOSED', 'The bus was closed; open another one', { operation, backend: this.name })
  }
}
