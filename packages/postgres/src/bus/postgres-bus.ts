import {
  type Bus,
  type BusListener,
  type BusMessage,
  BusSubscription,
  CacheError,
  createVersion,
} from '@cache/core/backend'
import type { ClientBase } from 'pg'
import { ClientSession } from '../connections/client-session.ts'
import { openSession } from '../connections/open-session.ts'
import type { Session } from '../connections/session.ts'
import { postgresError } from '../errors.ts'
import { checkClient, type PostgresBusOptions, resolveBusOptions } from '../options.ts'
import { loopClock } from '../timeouts/event-loop-clock.ts'
import { toPayloads } from './notification.ts'
import { Notifier } from './notifier.ts'
import { openListener } from './open-listener.ts'

/**
 * Announcements of changes over LISTEN and NOTIFY.
 *
 * Needs a URL that leads to the server itself: a pooler in transaction mode accepts LISTEN and delivers nothing, which
 * `subscribe` finds out by a test notification. Delivery is best effort, as NOTIFY's is: who was not connected never hears
 * of it, and is told so by `disconnected`.
 */
export class PostgresBus implements Bus {
  readonly name: string = 'postgres'
  /** Tells the parts of this bus's long messages from those of others. */
  readonly #sender: string = createVersion()
  readonly #channel: string
  readonly #timeout: number
  readonly #session: Session
  readonly #notifier: Notifier
  readonly #subscription: BusSubscription
  #closing: Promise<void> | undefined

  /** Connects with the first message. Throws `INVALID_ARGUMENT`. */
  constructor(options: PostgresBusOptions) {
    const { connections, channel, heartbeat } = resolveBusOptions(options)
    this.#channel = channel
    this.#timeout = connections.timeout
    // A failure of the publisher reaches whoever publishes.
    this.#session = openSession({ ...connections, maxConnections: 1 }, () => {})
    this.#notifier = new Notifier({ session: this.#session, channel, timeout: connections.timeout })
    const source = { connections, channel, heartbeat, session: this.#session }
    this.#subscription = new BusSubscription((events) => openListener(source, events))
  }

  async publish(message: BusMessage): Promise<void> {
    await this.#attempt('publish', () => this.#notifier.send(toPayloads(message, this.#sender)))
  }

  /**
   * Publishes in the transaction that `client` is in: the messages leave with its commit, and not at all when it is rolled
   * back. A commit that sends notifications takes a lock of the whole server for a moment. Rejects with what hinders the
   * statement, which ends the transaction.
   */
  inTransaction(client: ClientBase): Pick<Bus, 'publish'> {
    if (this.#closing !== undefined) throw this.#closed('inTransaction')
    // Nothing is prepared or set on a client of the application's.
    const session = new ClientSession(checkClient(client, 'inTransaction'), { prepare: false, lockTimeout: null })
    const notifier = new Notifier({ session, channel: this.#channel, timeout: this.#timeout })
    return {
      publish: (message) => this.#attempt('publish', () => notifier.send(toPayloads(message, this.#sender))),
    }
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
    await this.#notifier.settled()
    await this.#session.close()
  }

  async #attempt<Result>(operation: string, work: () => Promise<Result>): Promise<Result> {
    if (this.#closing !== undefined) throw this.#closed(operation)
    loopClock.begin()
    try {
      return await work()
    } catch (error) {
      throw postgresError(error, operation)
    } finally {
      loopClock.end()
    }
  }

  #closed(operation: string): CacheError {
    return new CacheError('CLOSED', 'The bus was closed', { operation, backend: this.name })
  }
}
