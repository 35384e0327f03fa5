import {
  type Bus,
  type BusListener,
  type BusMessage,
  BusSubscription,
  createVersion,
  Lifecycle,
} from '@cache/core/backend'
import { ClientSession } from '../connections/client-session.ts'
import { checkClient } from '../connections/connection-options.ts'
import { openSession } from '../connections/open-session.ts'
import type { PgClient } from '../connections/pg-shapes.ts'
import type { Session } from '../connections/session.ts'
import { postgresError } from '../errors.ts'
import { eventLoopClock } from '../timeouts/event-loop-clock.ts'
import { type PostgresBusOptions, resolveBusOptions } from './bus-options.ts'
import { toPayloads } from './notification.ts'
import { Notifier } from './notifier.ts'
import { openListener } from './open-listener.ts'

/**
 * Announcements of changes over LISTEN and NOTIFY.
 *
 * Needs a URL that leads to the server itself: a pooler in transaction mode accepts LISTEN and delivers nothing, which
 * `subscribe` detects with a test notification. Delivery is best effort, like NOTIFY itself: messages sent while a
 * listener is disconnected are lost to it, and `disconnected` tells it so.
 */
export class PostgresBus implements Bus {
  readonly name: string = 'postgres'
  /** Distinguishes the parts of this bus's long messages from the parts of other buses. */
  readonly #sender: string = createVersion()
  readonly #channel: string
  readonly #timeout: number
  readonly #session: Session
  readonly #notifier: Notifier
  readonly #subscription: BusSubscription
  readonly #lifecycle = new Lifecycle('postgres', 'bus')

  /** Connects with the first message. Throws `INVALID_ARGUMENT`. */
  constructor(options: PostgresBusOptions) {
    const { connections, channel, heartbeat } = resolveBusOptions(options)
    this.#channel = channel
    this.#timeout = connections.timeout
    // A failure of this connection rejects the call of `publish`, so it needs no event.
    this.#session = openSession({ ...connections, maxConnections: 1 }, () => {})
    this.#notifier = new Notifier({ run: this.#session.run, channel, timeout: connections.timeout })
    const source = { connections, channel, heartbeat, run: this.#session.run }
    this.#subscription = new BusSubscription((events) => openListener(source, events))
  }

  async publish(message: BusMessage): Promise<void> {
    await this.#attempt('publish', () => this.#notifier.send(toPayloads(message, this.#sender)))
  }

  /**
   * Publishes in the open transaction of `client`: its commit sends the messages, and a rollback discards them. A
   * commit that sends notifications takes a lock of the whole server for a moment. Rejects when the statement fails,
   * which ends the transaction.
   */
  inTransaction(client: PgClient): Pick<Bus, 'publish'> {
    this.#lifecycle.refuseWhenClosed('inTransaction')
    // The session of an application's client stays without prepared statements and settings of this package.
    const session = new ClientSession(checkClient(client, 'inTransaction'), { prepare: false, lockTimeout: null })
    const notifier = new Notifier({ run: session.run, channel: this.#channel, timeout: this.#timeout })
    return {
      publish: (message) => this.#attempt('publish', () => notifier.send(toPayloads(message, this.#sender))),
    }
  }

  async subscribe(listener: BusListener): Promise<() => Promise<void>> {
    return await this.#attempt('subscribe', () => this.#subscription.add(listener))
  }

  /** Waits for the calls in flight, then ends all subscriptions and closes the connections that the bus opened. */
  close(): Promise<void> {
    return this.#lifecycle.close(async () => {
      await this.#subscription.stop()
      await this.#session.close()
    })
  }

  async #attempt<Result>(method: string, work: () => Promise<Result>): Promise<Result> {
    this.#lifecycle.refuseWhenClosed(method)
    this.#lifecycle.begin()
    eventLoopClock.begin()
    try {
      return await work()
    } catch (error) {
      throw postgresError(error, method)
    } finally {
      eventLoopClock.end()
      this.#lifecycle.end()
    }
  }
}
