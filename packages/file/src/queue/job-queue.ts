import { invalidArgument } from '@cache/core/backend'
import { callBackend, partsOf } from '../backend-parts.ts'
import type { FileBackend } from '../file-backend.ts'
import type { LeasedMessage, Message, PullOptions, PushOptions, QueueSide } from './message.ts'
import { MessageStore } from './message-store.ts'

/**
 * A queue of messages in the directory of a `FileBackend`. It survives restarts, and all processes of the directory
 * share it.
 *
 * `pull` leases a message, which stays in the queue until `ack`. When its holder dies or takes too long, the lease ends
 * and another caller gets the message. So each message is handled at least once, and exactly once when `ack` comes
 * within the lease. `clear`, limits and policies do not affect messages.
 */
export class JobQueue<Value = unknown> {
  /** The name of the queue. Queues with the same name in one directory are the same queue. */
  readonly name: string
  readonly #backend: FileBackend

  /** Throws `INVALID_ARGUMENT` for a backend of another kind and for a name that is no string. */
  constructor(backend: FileBackend, name: string) {
    partsOf(backend, 'JobQueue')
    if (typeof name !== 'string') throw invalidArgument('name', name, 'a string', 'JobQueue')
    this.#backend = backend
    this.name = name
  }

  /**
   * Adds a message; resolves to its id. Rejects with `NOT_STORABLE` for `undefined` and values that the codec refuses.
   */
  push(value: Value, options: PushOptions = {}): Promise<number> {
    return this.#call('push', (store) => store.push(this.name, value, options))
  }

  /**
   * Leases the next message to this caller; `undefined` when no message is available. A damaged message is removed. A
   * message that this process cannot decode or decrypt stays for others. Both are reported as `error` events.
   */
  pull(options: PullOptions = {}): Promise<LeasedMessage<Value> | undefined> {
    return this.#call('pull', (store) => store.pull(this.name, options)) as Promise<LeasedMessage<Value> | undefined>
  }

  /** The message that `pull` would lease, without a lease; `undefined` when no message is available. */
  peek(side: QueueSide = 'front'): Promise<Message<Value> | undefined> {
    return this.#call('peek', (store) => store.peek(this.name, side)) as Promise<Message<Value> | undefined>
  }

  /** The number of messages, leased ones included. */
  count(): Promise<number> {
    return this.#call('count', (store) => store.count(this.name))
  }

  #call<Result>(method: string, call: (store: MessageStore) => Promise<Result>): Promise<Result> {
    return callBackend(this.#backend, method, this.name, ({ directory, items }) =>
      call(new MessageStore(directory, items)),
    )
  }
}
