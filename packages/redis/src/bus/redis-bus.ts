import {
  type Bus,
  type BusListener,
  type BusMessage,
  BusSubscription,
  CacheError,
  encodeBusMessage,
} from '@cache/core/backend'
import { Connection } from '../connection.ts'
import { redisError } from '../errors.ts'
import { type RedisBusOptions, resolveBusOptions } from '../options.ts'
import { openChannel } from './open-channel.ts'

/**
 * Announcements of changes over Redis' publish and subscribe; on a Cluster over its sharded form, where a message stays on
 * the node of its channel.
 *
 * Publishing shares one connection, listening has one of its own. Delivery is best effort, as Redis' is: who was not
 * connected never hears of it, and is told so by `disconnected`.
 */
export class RedisBus implements Bus {
  readonly name: string = 'redis'
  readonly #channel: string
  readonly #publish: 'publish' | 'spublish'
  readonly #publisher: Connection
  readonly #subscription: BusSubscription
  #closing: Promise<void> | undefined

  /** Connects with the first message. Throws `INVALID_ARGUMENT` for options that are unknown or out of range. */
  constructor(options: RedisBusOptions) {
    const { connection, channel, heartbeat, sharded } = resolveBusOptions(options)
    // A failure of the publisher reaches whoever publishes.
    this.#publisher = new Connection(connection, () => {})
    const isSharded = sharded ?? this.#publisher.isCluster
    this.#channel = channel
    this.#publish = isSharded ? 'spublish' : 'publish'
    const source = { connection, channel, heartbeat, sharded: isSharded, publisher: this.#publisher }
    this.#subscription = new BusSubscription((events) => openChannel(source, events))
  }

  async publish(message: BusMessage): Promise<void> {
    await this.#attempt('publish', () =>
      this.#publisher.send(this.#publish, [this.#channel, encodeBusMessage(message)]),
    )
  }

  async subscribe(listener: BusListener): Promise<() => Promise<void>> {
    return await this.#attempt('subscribe', () => this.#subscription.add(listener))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#subscription.stop()
    await this.#publisher.close()
  }

  async #attempt<Result>(operation: string, work: () => Promise<Result>): Promise<Result> {
    if (this.#closing !== undefined) {
      throw new CacheError('CLOSED', 'The bus was closed', { operation, backend: this.name })
    }
    try {
      return await work()
    } catch (error) {
      throw redisError(this.#publisher.reasonOf(error), operation)
    }
  }
}
