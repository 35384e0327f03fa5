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
import { isCount } from '../wire/reply-shapes.ts'
import { openChannel } from './open-channel.ts'

/**
 * A bus on the publish and subscribe of Redis. On a Cluster it uses the sharded form, where a message stays on the node
 * of its channel.
 *
 * All messages are published on one connection and received on another. Delivery is best effort: a listener that was
 * disconnected has missed messages, and its `disconnected` method reports that.
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
    // The rejection of `publish` reports each failure of the publisher.
    this.#publisher = new Connection(connection, () => {})
    const isSharded = sharded ?? this.#publisher.isCluster
    this.#channel = channel
    this.#publish = isSharded ? 'spublish' : 'publish'
    const source = { connection, channel, heartbeat, sharded: isSharded, publisher: this.#publisher }
    this.#subscription = new BusSubscription((events) => openChannel(source, events))
  }

  async publish(message: BusMessage): Promise<void> {
    await this.#attempt('publish', () =>
      this.#publisher.send(this.#publish, [this.#channel, encodeBusMessage(message)], { shape: isCount }),
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
      throw new CacheError('CLOSED', 'The bus was closed; open another one', { operation, backend: this.name })
    }
    try {
      return await work()
    } catch (error) {
      throw redisError(this.#publisher.reasonOf(error), operation)
    }
  }
}
